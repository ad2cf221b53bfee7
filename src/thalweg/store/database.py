"""The SQLite connection as the tables use it: transactions, rows with their checksums, and errors in words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from thalweg.errors import StoreError
from thalweg.store.file import DatabaseFile
from thalweg.store.lock import RunLock
from thalweg.store.rescue import displaced
from thalweg.store.tables import CHECKSUM, LABELS, Row, Table

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again, nothing is lost",
    sqlite3.SQLITE_READONLY: "it is read-only; give write permission, or work on a copy",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a copy, or start again in another run folder",
    sqlite3.SQLITE_NOTADB: "it is not a database; restore it from a copy, or choose another run folder",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; close whatever else has it open and try again",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked; close whatever else has it open and try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and that you may write in it",
    sqlite3.SQLITE_IOERR: "the disk reports an error; check it, then run the same command again",
    sqlite3.SQLITE_PERM: "permission is denied; give read and write permission",
}


SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's functions raise; the second where a damaged file is quoted in the first's message."""


def in_words(error: Exception, path: Path) -> StoreError:
    """An SQLite error as a StoreError with the cure."""
    code = getattr(error, "sqlite_errorcode", None)
    words = _WORDS.get(code & 0xFF) if isinstance(code, int) else None
    if words is None:
        words = "it cannot be used; if it was well before, restore it from a copy, else please report this"
    return StoreError(f"{path}: {words} (SQLite: {error})")


class DamagedRowError(StoreError):
    """A row that does not fit its checksum."""


class Database:
    """A connection with nested transactions; the tables' verbs are in the subclasses."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        lock: RunLock | None = None,
        file: DatabaseFile | None = None,
        copy: Path | None = None,
    ) -> None:
        # bytes that are no text any more must reach the checksum, which tells what is damaged
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._connection = connection
        self._lock, self._file, self._copy = lock, file, copy
        self._depth = 0
        self._lost: str | None = None
        self.path = path
        """The database file."""
        self.notices: list[str] = []
        """What the user should hear of, in whole sentences: the caller says them and clears the list."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.path.parent

    @property
    def writable(self) -> bool:
        """Whether this is the writer."""
        return self._lock is not None

    def close(self) -> None:
        """Leave a self-contained database, close the connection and let the next writer in."""
        if self._file is not None:
            with suppress(sqlite3.Error):  # a full disk: all is in the write-ahead log, as after a kill
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                # without a log, so that whoever only reads it leaves none behind
                self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._connection.close()
        if self._file is not None:
            self._file.release()
        if self._lock is not None:
            self._lock.release()
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner transaction joins the outer one.

        Raises
        ------
        StoreError
            The disk is full, or the file was removed, moved or replaced meanwhile. What was written inside is
            then still committed, to the file that is open, and a copy of it is laid where the message says.
        """
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._check_place()
        try:  # Ctrl-C may come between any two lines
            self._depth = 1
            self._execute("BEGIN IMMEDIATE")
            yield
            self._execute("COMMIT")
        finally:
            self._depth = 0
            # after an error SQLite may have rolled back by itself; after COMMIT there is nothing to undo
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._check_place()

    def _check_place(self) -> None:
        """Raises StoreError where the file that is open lies no more where it was opened."""
        if self._lost is None and self._file is not None and not self._file.is_in_place():
            self._lost = displaced(self._connection, self._file)
        if self._lost is not None:
            raise StoreError(self._lost)

    # --- rows -------------------------------------------------------------------------------------------

    def _insert(self, table: Table, values: Mapping[str, Any], *, or_else: str = "") -> int:
        """A new row with its checksum; `or_else` is the ON CONFLICT clause. Returns the row's id.

        A row whose `id` is not given gets the next one.
        """
        row = table.normalised(values)
        if "id" in row and row["id"] is None:
            row["id"] = self._next_id(table)
        columns = (*table.columns, CHECKSUM)
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks}) {or_else}"
        self._execute(sql, (*row.values(), table.checksum(row)))
        return int(row.get("id") or 0)

    def _next_id(self, table: Table) -> int:
        largest = int(self._value(f"SELECT coalesce(max(id), 0) FROM {table.name}"))
        if table is LABELS:  # a withdrawn label's number is not given again
            largest = max(largest, int(self._value("SELECT coalesce(max(label_id), 0) FROM withdrawals")))
        return largest + 1

    def _read(self, table: Table, rest: str = "", parameters: tuple[Any, ...] = ()) -> list[Row]:
        """Rows, each held against its checksum; `rest` are the clauses after FROM."""
        found = self._rows(f"SELECT {table.select()} FROM {table.name} {rest}", parameters)
        return [self._whole(table, values) for values in found]

    def _whole(self, table: Table, values: tuple[Any, ...]) -> Row:
        """The row of these columns and checksum; raises DamagedRowError where they do not fit together."""
        row = dict(zip(table.columns, values, strict=False))
        if table.checksum(row) != values[len(table.columns)]:
            raise DamagedRowError(damage(self.path, table, row))
        return row

    def _change(self, table: Table, row: Row, **changes: Any) -> None:
        """Other values in a row that was read, and the checksum that fits them."""
        new = table.normalised({**row, **changes})
        columns = ", ".join(f"{name} = ?" for name in (*changes, CHECKSUM))
        where = " AND ".join(f"{name} = ?" for name in table.key)
        self._execute(
            f"UPDATE {table.name} SET {columns} WHERE {where}",
            (*(new[name] for name in changes), table.checksum(new), *(row[name] for name in table.key)),
        )

    def _whole_ones(self, table: Table, rest: str, parameters: tuple[Any, ...] = ()) -> Iterable[Row]:
        """The rows that are whole; a notice says how many are not. For what tells the story and decides nothing."""
        found = self._rows(f"SELECT {table.select()} FROM {table.name} {rest}", parameters)
        damaged = 0
        for values in found:
            try:
                yield self._whole(table, values)
            except DamagedRowError:
                damaged += 1
        if damaged:
            self.notices.append(f"{self.path}: {damaged} rows of its {table.name} are damaged and left out")

    def _execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except SQLITE_ERRORS as error:
            raise in_words(error, self.path) from error

    def _rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as error:
            raise in_words(error, self.path) from error

    def _value(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        rows = self._rows(sql, parameters)
        return rows[0][0] if rows else None


def damage(path: Path, table: Table, row: Row) -> str:
    """That a row is damaged, and the cure."""
    cure = f"restore {path.name} from a copy"
    if table is LABELS:
        cure += f", or withdraw it: thalweg labels {path.parent} --withdraw {row['id']}"
    return f"{path}: {table.named(row)} is damaged, its checksum does not fit; {cure}"

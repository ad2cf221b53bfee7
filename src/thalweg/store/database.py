"""The SQLite connection: opening, transactions, and errors in words.

Durability: write-ahead log with synchronous=FULL, so that a commit is on the disk when it returns. The log
needs shared memory, which network disks do not have; there the classic rollback journal takes its place.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thalweg.errors import StoreError
from thalweg.store.lock import RunLock
from thalweg.store.migrations import SCHEMA_VERSION, check_version, migrate

DATABASE_NAME = "thalweg.db"
BUSY_TIMEOUT_S = 30.0
NETWORK_DISKS = (
    "nfs",
    "cifs",
    "smb",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "afs",
    "glusterfs",
    "9p",
    "fuse.sshfs",
)

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again, nothing is lost",
    sqlite3.SQLITE_READONLY: "it is read-only; give write permission, or work on a copy",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a copy, or start afresh in another run folder",
    sqlite3.SQLITE_NOTADB: "it is not a database; restore it from a copy, or choose another run folder",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; close whatever else has it open and try again",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked; close whatever else has it open and try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and that you may write in it",
    sqlite3.SQLITE_IOERR: "the disk reports an error; check it, then run the same command again",
    sqlite3.SQLITE_PERM: "permission is denied; give read and write permission",
}


def in_words(error: sqlite3.Error, path: Path) -> StoreError:
    """An SQLite error as a StoreError with the cure."""
    code = getattr(error, "sqlite_errorcode", None)
    words = _WORDS.get(code & 0xFF) if isinstance(code, int) else None
    if words is None:
        words = "please report this"
    return StoreError(f"{path}: {words} (SQLite: {error})")


def on_network_disk(folder: Path, mounts: str | None = None) -> bool:
    """Whether `folder` lies on a network file system, by the system's table of mounts (False if unknown)."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text()
        except OSError:
            return False
    kind, longest = "", 0
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        point = words[1].replace("\\040", " ")
        if folder.resolve().is_relative_to(point) and len(point) >= longest:
            kind, longest = words[2], len(point)
    return kind.startswith(NETWORK_DISKS)


class Database:
    """A connection with nested transactions; the tables' verbs are in the subclasses."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, lock: RunLock | None, copy: Path | None = None
    ) -> None:
        self._connection = connection
        self._lock = lock
        self._copy = copy
        self._depth = 0
        self.path = path
        """The database file."""

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.path.parent

    @property
    def writable(self) -> bool:
        """Whether this is the writer."""
        return self._lock is not None

    def close(self) -> None:
        """Close the connection and let the next writer in."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner transaction joins the outer one."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self._execute("COMMIT")
        finally:
            self._depth = 0
            # after an error SQLite may have rolled back by itself; after COMMIT there is nothing to undo
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise in_words(error, self.path) from error

    def _rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise in_words(error, self.path) from error

    def _value(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        rows = self._rows(sql, parameters)
        return rows[0][0] if rows else None


def connect_writer(folder: Path, *, create: bool) -> tuple[sqlite3.Connection, RunLock]:
    """Lock the folder, open (or create) its database, check it and bring its schema up to date."""
    path = folder / DATABASE_NAME
    if not create and not path.is_file():
        raise StoreError(
            f"{folder} is no run folder: it has no {DATABASE_NAME}; start one with `thalweg run CONFIG`"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the run folder {folder}: {error.strerror}. "
            "Give write permission, or choose another folder with --run"
        ) from error
    lock = RunLock(folder)
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        _prepare_writer(connection, path)
        return connection, lock
    except BaseException as error:
        if connection is not None:
            connection.close()
        lock.release()
        if isinstance(error, sqlite3.Error):
            raise in_words(error, path) from error
        raise


def _prepare_writer(connection: sqlite3.Connection, path: Path) -> None:
    check_version(connection)
    mode = "DELETE" if on_network_disk(path.parent) else "WAL"
    try:
        connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    except sqlite3.OperationalError:
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    verdict = " ".join(connection.execute("PRAGMA quick_check(1)").fetchone()[0].split())
    if verdict != "ok":
        raise StoreError(
            f"{path}: it is damaged ({verdict}); restore it from a copy, or start in another run folder"
        )
    migrate(connection)


def connect_reader(folder: Path) -> tuple[sqlite3.Connection, Path | None]:
    """A read-only connection, also while another process writes; and the folder of the private copy, if any.

    A write-ahead log cannot be read in a folder where nothing may be written; then a copy of the database and
    of its log in a temporary folder is opened.
    """
    path = folder / DATABASE_NAME
    if not path.is_file():
        raise StoreError(
            f"{folder} is no run folder: it has no {DATABASE_NAME}; start one with `thalweg run CONFIG`"
        )
    try:
        return _open_read_only(path), None
    except sqlite3.OperationalError:
        copy = Path(tempfile.mkdtemp(prefix="thalweg-"))
    except sqlite3.Error as error:
        raise in_words(error, path) from error
    try:
        for name in (DATABASE_NAME, DATABASE_NAME + "-wal"):
            if (folder / name).exists():
                shutil.copyfile(folder / name, copy / name)
        return _open_read_only(copy / DATABASE_NAME), copy
    except BaseException as error:
        shutil.rmtree(copy, ignore_errors=True)
        if isinstance(error, sqlite3.Error):
            raise in_words(error, path) from error
        if isinstance(error, OSError):
            raise StoreError(f"{path}: it cannot be read: {error.strerror}") from error
        raise


def _open_read_only(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )
    try:
        version = check_version(connection)
        if version == 0:
            raise StoreError(f"{path.parent} holds nothing yet: its run has only just begun")
        if version < SCHEMA_VERSION:
            raise StoreError(
                f"{path.parent} was written by an older Thalweg (schema {version}, now {SCHEMA_VERSION}); "
                "`thalweg run` on it once brings it up to date"
            )
    except BaseException:
        connection.close()
        raise
    return connection

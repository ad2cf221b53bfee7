"""The store in one SQLite file, `thalweg.db` in the run folder."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from thalweg.store.database import DATABASE_NAME, connect_reader, connect_writer
from thalweg.store.journal import JournalTables
from thalweg.store.questions import QuestionTables


class SqliteStore(QuestionTables, JournalTables):
    """The memory of a run by the laws of `thalweg.store.base`. Use `open` or `read`, in a `with`."""

    @classmethod
    def open(cls, folder: str | Path, *, create: bool = True) -> Self:
        """The writer of a run folder.

        Raises
        ------
        StoreError
            Another process writes to it, it cannot be written, it is damaged or of a newer Thalweg; or
            there is none and `create` is false.
        """
        folder = Path(folder)
        connection, lock = connect_writer(folder, create=create)
        return cls(connection, folder / DATABASE_NAME, lock=lock)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """A reader, also while a run writes, and of a folder in which nothing may be written.

        Raises
        ------
        StoreError
            No run folder, damaged, or of another Thalweg's schema.
        """
        folder = Path(folder)
        connection, copy = connect_reader(folder)
        return cls(connection, folder / DATABASE_NAME, lock=None, copy=copy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

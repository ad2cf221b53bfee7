"""The store in one SQLite file, `thalweg.db` in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from thalweg.store.connecting import connect_reader, connect_writer
from thalweg.store.evidence import DATABASE_NAME, what_is_missing
from thalweg.store.rescue import copy_database
from thalweg.store.withdrawing import WithdrawalTables


class SqliteStore(WithdrawalTables):
    """The memory of a run by the laws of `thalweg.store.base`. Use `open` or `read`, in a `with`."""

    @classmethod
    def open(cls, folder: str | Path, *, create: bool = True) -> Self:
        """The writer of a run folder.

        Raises
        ------
        StoreError
            Another process writes to it, it cannot be written, it is damaged or of a newer Thalweg; it holds
            less than the folder shows that there was; or there is none and `create` is false.
        """
        folder = Path(folder)
        writer = connect_writer(folder, create=create)
        return cls(writer.connection, folder / DATABASE_NAME, lock=writer.lock, file=writer.file)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """A reader, also while a run writes, and of a folder in which nothing may be written.

        Raises
        ------
        StoreError
            No run folder, damaged, or of a newer Thalweg.
        """
        folder = Path(folder)
        connection, copy = connect_reader(folder)
        store = cls(connection, folder / DATABASE_NAME, copy=copy)
        if missing := what_is_missing(folder, connection):
            store.notices.append(missing)
        return store

    def copy_to(self, path: str | Path) -> None:
        """Write a self-contained copy, also during a run; SetupError if it cannot be written."""
        copy_database(self._connection, Path(path))

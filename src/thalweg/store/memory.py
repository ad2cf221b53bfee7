"""A store in memory: for trying out what a run would do, and for tests."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Self

from thalweg.store.database import in_words
from thalweg.store.migrations import migrate
from thalweg.store.sqlite import SqliteStore
from thalweg.store.withdrawing import WithdrawalTables

_NAME = Path("memory")


class MemoryStore(WithdrawalTables):
    """A store that needs no folder, takes no lock and is gone when it is closed.

    The tables are those of the file, so that what works on one works on the other.
    """

    def __init__(self) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
        super().__init__(connection, _NAME)

    @classmethod
    def copy_of(cls, folder: str | Path) -> Self:
        """All that the store in a run folder holds now, to go on with as one likes: the folder stays as it is.

        Raises
        ------
        StoreError
            As `SqliteStore.read`.
        """
        store = cls()
        with SqliteStore.read(folder) as source:
            try:
                source._connection.backup(store._connection)
            except sqlite3.Error as error:
                raise in_words(error, source.path) from error
        return store

    @property
    def writable(self) -> bool:
        """Always."""
        return True

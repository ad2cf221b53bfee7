"""Copies of a database that is open: whole at any moment, also where the file itself has lost its name."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from thalweg.files import moved_into_place
from thalweg.store.file import DatabaseFile


def copy_database(connection: sqlite3.Connection, path: Path) -> None:
    """Write what is committed to a database of its own at `path`, which stands alone and replaces what is there.

    Raises
    ------
    SetupError
        It cannot be written.
    """
    with moved_into_place(path) as draft:
        try:
            with closing(sqlite3.connect(draft)) as copy:
                connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error as error:
            raise OSError(None, str(error)) from error


def displaced(connection: sqlite3.Connection, file: DatabaseFile) -> str:
    """What to say when the open file lies no more where it was opened. Lays a copy where the file is gone.

    Nothing is lost by itself: the open file goes on holding everything until it is closed.
    """
    path, now = file.path, file.found_at()
    # the write-ahead log goes by the name: emptied, it cannot harm what took the file's place
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if now is not None:
        return (
            f"{path} was moved to {now} during the run; the run stops here. All labels are in it: continue with "
            f"--run {now.parent}" + ("" if now.name == path.name else f", after renaming it to {path.name}")
        )
    what = "replaced by another file" if path.exists() else "removed"
    copy = _free(path.parent / f"{path.name}.rescued")
    if not path.parent.is_dir():
        copy = _free(path.parent.with_name(f"{path.parent.name}.rescued") / path.name)
    try:
        copy_database(connection, copy)
    except Exception as error:
        return f"{path} was {what} during the run, and its labels could not be saved: {error}"
    return f"{path} was {what} during the run; the run stops here. All its labels are in {copy}: " + (
        f"move it to {path} to continue"
        if copy.parent == path.parent
        else f"continue with --run {copy.parent}"
    )


def _free(path: Path) -> Path:
    """`path`, or with a number where something has that name."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found

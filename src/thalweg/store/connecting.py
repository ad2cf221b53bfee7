"""Opening a run folder's database, as its writer or to look on.

Durability: write-ahead log with synchronous=FULL, so that a commit is on the disk when it returns. The log
needs shared memory, which network disks do not have; there the classic rollback journal takes its place.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from thalweg.errors import StoreError
from thalweg.store.database import SQLITE_ERRORS, in_words
from thalweg.store.evidence import DATABASE_NAME, check_bare, check_remains, is_bare, what_is_missing
from thalweg.store.file import DatabaseFile
from thalweg.store.lock import RunLock
from thalweg.store.migrations import SCHEMA_VERSION, check_tables, check_version, migrate, version_of

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


class EmptyStoreError(StoreError):
    """A run folder whose run has just started: there is nothing to read yet."""


@dataclass(frozen=True)
class Writer:
    """What the writer of a run folder holds."""

    connection: sqlite3.Connection
    lock: RunLock
    file: DatabaseFile


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


def connect_writer(folder: Path, *, create: bool) -> Writer:
    """Lock the folder and the file, open (or create) the database, check it and bring its schema up to date."""
    path = folder / DATABASE_NAME
    check_bare(folder)
    if not create and not path.is_file():
        raise no_run_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the run folder {folder}: {error.strerror}. "
            "Give write permission, or choose another folder with --run"
        ) from error
    with ExitStack() as on_failure:
        lock = RunLock(folder)
        on_failure.callback(lock.release)
        file = DatabaseFile(path, lock=not on_network_disk(folder))
        on_failure.callback(file.release)
        try:
            connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            on_failure.callback(connection.close)
            _prepare_writer(connection, path)
        except SQLITE_ERRORS as error:
            raise in_words(error, path) from error
        on_failure.pop_all()
    return Writer(connection, lock, file)


def no_run_folder(folder: Path) -> StoreError:
    """That there is no database in `folder`."""
    return StoreError(
        f"{folder} is no run folder: it has no {DATABASE_NAME}; start one with `thalweg run CONFIG`"
    )


def _prepare_writer(connection: sqlite3.Connection, path: Path) -> None:
    begun = check_version(connection) > 0
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if begun:
        check_whole(connection, path)
    else:
        check_remains(path.parent)
    # tables come before the log, so that the file itself is never without them
    migrate(connection)
    mode = "DELETE" if on_network_disk(path.parent) else "WAL"
    try:
        connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    except sqlite3.OperationalError:
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    if missing := what_is_missing(path.parent, connection):
        raise StoreError(missing)


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError where SQLite finds its pages, or an index and its table, not fitting together."""
    verdict = " ".join(connection.execute("PRAGMA integrity_check(1)").fetchone()[0].split())
    if verdict != "ok":
        raise StoreError(
            f"{path}: it is damaged ({verdict}); restore it from a copy, or start in another run folder"
        )
    check_tables(connection)


def connect_reader(folder: Path) -> tuple[sqlite3.Connection, Path | None]:
    """A read-only connection, also while another process writes; and the folder of the private copy, if any.

    A write-ahead log cannot be read in a folder where nothing may be written; then a copy of the database and
    of its log in a temporary folder is opened. What an older Thalweg wrote is brought up to date in memory.
    """
    path = folder / DATABASE_NAME
    check_bare(folder)
    if not path.is_file():
        raise no_run_folder(folder)
    if is_bare(path):
        raise _nothing_yet(folder)
    try:
        return _open_read_only(path, folder), None
    except sqlite3.OperationalError:
        copy = Path(tempfile.mkdtemp(prefix="thalweg-"))
    except SQLITE_ERRORS as error:
        raise in_words(error, path) from error
    try:
        for name in (DATABASE_NAME, DATABASE_NAME + "-wal"):
            if (folder / name).exists():
                shutil.copyfile(folder / name, copy / name)
        return _open_read_only(copy / DATABASE_NAME, folder), copy
    except BaseException as error:
        shutil.rmtree(copy, ignore_errors=True)
        if isinstance(error, SQLITE_ERRORS):
            raise in_words(error, path) from error
        if isinstance(error, OSError):
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
        raise


def _open_read_only(path: Path, folder: Path) -> sqlite3.Connection:
    """`path` is the database that is opened, `folder` where the user knows it."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )
    try:
        if check_version(connection) == 0:
            check_remains(folder)
            raise _nothing_yet(folder)
        check_whole(connection, folder / DATABASE_NAME)
        if version_of(connection) < SCHEMA_VERSION:
            connection = _brought_up_to_date(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _nothing_yet(folder: Path) -> EmptyStoreError:
    return EmptyStoreError(f"{folder} holds nothing yet: its run has just started")


def _brought_up_to_date(old: sqlite3.Connection) -> sqlite3.Connection:
    """A copy in memory in today's schema."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        old.backup(connection)
        migrate(connection)
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    old.close()
    return connection

"""The open database file: one lock for all its names, and whether it still lies where it was opened.

Two folders may hold one file under two names (hard links, as `cp -al` makes them). Each has its own `thalweg.lock`, and
SQLite's write-ahead log goes by the name: two writers would destroy what they share. So the file itself is locked too.

SQLite's own locks are POSIX locks, which a process loses as soon as it closes any descriptor of the file. So the
descriptor here is closed after the connection, and a file that this process holds is never opened a second time.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from thalweg.errors import StoreError
from thalweg.store.lock import LOCK_NAME, flock_patiently, held_by

Identity = tuple[int, int]
"""Device and inode."""

_held_here: dict[Identity, Path] = {}
"""Files that this process has open for writing, and the name that each was opened by."""


def identity_of(path: Path) -> Identity | None:
    """Device and inode of what lies at `path` now; None where there is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class DatabaseFile:
    """The database file, created if need be and locked until `release`.

    Raises
    ------
    StoreError
        It cannot be opened, or a writer has it open by this name or another.
    """

    def __init__(self, path: Path, *, lock: bool = True) -> None:
        self.path = path
        if (known := identity_of(path)) in _held_here:
            raise StoreError(_in_use(path, f"this process, as {_held_here[known]}"))
        self._descriptor = _open(path)
        found = os.fstat(self._descriptor)
        self.identity: Identity = (found.st_dev, found.st_ino)
        if lock:
            self._lock()
        _held_here[self.identity] = path

    def _lock(self) -> None:
        try:
            flock_patiently(self._descriptor)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return  # no locks on this disk: the folder's lock stands alone
            os.close(self._descriptor)
            raise StoreError(_in_use(self.path, _holder(self.identity, self.path.parent))) from error

    def is_in_place(self) -> bool:
        """Whether the file still lies under its name."""
        return identity_of(self.path) == self.identity

    def found_at(self) -> Path | None:
        """Where the file lies now, None where it has no name any more or the system does not tell."""
        try:
            path = Path(f"/proc/self/fd/{self._descriptor}").readlink()
        except OSError:
            return None
        return path if identity_of(path) == self.identity else None

    def release(self) -> None:
        """Let the next one in; to be called when the connection is closed."""
        if self._descriptor >= 0:
            _held_here.pop(self.identity, None)
            os.close(self._descriptor)
            self._descriptor = -1


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(
            f"{path}: it cannot be opened for writing: {error.strerror}; give write permission, or work on a copy"
        ) from error


def process_holding(identity: Identity | None) -> int | None:
    """The process that has this file locked, by the system's table of locks; None if nobody, or if it does not tell.

    The file itself is not opened: closing it again would take SQLite's locks from a connection of this process.
    """
    try:
        rows = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    if identity is None:
        return None
    device, inode = identity
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for row in rows:
        words = row.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == place:
            return int(words[4])
    return None


def _holder(identity: Identity, folder: Path) -> str:
    """Who has the file locked: by the system's table of locks, else by the folder's own lock file."""
    process = process_holding(identity)
    return held_by(folder / LOCK_NAME)[0] if process is None else f"process {process}"


def _in_use(path: Path, who: str) -> str:
    return (
        f"{path} is in use by {who}, perhaps under another name (a hard link, as `cp -al` makes); wait for it, "
        f"or make a separate copy: cp {path.name} copy.db; mv copy.db {path.name}"
    )

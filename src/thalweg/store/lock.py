"""One writer per run folder: an advisory lock that the operating system drops when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from pathlib import Path

from thalweg.errors import StoreError

LOCK_NAME = "thalweg.lock"
_TRIES, _PAUSE = 5, 0.02  # s: `status` holds a lock for less while it looks


class RunLock:
    """The lock on a run folder, held from construction to `release`.

    The file names its holder for the error message only; what counts is `flock`, which ends with the process,
    also on SIGKILL. The file itself stays: removing it would let two processes lock two files of one name.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(
                f"cannot write in the run folder {folder}: {error.strerror}. "
                "Give write permission, or choose another folder with --run"
            ) from error
        try:
            flock_patiently(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise StoreError(_held(folder, path)) from error
            raise StoreError(
                f"the disk under {folder} does not support file locks ({error.strerror}); "
                "choose a run folder on a local disk"
            ) from error
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(holder).encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, only its holder's name is missing

    def release(self) -> None:
        """Let the next one in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def flock_patiently(descriptor: int) -> None:
    """Lock for writing, or OSError when another holds it for longer than somebody who only looks (`status`)."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            time.sleep(_PAUSE)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def held_by(path: Path) -> tuple[str, str]:
    """Who holds the lock by its own words, and what to do about it."""
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']} on {holder['host']} (since {holder['since']})"
        return who, f"wait for it, or stop it with `kill {holder['pid']}` on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process", "wait for it or stop it"


def _held(folder: Path, path: Path) -> str:
    who, cure = held_by(path)
    return (
        f"the run folder {folder} is in use by {who}; {cure}. "
        "`thalweg status` and `thalweg report` work meanwhile; another run needs another folder"
    )

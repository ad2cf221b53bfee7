"""Scratch folders of calls on this machine: one per call, removed afterwards; some files of failed calls are kept."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from thalweg.errors import SetupError
from thalweg.interrupts import held

KEPT = "failed"
"""Folder of a run in which the files of failed calls are kept."""
MEGABYTE = 1_000_000


class Scratch:
    """Scratch folders of one run.

    Parameters
    ----------
    run : Path
        The run's folder. Scratch of a run that was killed is found by it and removed.
    keep : float, MB
        Most that is kept of failed calls, all together.
    place : Path or None
        Where the folders are made; None: the system's temporary folder.
    """

    def __init__(self, run: Path, *, keep: float = 0.0, place: Path | None = None) -> None:
        name = hashlib.sha256(os.fsencode(run.resolve())).hexdigest()[:12]
        self._root = (place or Path(tempfile.gettempdir())).resolve() / f"thalweg-{os.getuid()}-{name}"
        self._kept = run / KEPT
        self._left = int(keep * MEGABYTE) - _size(self._kept)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.clear()

    def fresh(self) -> Path:
        """A new empty folder."""
        try:
            with self._lock:
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                status = self._root.lstat()
                if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                    raise FileExistsError(0, "it belongs to somebody else")
                folder = self._root / str(next(self._numbers))
                folder.mkdir(mode=0o700)
        except OSError as error:
            raise SetupError(
                f"cannot make a scratch folder for an oracle call in {self._root.parent}: {error.strerror}; "
                "free some space, or set TMPDIR or executor.scratch to a folder that you may write to"
            ) from error
        return folder

    def release(self, folder: Path, *, failed: str = "") -> None:
        """Remove a call's folder; what fits of it is kept under the name `failed`, if one is given."""
        if failed and self._left > 0:
            with suppress(OSError):
                self._keep(folder, self._kept / failed)
        shutil.rmtree(folder, ignore_errors=True)
        with self._lock, suppress(OSError):  # others are in it
            self._root.rmdir()

    def _keep(self, folder: Path, place: Path) -> None:
        """Copy small files first: inputs, outputs and logs before wave functions."""
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        for path in sorted(files, key=lambda path: path.stat().st_size):
            size = path.stat().st_size
            if size > self._left:
                return
            copy = place / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            self._left -= size

    def clear(self) -> None:
        """Remove everything but what is kept."""
        with held():
            if self._root.is_dir() and not self._root.is_symlink():
                shutil.rmtree(self._root, ignore_errors=True)


def _size(folder: Path) -> int:
    with suppress(OSError):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return 0

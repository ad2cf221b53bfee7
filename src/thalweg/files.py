"""Files that are whole or as they were: written beside their final name and moved into place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.errors import SetupError, StoreError


@contextmanager
def moved_into_place(path: Path) -> Iterator[Path]:
    """A name in a fresh folder beside `path`; what is there at the end of the block replaces `path`.

    Raises
    ------
    SetupError
        The file cannot be written; what was there before is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".thalweg-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            yield draft
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(path)
    except OSError as error:
        raise SetupError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another --output"
        ) from error


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text`: a reader sees the old file or the new one, never a half.

    Raises
    ------
    StoreError
        The folder is read-only or the disk is full; the old file is untouched.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            # a path in it need not be text: its bytes are written as escapes
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp keeps files to their owner; colleagues may read results as they read any other file
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}; free some space or make the folder writable, then run "
            "the same command again: nothing is lost"
        ) from error

"""Growing files that can be cut back to their length when the restart was written."""

from __future__ import annotations

import os
from pathlib import Path

from thalweg.errors import StoreError


def check_reaches(path: Path, size: int) -> None:
    """Raise StoreError where the file has fewer than `size` bytes: somebody changed it."""
    found = path.stat().st_size if path.exists() else 0
    if found < size:
        raise StoreError(
            f"{path}: {found} bytes, but the restart file says {size}; the file has changed since. "
            "Restore it, or start again in another folder"
        )


class GrowingFile:
    """A new file, or one of which `size` bytes are kept; StoreError where it has fewer."""

    def __init__(self, path: Path, size: int | None) -> None:
        if size is not None:
            check_reaches(path, size)
        self._file = path.open("wb" if size is None else "r+b")
        if size is not None:
            self._file.truncate(size)
            self._file.seek(size)

    def write(self, text: str) -> None:
        """Append."""
        self._file.write(text.encode())

    def mark(self) -> int:
        """Bytes, after they are safe on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """No more."""
        self._file.close()

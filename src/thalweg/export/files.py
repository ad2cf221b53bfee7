"""Files that are whole or not there: written beside their final name and moved into place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.errors import SetupError


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
            f"cannot write {path}: {error.strerror or error}. Free some space or choose another --output"
        ) from error

"""What a run leaves in its folder beside the database: proof that labels were made, also where the database is gone.

A run that starts over pays again for every label. So a folder whose database is missing, empty, or holds less than its
own summary counts, is not started over unless the user asks for it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

from thalweg.errors import StoreError

DATABASE_NAME = "thalweg.db"
_SUMMARY, _LOG, _MODEL = "summary.json", "thalweg.log", "model/potential.json"
_SPOKEN = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE)
"""A line of the conversation. Nothing is said before the tables are made; a defect's traceback begins otherwise."""
_LOOKED_AT = 65_536  # characters of the log


def is_bare(path: Path) -> bool:
    """Whether there is no database file, or one without a byte."""
    try:
        return path.stat().st_size == 0
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # opening it says why it cannot be seen


def check_bare(folder: Path) -> None:
    """Raises StoreError where there is no database in `folder`, or an empty one, and remains of a run."""
    path = folder / DATABASE_NAME
    if is_bare(path):
        log = folder / f"{DATABASE_NAME}-wal"
        check_remains(folder, [log.name] if log.is_file() and log.stat().st_size else [])


def check_remains(folder: Path, others: list[str] | None = None) -> None:
    """Raises StoreError where remains of a run lie in `folder`; to be called where its database holds nothing."""
    found = [*(others or []), *_remains(folder)]
    if not found:
        return
    path, names = folder / DATABASE_NAME, ", ".join(found)
    state = "holds nothing" if path.exists() else "is missing"
    raise StoreError(
        f"{path} {state}, but this folder has held a run ({names}); its labels would have to be computed "
        f"again. Restore {DATABASE_NAME} from a copy, with {DATABASE_NAME}-wal if there is one; or choose another "
        f"folder with --run; or remove {names} to start over on purpose"
    )


def what_is_missing(folder: Path, connection: sqlite3.Connection) -> str:
    """What to say where the database holds fewer labels than the run's own summary tells of; nothing where not."""
    told, teller = _labels_told(folder), _SUMMARY
    if not told and (folder / _MODEL).is_file():
        told, teller = 1, _MODEL
    tables = ("labels", "withdrawals WHERE label_id IS NOT NULL")
    held = sum(int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in tables)
    if held >= told:
        return ""
    return (
        f"{folder / DATABASE_NAME} holds {held} labels, but {teller} counts {told}: it is an old copy, or was "
        f"copied without its {DATABASE_NAME}-wal. Restore both files from where they came; or remove {teller} "
        "to continue with what is there"
    )


def _remains(folder: Path) -> list[str]:
    found = [_SUMMARY] if _labels_told(folder) else []
    found += [_MODEL] if (folder / _MODEL).is_file() else []
    return found + ([_LOG] if _has_spoken(folder / _LOG) else [])


def _labels_told(folder: Path) -> int:
    """The number of labels in the summary; 0 without one that can be read."""
    try:
        count = json.loads((folder / _SUMMARY).read_text(encoding="utf-8")).get("n_labels", 0)
    except (OSError, ValueError, AttributeError):
        return 0
    return count if isinstance(count, int) else 0


def _has_spoken(log: Path) -> bool:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return _SPOKEN.search(file.read(_LOOKED_AT)) is not None
    except OSError:
        return False

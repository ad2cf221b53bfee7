"""`report.html` of a run folder."""

from __future__ import annotations

from pathlib import Path

from thalweg.files import write_atomically
from thalweg.report.collect import collect
from thalweg.report.html import page
from thalweg.store import SqliteStore

REPORT_NAME = "report.html"


def write_report(folder: Path) -> Path:
    """Write the report of the run in `folder`, finished or not, and return its path.

    The file is replaced atomically, and the run is only read, so that this may be called while it goes on.

    Raises
    ------
    StoreError
        `folder` is no run folder, it is damaged, or nothing may be written in it.
    """
    with SqliteStore.read(folder) as store:
        text = page(collect(store, folder))
    path = folder / REPORT_NAME
    write_atomically(path, text)
    return path

"""`thalweg report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
) -> None:
    """Write the run's report: one HTML page that opens offline.

    Learning curve, every query with its reason and its true error (eV/Å), calibration, audit, cost, and the
    most uncertain structures in 3D. Works during a run, too. Prints the page's path.

    Example: thalweg report runs/malonaldehyde
    """
    from thalweg.cli.output import run_folder
    from thalweg.report import write_report

    typer.echo(write_report(run_folder(folder)))

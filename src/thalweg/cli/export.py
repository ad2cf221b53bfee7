"""`thalweg export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What a run's labels can be written as."""

    EXTXYZ = "extxyz"
    ASE_DB = "ase-db"


_SUFFIX = {Format.EXTXYZ: ".extxyz", Format.ASE_DB: ".db"}


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")],
    format_: Annotated[Format, typer.Option("--format", "-f", help="File format.")] = Format.EXTXYZ,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. [default: labels.* in the run's folder]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write the labels of a run for other tools: extended XYZ or an ASE database.

    Energies in eV, forces in eV/Å, stress in eV/Å³ with ASE's sign and Voigt order.

    Example: thalweg export runs/malonaldehyde --format extxyz --output labels.extxyz
    """
    from thalweg.cli.output import run_folder
    from thalweg.errors import InputError
    from thalweg.export.datasets import export_ase_db, export_extxyz
    from thalweg.store import SqliteStore

    target = output or run_folder(folder) / f"labels{_SUFFIX[format_]}"
    if target.exists() and not force:
        raise InputError(f"{target}: already there; --force overwrites it, --output names another file")
    write = export_extxyz if format_ is Format.EXTXYZ else export_ase_db
    with SqliteStore.read(run_folder(folder)) as store:
        count = write(store, target)
    typer.echo(f"wrote {count} labelled structures to {target}")

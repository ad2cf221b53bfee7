"""`thalweg export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from thalweg.structure import Structure

_MODEL = "potential.json"
_CHECKED, _LARGEST = 4, 200  # labelled structures that an exported potential is tried on, and their atoms


class Format(StrEnum):
    """What a run is written as: its labels, or its potential."""

    EXTXYZ = "extxyz"
    ASE_DB = "ase-db"
    STORE = "store"
    LAMMPS = "lammps"
    PLUGIN = "plugin"


_NAMES = {
    Format.EXTXYZ: "labels.extxyz",
    Format.ASE_DB: "labels.db",
    Format.STORE: "thalweg-copy.db",
    Format.LAMMPS: "potential.yace",
    Format.PLUGIN: "potential.thalweg",
}


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or a saved potential to export.")
    ],
    format_: Annotated[Format, typer.Option("--format", "-f", help="File format.")] = Format.EXTXYZ,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write. [default: labels.* or potential.* in the folder]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a run's labels or its potential for other tools.

    Labels: extended XYZ or an ASE database; energies in eV, forces in eV/Å, stress in eV/Å³ with ASE's sign
    and Voigt order. `store` is a self-contained copy of thalweg.db, also during a run.
    Potential: `lammps` writes a .yace file for LAMMPS with ML-PACE and the commands to paste,
    checks what was written against the potential (in LAMMPS too where one is found: `lmp` or $THALWEG_LMP)
    and prints the largest relative deviations; `plugin` writes the one file that `pair_style thalweg` reads,
    uncertainty included.

    Example: thalweg export runs/malonaldehyde --format lammps --output malonaldehyde.yace
    """
    potentials = {Format.LAMMPS: _export_lammps, Format.PLUGIN: _export_plugin}
    potentials.get(format_, _export_labels)(folder, format_, output, force)


def _export_labels(folder: Path, format_: Format, output: Path | None, force: bool) -> None:
    from thalweg.cli.output import run_folder, say
    from thalweg.errors import InputError
    from thalweg.export.datasets import export_ase_db, export_extxyz
    from thalweg.store import SqliteStore

    if (folder / _MODEL).is_file():
        raise InputError(
            f"{folder}: a saved potential holds no labels; --format {format_} needs a run's folder"
        )
    run = run_folder(folder)
    target = _target(run, format_, output, force)
    write = export_extxyz if format_ is Format.EXTXYZ else export_ase_db
    with SqliteStore.read(run) as store:
        if format_ is Format.STORE:
            store.copy_to(target)
            typer.echo(
                f"wrote {target}: put into a folder of its own as thalweg.db, a run can continue from it"
            )
            return
        count = write(store, target)
        say(store.notices)
    typer.echo(f"wrote {count} labelled structures to {target}")


def _export_lammps(folder: Path, format_: Format, output: Path | None, force: bool) -> None:
    from thalweg.export.check.lammps import NOT_FOUND
    from thalweg.export.lammps import export_lammps
    from thalweg.potential import Potential

    model, structures = _model_of(folder)
    target = _target(folder, format_, output, force)
    written = export_lammps(Potential.load(model), target, structures=structures)
    typer.echo(f"wrote {written.potential} and {written.commands}")
    typer.echo(f"largest relative deviations from the potential over {written.n_structures} structures:")
    typer.echo(f"  files read back: {written.reading}")
    if written.lammps is None:
        typer.echo(f"  {NOT_FOUND}: not checked there")
    else:
        typer.echo(f"  LAMMPS ({written.version}): {written.lammps}")
    typer.echo("commands for LAMMPS, after `units metal` and the box:")
    typer.echo(written.commands.read_text(encoding="utf-8"), nl=False)


def _export_plugin(folder: Path, format_: Format, output: Path | None, force: bool) -> None:
    from thalweg.export.plugin import export_plugin
    from thalweg.potential import Potential

    model, _ = _model_of(folder)
    target = _target(folder, format_, output, force)
    potential = Potential.load(model)
    export_plugin(potential, target)
    typer.echo(f"wrote {target}")
    typer.echo("commands for LAMMPS, after `units metal` and the box, the plug-in loaded:")
    typer.echo("pair_style thalweg")
    typer.echo(f"pair_coeff * * {target.name} {' '.join(potential.elements)}")


def _target(folder: Path, format_: Format, output: Path | None, force: bool) -> Path:
    """The file to write."""
    from thalweg.cli.output import check_output

    target = output or folder / _NAMES[format_]
    for file in [target, target.with_suffix(".in")] if format_ is Format.LAMMPS else [target]:
        check_output(file, force)
    return target


def _model_of(folder: Path) -> tuple[Path, list[Structure]]:
    """The folder of the potential of a run or model folder, and some of the structures it learned from."""
    from thalweg.cli.output import run_folder
    from thalweg.errors import InputError
    from thalweg.store import SqliteStore

    if (folder / _MODEL).is_file():
        return folder, []
    run = run_folder(folder)
    if not (run / "model" / _MODEL).is_file():
        raise InputError(f"{run}: this run has no potential yet; continue it with `thalweg run`")
    with SqliteStore.read(run) as store:
        structures = [r.structure for r in store.all_labels() if len(r.structure) <= _LARGEST]
    step = max(1, -(-len(structures) // _CHECKED))
    return run / "model", structures[::step]

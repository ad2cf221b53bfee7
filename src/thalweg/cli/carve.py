"""`thalweg carve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from thalweg.carving import Cell
    from thalweg.potential import Potential
    from thalweg.store import Scored

WORSE = 1.05
"""Boundary's uncertainty over the target's from which a word is said about it."""


def carve(
    file: Annotated[
        Path, typer.Argument(help="A large structure, such as halted.extxyz; the last one in the file.")
    ],
    model: Annotated[Path, typer.Option("--model", "-m", help="A run folder or a saved potential.")],
    atom: Annotated[
        str,
        typer.Option(
            "--atom", "-a", help="The uncertain atom, from 0; auto: as FILE says, or the largest bound."
        ),
    ] = "auto",
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", "-n", min=1, help="Most atoms that the oracle can afford.")
    ] = 100,
    cells: Annotated[
        int, typer.Option("--cells", min=1, help="Most cells; each further one covers another atom.")
    ] = 1,
    above: Annotated[
        float | None,
        typer.Option(
            "--above", min=0, help="Bound in eV/Å of atoms worth a cell. [default: half of the largest]"
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("cell.extxyz"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Cut an uncertain atom out of a large structure, as a small cell that the oracle can afford.

    The uncertain atom keeps its whole environment within the potential's cutoff. If there is room, the
    atoms beside it keep theirs. A crystal is cut along its own lattice; anything else becomes a compact periodic
    cell of the same density with whole molecules. The new boundary is then relaxed until it is no more uncertain
    than the atom in question. Bounds in eV/Å, lengths in Å.

    Example: thalweg carve halted.extxyz --model runs/silicon/model --max-atoms 100 -o cell.extxyz
    """
    from thalweg.cli.output import check_output, model_folder, print_json
    from thalweg.potential import Potential
    from thalweg.store import place_of, read_scored
    from thalweg.structure import check_divisible

    check_output(output, force)
    frames = read_scored(file)
    large = frames[-1]
    potential = Potential.load(model_folder(model))
    potential.check_elements(large.structure, str(file))
    check_divisible(large.structure, place_of(file, len(frames)))
    cut = _cut(large, potential, atom, max_atoms, cells, above)
    _write(cut, large, file, output)
    if json_:
        print_json({"file": str(output), "cells": [cell.to_json() for cell in cut]})
        return
    for cell in cut:
        typer.echo(_line(cell))
    typer.echo(f"wrote {output}; hand it to a run: thalweg queue RUN {output}")


def _cut(
    large: Scored, potential: Potential, atom: str, max_atoms: int, cells: int, above: float | None
) -> list[Cell]:
    from thalweg.carving import carve as carve_one
    from thalweg.carving import carve_uncertain
    from thalweg.errors import InputError

    if atom != "auto":
        if not atom.isdecimal():
            raise InputError(f"--atom: expected the number of an atom, counted from 0, or auto, got {atom!r}")
        return [carve_one(large.structure, potential, int(atom), max_atoms=max_atoms)]
    return carve_uncertain(
        large.structure,
        potential,
        bound=large.bound,
        first=large.atom if above is None else None,
        above=above,
        max_atoms=max_atoms,
        n_cells=cells,
    )


def _why(cell: Cell, large: Scored) -> str:
    """The reason that the file gives for this atom, or its bound, as the file has it."""
    if cell.atom == large.atom and "why" in large.info:
        return str(large.info["why"])
    bound = cell.bound_before if large.bound is None else float(large.bound[cell.atom])
    return f"{cell.name} uncertain, {bound:.2f} eV/Å"


def _write(cut: list[Cell], large: Scored, file: Path, output: Path) -> None:
    import ase.io

    from thalweg.files import moved_into_place

    frames: list[Any] = []
    for cell in cut:
        atoms = cell.structure.to_atoms()
        atoms.arrays["bound"] = cell.bound
        if cell.novelty is not None:
            atoms.arrays["novelty"] = cell.novelty
        atoms.arrays["parent"] = cell.parent
        atoms.arrays["change"] = cell.change
        atoms.info |= {"source": file.name, "why": _why(cell, large), "target": cell.target}
        frames.append(atoms)
    with moved_into_place(output) as draft, draft.open("w", encoding="utf-8") as stream:
        ase.io.write(stream, frames, format="extxyz")


def _line(cell: Cell) -> str:
    """One cell in words."""
    formula = cell.structure.to_atoms().get_chemical_formula()
    how = {"whole": "the whole structure", "crystal": "cut along the crystal's lattice"}
    how |= {"packed": "cut to a compact periodic cell", "cluster": "cut to a cluster"}
    kept = "its environment kept"
    if cell.target_change > 0:
        kept = (
            f"its environment NOT kept (features off by {100 * cell.target_change:.2g} %): allow more atoms"
        )
    boundary = f"boundary at {100 * cell.excess:.0f} % of its uncertainty"
    if cell.excess > WORSE:
        boundary += " (more uncertain than the atom itself: a larger cell may help)"
    text = f"{cell.name}, {cell.bound_before:.2f} eV/Å: {formula}, {len(cell.structure)} atoms, {how[str(cell.kind)]}"
    return f"{text}; {kept}" + ("" if cell.kind == "whole" else f"; {boundary}")

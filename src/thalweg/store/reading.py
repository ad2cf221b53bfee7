"""Structures from files, each checked before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.border import check_input
from thalweg.errors import InputError
from thalweg.sites import check_sites
from thalweg.store.frames import read_atoms
from thalweg.structure import FloatArray, Structure
from thalweg.structure.naming import column, plain_name
from thalweg.units import fs

VELOCITIES, UNCLEAR_VELOCITIES = ("vel", "velo"), ("velocities", "velocity", "v")
"""Names of columns of extended XYZ, whatever their case: of velocities in Å/fs, and in an unknown unit."""
FASTEST = 20.0
"""Å per ASE time unit, 2 Å/fs; hydrogen at 10,000 K has 0.16."""


def read_structures(path: str | Path) -> list[Structure]:
    """Read every structure in a file of any format that ASE reads, also compressed (.xz, .gz, .bz2).

    Raises
    ------
    InputError
        The file is missing, unreadable or empty, or a structure is not usable (`thalweg.border.check_input`).
    """
    path = Path(path)
    return [structure_of(atoms, place_of(path, n)) for n, atoms in enumerate(read_atoms(path), start=1)]


def place_of(path: Path, number: int) -> str:
    """What messages call a structure of a file; counted from 1."""
    return f"{path}, structure {number}"


def structure_of(atoms: Any, where: str) -> Structure:
    """The structure of ASE's atoms, checked; `where` names it in messages."""
    check_sites(atoms, where)
    try:
        structure = Structure.from_atoms(atoms)
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix('structure: ')}") from error
    return check_input(structure, where)


def read_moving(path: str | Path) -> tuple[Structure, FloatArray | None]:
    """The last structure of a file and its velocities (Å per ASE time unit), None where the file has none.

    Raises
    ------
    InputError
        As `read_structures`; velocities that are not finite, or beyond any atom's.
    """
    path = Path(path)
    frames = read_atoms(path)
    atoms, where = frames[-1], place_of(path, len(frames))
    structure = structure_of(atoms, where)
    velocities = _velocities(atoms, where)
    if velocities is None:
        return structure, None
    if velocities.shape != structure.positions.shape or not np.isfinite(velocities).all():
        raise InputError(f"{where}: its velocities hold NaN or infinity, or are not three for each atom")
    fastest = float(np.abs(velocities).max())
    if fastest > FASTEST:
        raise InputError(
            f"{where}: its atom {int(np.abs(velocities).max(axis=1).argmax())} (counted from 0) moves by {fastest:.3g} "
            f"Å in ASE's unit of time (10.18 fs), expected at most {FASTEST:g}; use velocities from before that"
        )
    if structure.fixed is not None:
        velocities[structure.fixed] = 0.0
    return structure, velocities


def has_velocities(atoms: Any) -> bool:
    """Whether a file has velocities that are not all zero."""
    known = (column(atoms, (name,)) for name in ("momenta", *VELOCITIES))
    unclear = atoms.arrays.get(_unclear(atoms))
    return any(values is not None and np.any(values) for values in (*known, unclear))


def _unclear(atoms: Any) -> str | None:
    """The name of a column of three numbers for each atom that may be velocities in more than one unit."""
    return next(
        (
            name
            for name, values in atoms.arrays.items()
            if plain_name(name) in UNCLEAR_VELOCITIES and values.shape == (len(atoms), 3)
        ),
        None,
    )


def _velocities(atoms: Any, where: str) -> FloatArray | None:
    """ASE's momenta, or a column of velocities in Å/fs as GPUMD and QUIP write it."""
    known = column(atoms, VELOCITIES)
    try:
        if atoms.has("momenta"):
            return np.array(atoms.get_velocities(), dtype=np.float64)
        if known is not None:
            return np.array(known, dtype=np.float64) / fs
    except (ValueError, TypeError):
        raise InputError(f"{where}: its momenta are not numbers; expected three for each atom") from None
    unclear = _unclear(atoms)
    if unclear is not None:
        raise InputError(
            f"{where}: its column {unclear!r} is in Å/fs to some programs, in ASE's unit to others; call it vel where "
            "it is in Å/fs, or have ASE write momenta, or take it out: velocities are then drawn"
        )
    return None


@dataclass(frozen=True, eq=False)
class Scored:
    """A structure with what a file says of its atoms.

    `bound` float64 (n_atoms,), eV/Å, and `novelty` float64 (n_atoms,) are None where the file has no such columns;
    `info` is what stands in its comment line.
    """

    structure: Structure
    bound: FloatArray | None
    novelty: FloatArray | None
    info: dict[str, Any]

    @property
    def atom(self) -> int | None:
        """The atom in question, where the file names one: `target` of a carved cell, `atom` of halted dynamics."""
        for name in ("target", "atom"):
            value = self.info.get(name)
            if isinstance(value, int | np.integer) and 0 <= int(value) < len(self.structure):
                return int(value)
        return None


def read_scored(path: str | Path) -> list[Scored]:
    """Every structure in a file, with its columns `bound` and `novelty` where there are such.

    Raises
    ------
    InputError
        As `read_structures`, and where such a column does not hold a number for each atom.
    """
    path = Path(path)
    scored = []
    for n, atoms in enumerate(read_atoms(path), start=1):
        structure = structure_of(atoms, place_of(path, n))
        try:
            bound, novelty = (_column(atoms, name) for name in ("bound", "novelty"))
        except InputError as error:
            raise InputError(f"{place_of(path, n)}: {error}") from error
        scored.append(Scored(structure, bound, novelty, dict(atoms.info)))
    return scored


def _column(atoms: Any, name: str) -> FloatArray | None:
    values = atoms.arrays.get(name)
    if values is None:
        return None
    if values.ndim != 1 or values.dtype.kind not in "fiu" or np.isnan(values).any():
        raise InputError(f"its column {name!r} must hold one number for each atom")
    return np.asarray(values, dtype=np.float64)

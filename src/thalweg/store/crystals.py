"""Cells and sites of files, before structures are made of them: very skewed cells, alternatives of a disorder."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from thalweg.errors import InputError, InputWarning
from thalweg.reducing import reduce_atoms

_MOST_SHOWN = 4
_NO_GROUP = {"", ".", "?", "0"}


def check_disorder(path: Path, text: TextIO) -> None:
    """Raise InputError where a CIF lists the alternatives of a disorder, which ASE would all put into one structure."""
    from ase.io.cif import parse_cif

    for number, block in enumerate(parse_cif(text), start=1):
        groups = block.get("_atom_site_disorder_group")
        if groups is None:
            continue
        names = [str(group).strip() for group in (groups if isinstance(groups, list) else [groups])]
        found = sorted(set(names) - _NO_GROUP)
        if len(found) > 1 or any(name.startswith("-") for name in found):
            labels = block.get("_atom_site_label") or [f"site {k}" for k in range(1, len(names) + 1)]
            sites = [
                f"{label} ({name})"
                for label, name in zip(labels, names, strict=False)
                if name not in _NO_GROUP
            ]
            more = ", ..." if len(sites) > _MOST_SHOWN else ""
            raise InputError(
                f"{path}, structure {number}: it lists alternatives of a disorder (_atom_site_disorder_group) which "
                f"cannot be there at once: {', '.join(sites[:_MOST_SHOWN])}{more}; keep one group of each, at "
                "occupancy 1"
            )


def reduce_cells(path: Path, frames: Sequence[Any]) -> None:
    """Give very skewed cells the shortest vectors of their lattice, in place, and say so in one line.

    Raises
    ------
    InputError
        Of such a cell, an atom that may move along some of the old vectors only.
    """
    reduced = []
    for number, atoms in enumerate(frames, start=1):
        if reduce_atoms(atoms):
            reduced.append(number)
            _check_free_axes(atoms, f"{path}, structure {number}")
    if reduced:
        words = f"structure {reduced[0]}" + (f" and {len(reduced) - 1} more" if len(reduced) > 1 else "")
        warnings.warn(
            f"{path}: very skewed cells ({words}) are replaced by the shortest vectors of the same lattice, and atoms "
            "are wrapped into them; energies, forces, stress and axes stay as they are",
            InputWarning,
            stacklevel=2,
        )


def _check_free_axes(atoms: Any, where: str) -> None:
    for constraint in atoms.constraints:
        mask = np.asarray(getattr(constraint, "mask", True), dtype=bool)
        if type(constraint).__name__ == "FixScaled" and mask.any() and not mask.all():
            raise InputError(
                f"{where}: its cell is very skewed and must be reduced, but some atoms may move along some of its "
                "vectors only (selective dynamics); write the structure in a less skewed cell of the same lattice"
            )

"""Sites that are not one atom of one element: partly occupied, shared, or dummies.

A potential and an oracle need whole atoms. ASE keeps what a file says of occupancies and otherwise reads one atom of
one element into each site, so an alloy or a disordered crystal would become another material without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.errors import InputError

WHOLE = 1e-3
"""An occupancy nearer to 1 than this is 1."""
_MOST_SHOWN = 4
_CURE = (
    "choose which atom stands where: write one ordered structure (a supercell where the ratio needs one; supercell or "
    "icet make them), with every occupancy 1, or without `occupancy` where that is left from another file"
)


def check_sites(atoms: Any, where: str) -> None:
    """Raise InputError where atoms that ASE has read stand for a part of an atom, a mixture, or for nothing.

    Parameters
    ----------
    atoms : ase.Atoms
    where : how the message begins: the file, and which of its structures
    """
    partial = [*_of_kinds(atoms), *_of_atoms(atoms)]
    if partial:
        more = f" and {len(partial) - _MOST_SHOWN} more" if len(partial) > _MOST_SHOWN else ""
        raise InputError(
            f"{where}: it has sites that are not one whole atom: {'; '.join(partial[:_MOST_SHOWN])}{more}; {_CURE}"
        )
    dummies = np.flatnonzero(atoms.numbers == 0)
    if len(dummies):
        count = f"{len(dummies)} of its atoms are" if len(dummies) > 1 else "one of its atoms is"
        raise InputError(
            f"{where}: {count} not of a chemical element (X, a dummy or a vacancy): atom {int(dummies[0])} (counted "
            "from 0); remove it, or put a chemical symbol such as Si in its place"
        )


def _of_kinds(atoms: Any) -> list[str]:
    """What `info['occupancy']` says, as ASE reads it from CIF: of each kind of site, its elements and their shares."""
    kinds = atoms.info.get("occupancy")
    if not isinstance(kinds, Mapping):
        return []
    column = atoms.arrays.get("spacegroup_kinds", ())
    atom_of = {str(kind): f"atom {n} (counted from 0)" for n, kind in reversed(list(enumerate(column)))}
    found = []
    for kind, value in kinds.items():
        shares = _shares(value)
        is_whole = len(shares) <= 1 and all(abs(share - 1.0) <= WHOLE for share in shares.values())
        if not is_whole and (str(kind) in atom_of or not len(column)):
            words = ", ".join(f"{symbol} {share:g}" for symbol, share in shares.items())
            found.append(f"{atom_of.get(str(kind), 'one')} {words}")
    return found


def _shares(kind: Any) -> dict[str, float]:
    """Elements of a site with their shares; one that is not given (`.` or `?` in CIF) is 1."""
    if not isinstance(kind, Mapping):
        return {}
    return {str(symbol): _share(value) for symbol, value in kind.items()}


def _share(value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        return 1.0
    return share if np.isfinite(share) else 1.0


def _of_atoms(atoms: Any) -> list[str]:
    """What a column of occupancies says, as in PDB; all zeros are what some programs write who have none."""
    for name in ("occupancy", "occupancies"):
        column = atoms.arrays.get(name)
        if column is None or column.ndim != 1 or column.dtype.kind not in "fiu" or not column.any():
            continue
        partial = np.flatnonzero(np.abs(column - 1.0) > WHOLE)
        return [
            f"atom {int(atom)} (counted from 0) {atoms.symbols[int(atom)]} {column[atom]:g}"
            for atom in partial
            if np.isfinite(column[atom])
        ]
    return []

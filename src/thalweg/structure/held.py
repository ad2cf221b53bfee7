"""Held atoms: ASE's constraints of single atoms, and columns of files that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.constraints import FixAtoms, FixCartesian, FixScaled

from thalweg.errors import InputError
from thalweg.structure.arrays import BoolArray, FloatArray
from thalweg.structure.naming import HELD, MOVABLE, column

if TYPE_CHECKING:
    import ase

_AXES_ALONG = 1e-8


def constraints_of(fixed: BoolArray) -> list[Any]:
    """ASE's constraints: one for the atoms that stand still, and one for each way in which others are held."""
    found: list[Any] = []
    for mask in np.unique(fixed, axis=0):
        atoms = np.flatnonzero((fixed == mask).all(axis=1))
        if mask.all():
            found.append(FixAtoms(atoms))
        elif mask.any():
            found.append(FixCartesian(atoms, mask=mask))
    return found


def fixed_of(atoms: ase.Atoms) -> BoolArray | None:
    """Cartesian components (n_atoms, 3) that do not move. InputError for constraints that are of more than one atom."""
    fixed = _fixed_by_columns(atoms)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.index] = True
        elif isinstance(constraint, FixCartesian):
            fixed[constraint.index] |= np.asarray(constraint.mask, dtype=np.bool_)
        elif isinstance(constraint, FixScaled):
            fixed[constraint.index] |= _fixed_axes(constraint, np.array(atoms.cell))
        else:
            raise InputError(
                f"structure: it has the constraint {type(constraint).__name__}; atoms can be held as a whole or along "
                "x, y and z (FixAtoms, FixCartesian, move_mask, selective dynamics). Take the other constraint out"
            )
    return fixed


def _fixed_by_columns(atoms: ase.Atoms) -> BoolArray:
    """Columns that hold atoms, other than the `move_mask` that ASE knows: true or 1 in `fixed`, 0 in `movable`."""
    fixed = np.zeros((len(atoms), 3), dtype=np.bool_)
    for names, held in ((HELD, 1), (MOVABLE, 0)):
        values = column(atoms, names)
        if values is None:
            continue
        array = np.asarray(values)
        if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
            raise InputError(
                f"structure: its column {names[0]!r} holds other values than 0 and 1 (or F and T); call it "
                "otherwise, or write a column move_mask:L:1 or move_mask:L:3, with F for what is held"
            )
        fixed |= (array == held).reshape(len(atoms), -1)
    return fixed


def _fixed_axes(constraint: FixScaled, cell: FloatArray) -> BoolArray:
    """Cartesian components of a mask along cell vectors; InputError where these do not lie along x, y and z."""
    mask = np.asarray(constraint.mask, dtype=np.bool_)
    if mask.all() or not mask.any():
        return mask
    along = np.abs(cell) > _AXES_ALONG * np.abs(cell).max()
    if not ((along.sum(axis=0) == 1).all() and (along.sum(axis=1) == 1).all()):
        raise InputError(
            "structure: it holds an atom along some of the cell vectors (selective dynamics), and these do not lie "
            "along x, y and z; hold the atom along all three (F F F), or take a cell whose vectors lie along the axes"
        )
    return np.asarray(along[mask].any(axis=0))

"""The least skewed cell of a lattice: other sums of the same vectors, which neither turns nor strains anything.

In a very skewed cell every neighbour list counts thousands of images, and lengths lose their digits. Energies, forces
and stress are those of the lattice: they do not depend on the vectors that describe it, as long as the axes x, y and z
stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.structure import BoolArray, FloatArray

if TYPE_CHECKING:
    import ase

LOWEST = 0.5
"""A cell is reduced where its faces are nearer to each other than this share of the reduced cell's: conventional and
primitive cells of all Bravais lattices stay as they are."""
ROUNDING = 1e-9
"""Of fractions of the cell: an atom on its edge stays where it is."""
LONGEST = 1e8
"""Å. What is longer is no cell."""
MOST_SUMMED = 1_000_000
"""Of one vector; beyond it, too few digits are left of the lattice."""


def least_skewed(cell: FloatArray, pbc: BoolArray) -> FloatArray | None:
    """A Minkowski-reduced cell (3, 3), Å, of the same lattice and handedness; None where the cell need not be reduced.

    Rows of periodic directions become sums of such rows with whole coefficients, those of other directions stay.
    None also where the cell is none: not finite, or its periodic vectors linearly dependent.

    References
    ----------
    P. Q. Nguyen, D. Stehlé, ACM Trans. Algorithms 5(4), 46 (2009), as in `ase.geometry.minkowski_reduce`.
    """
    from ase.geometry import minkowski_reduce

    if pbc.sum() < 2 or not np.abs(cell).max() < LONGEST:  # NaN fails, too
        return None
    lowest, size = _lowest(cell[pbc])
    # By Hadamard's inequality, of the dual vectors, no cell is higher than `size`.
    if not 0.0 < lowest < LOWEST * size:
        return None
    try:
        _, sums = minkowski_reduce(cell, pbc)
    except (RuntimeError, ArithmeticError, ValueError, np.linalg.LinAlgError):
        return None  # numbers beyond its arithmetic; the border has its words for such a cell
    short: FloatArray = np.asarray(sums, dtype=np.float64) @ cell
    is_lower = lowest < LOWEST * _lowest(short[pbc])[0]
    return short if is_lower and np.abs(sums).max() <= MOST_SUMMED else None


def reduce_atoms(atoms: ase.Atoms) -> bool:
    """Give the atoms the least skewed cell of their lattice and wrap them into it, in place; whether that was needed.

    Whatever else is known of the atoms stays: velocities, forces and stress are along x, y and z.
    """
    cell, pbc = np.array(atoms.cell), np.array(atoms.pbc)
    short = least_skewed(cell, pbc)
    if short is None:
        return False
    padded = _padded(short, pbc)
    turns = np.floor(np.linalg.solve(padded.T, atoms.arrays["positions"].T).T + ROUNDING)
    turns[:, ~pbc] = 0.0
    atoms.arrays["positions"] = atoms.arrays["positions"] - turns @ padded
    atoms.cell[:] = short
    return True


def _lowest(vectors: FloatArray) -> tuple[float, float]:
    """Of the lattice of these k vectors alone: the least distance of opposite faces, and volume^(1/k), both in Å.

    Zeros where the vectors are dependent.
    """
    gram = vectors @ vectors.T
    try:
        dual = np.linalg.inv(gram) @ vectors
    except np.linalg.LinAlgError:
        return 0.0, 0.0
    lengths = np.linalg.norm(dual, axis=1)
    if not np.isfinite(lengths).all():
        return 0.0, 0.0
    return float(1.0 / lengths.max()), float(max(np.linalg.det(gram), 0.0) ** (0.5 / len(vectors)))


def _padded(cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """The cell with a unit vector across the periodic ones in place of one that is not, so that it can be inverted."""
    padded = np.array(cell)
    if not pbc.all():
        axis = int(np.argmin(pbc))
        across = np.cross(cell[axis - 2], cell[axis - 1])
        padded[axis] = across / np.linalg.norm(across)
    return padded

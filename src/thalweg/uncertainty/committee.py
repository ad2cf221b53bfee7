"""Disagreement of a committee: worst case twice over, members first and atoms second.

Notation
    F_m     forces of member m, shape (n_members, n_atoms, 3), eV/Å
    F       forces of the mean model, shape (n_atoms, 3), eV/Å
"""

from __future__ import annotations

import numpy as np

from thalweg.errors import check
from thalweg.structure import FloatArray


def forces_deviation(members: FloatArray, mean: FloatArray) -> FloatArray:
    """max_m |F_m - F| per atom, shape (n_atoms,), eV/Å."""
    check(
        members.ndim == 3 and len(members) > 0 and members.shape[1:] == mean.shape,
        f"committee: member forces must be (n_members, *{mean.shape}), got {members.shape}",
    )
    return np.asarray(np.linalg.norm(members - mean, axis=2).max(axis=0))


def max_devi_f(members: FloatArray, mean: FloatArray) -> float:
    """The largest deviation over atoms: max_i max_m |F_m,i - F_i|, eV/Å."""
    return float(forces_deviation(members, mean).max())


def energy_uncertainty(members: FloatArray, mean: float) -> float:
    """Standard deviation of member energies (n_members,) about the mean model's, eV.

    The mean is known and not estimated from the members, so the divisor is their number.
    """
    return float(np.sqrt(np.mean((members - mean) ** 2)))

"""What is compared: errors beside what was stated, atom by atom and structure by structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from uncertainty_scores import largest_each

from thalweg.structure import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class SetAnswers:
    """The atoms of one test set, laid end to end.

    Attributes
    ----------
    owner : int ndarray, shape (n_atoms,)
        Structure of each atom, counted from 0.
    numbers : int ndarray, shape (n_atoms,)
        Atomic numbers.
    error, deviation, bound : float64 ndarray, shape (n_atoms,), eV/Å
    novelty : float64 ndarray, shape (n_atoms,), or None
    """

    owner: IntArray
    numbers: IntArray
    error: FloatArray
    deviation: FloatArray
    bound: FloatArray
    novelty: FloatArray | None = None

    @property
    def n_structures(self) -> int:
        """How many structures."""
        return int(self.owner.max()) + 1

    def largest(self, values: FloatArray) -> FloatArray:
        """Largest value (n_atoms,) of each structure, shape (n_structures,)."""
        return largest_each(np.asarray(values, dtype=np.float64), self.owner, self.n_structures)

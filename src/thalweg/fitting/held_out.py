"""What models make of labels that they have not seen, label by label; by this, bases and noise levels are chosen.

Notation
    e_i      |energy error| of label i over sqrt(n_atoms), eV
    f_i      mean |force error| over its components, eV/Å
    a_i      hypot(e_i, RESOLUTION), and likewise of f_i
    typical  (mean of sqrt(a_i))², for forces weighted by atoms
    score    mean log of the two typical errors: a per cent off the energies counts as much as one off the forces

Among thousands of labels a few are like no other: no weighting of the rest predicts them well, and in a mean over all
they would decide about everything. Nor may they be left out: whether a cell squeezed beyond all others is missed by
0.1 or by 10 eV is a matter of smoothness, and nothing else shows it. By square roots one label among 1500 that is off a
thousand times as much as the others raises the typical error by 4 %. Errors are compared as they are and not in
units of the labels' noise, so that models with different noise can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thalweg.models import Kind
from thalweg.structure import FloatArray, IntArray

RESOLUTION = 1e-5
"""eV per sqrt(atom), eV/Å: smaller errors are alike."""


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of labels, each predicted without its fold.

    energy, forces_mae : float64 ndarray, shape (n_labels,)
        e_i and f_i; NaN where a label has no forces.
    n_atoms : int64 ndarray, shape (n_labels,)
    """

    energy: FloatArray
    forces_mae: FloatArray
    n_atoms: IntArray

    @property
    def with_forces(self) -> IntArray:
        """Labels that have forces."""
        return np.flatnonzero(np.isfinite(self.forces_mae))

    @cached_property
    def typical(self) -> dict[Kind, float]:
        """Typical error of energies (eV per sqrt(atom)) and, where any are labelled, of force components (eV/Å)."""
        known = self.with_forces
        errors = {Kind.ENERGY: typical_error(self.energy, np.ones(len(self.energy)))}
        if len(known):
            errors[Kind.FORCES] = typical_error(self.forces_mae[known], self.n_atoms[known])
        return errors

    @property
    def score(self) -> float:
        """Mean log of the typical errors, the less the better."""
        return float(np.mean(np.log(list(self.typical.values()))))


def typical_error(errors: FloatArray, weights: FloatArray | IntArray) -> float:
    """(Weighted mean of sqrt(a_i))²."""
    return float(np.average(np.sqrt(np.hypot(errors, RESOLUTION)), weights=weights)) ** 2


def log_typical_slope(errors: FloatArray, weights: FloatArray | IntArray) -> FloatArray:
    """Slope of the log of the typical error by each error."""
    size = np.hypot(errors, RESOLUTION)
    return np.asarray(weights / np.sum(weights * np.sqrt(size)) * errors / size**1.5)

"""What models make of labels that they have not seen, label by label; by this, bases and noise levels are chosen.

Notation
    e_i      |energy error| of label i over sqrt(n_atoms), eV
    f_i      mean |force error| over its components, eV/Å
    a_i      hypot(e_i, RESOLUTION), and likewise of f_i
    typical  the t with  mean of (1 + (a_i / t)²)^(1/4) = 2^(1/4),  for forces weighted by atoms
    score    mean log of the two typical errors: a per cent off the energies counts as much as one off the forces

Among thousands of labels a few are like no other: no weighting of the rest predicts them well, and in a mean over all
they would decide about everything. Nor may they be left out: whether a cell squeezed beyond all others is missed by
0.1 or by 10 eV is a matter of smoothness, and nothing else shows it. Large errors count by their square roots: one
label among 1500 that is off a thousand times as much as the others raises the typical error by 9 %. Small ones count
by their squares, so that the score is smooth: by the square root of each error it had a cusp wherever a label is met
exactly, and the search for hyperparameters was caught in them. It is a scale
as M-estimators have (Huber & Ronchetti, Robust Statistics, 5.2), here with rho(u) = (1 + u²)^(1/4).

Errors are compared as they are and not in units of the labels' noise, so that models with different noise can be
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from thalweg.models import RowKind
from thalweg.structure import FloatArray, IntArray

RESOLUTION = 1e-5
"""eV per sqrt(atom), eV/Å: smaller errors are alike."""
_OF_ALIKE = float(2.0**0.25)
_MARGIN = 1e-6


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of labels, each predicted without its fold.

    energy, forces_mae : float64 ndarray, shape (n_labels,)
        e_i and f_i; NaN where a label has no forces, or does not count.
    n_atoms : int64 ndarray, shape (n_labels,)
    """

    energy: FloatArray
    forces_mae: FloatArray
    n_atoms: IntArray

    @property
    def with_forces(self) -> IntArray:
        """Labels that have forces."""
        return np.flatnonzero(np.isfinite(self.forces_mae))

    @property
    def with_energy(self) -> IntArray:
        """Labels whose energies count."""
        return np.flatnonzero(np.isfinite(self.energy))

    @cached_property
    def typical(self) -> dict[RowKind, float]:
        """Typical error of energies (eV per sqrt(atom)) and of force components (eV/Å), where any count."""
        known, energies = self.with_forces, self.with_energy
        errors = {}
        if len(energies):
            errors[RowKind.ENERGY] = typical_error(self.energy[energies], np.ones(len(energies)))
        if len(known):
            errors[RowKind.FORCES] = typical_error(self.forces_mae[known], self.n_atoms[known])
        return errors

    @property
    def score(self) -> float:
        """Mean log of the typical errors, the less the better."""
        return float(np.mean(np.log(list(self.typical.values()))))


def typical_error(errors: FloatArray, weights: FloatArray | IntArray) -> float:
    """The t of which the weighted mean of (1 + (a_i / t)²)^(1/4) is what it would be if all a_i were t."""
    size = np.hypot(errors, RESOLUTION)
    shares = weights / np.sum(weights)

    def excess(log_t: float) -> float:
        return float(shares @ (1.0 + (size * np.exp(-log_t)) ** 2) ** 0.25) - _OF_ALIKE

    logs = np.log(size[shares > 0.0])
    log_t = brentq(excess, logs.min() - _MARGIN, logs.max() + _MARGIN, xtol=1e-14)
    return float(np.exp(log_t))


def log_typical_slope(errors: FloatArray, weights: FloatArray | IntArray) -> FloatArray:
    """Slope of the log of the typical error by each error."""
    t2 = typical_error(errors, weights) ** 2
    size2 = (errors**2 + RESOLUTION**2) / t2
    pull = weights * (1.0 + size2) ** -0.75
    return np.asarray(pull * errors / (t2 * np.sum(pull * size2)))

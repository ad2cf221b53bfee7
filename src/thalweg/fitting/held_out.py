"""What models make of labels that they have not seen, label by label; by this, bases and noise levels are chosen.

Notation
    e_i      |energy error| of label i over sqrt(n_atoms), eV
    f_i      mean |force error| over its components, eV/Å; q_i their root mean square
    s_i      spread of the label (thalweg.fitting.spread)
    typical  mean of e_i / s_i, or of f_i / s_i weighted by atoms, over labels but the worst TRIM of them
    score    mean log of the two typical errors: a per cent off the energies counts as much as one off the forces

Among thousands of labels a few are like no other: no weighting of the rest predicts them, and in a mean over all they
would decide about everything. They are left out of the score, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.batch import PackedStructures, pack
from thalweg.fitting.data import Labelled, Spread
from thalweg.models import Kind
from thalweg.models.training import Baseline
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import FloatArray, IntArray

TRIM = 0.05
_NOTHING = 1e-12
_ATOMS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of labels, each predicted without its fold.

    energy, forces_mae, forces_rms : float64 ndarray, shape (n_labels,)
        e_i, f_i and q_i, not divided by the spread; NaN where a label has no forces.
    n_atoms : int64 ndarray, shape (n_labels,)
    """

    energy: FloatArray
    forces_mae: FloatArray
    forces_rms: FloatArray
    n_atoms: IntArray

    def typical(self, spread: Spread) -> dict[Kind, float]:
        """Typical error of energies (eV per sqrt(atom)) and, where any are labelled, of force components (eV/Å)."""
        errors = {Kind.ENERGY: trimmed_mean(self.energy / spread.energy, np.ones(len(self.energy)))}
        known = np.flatnonzero(np.isfinite(self.forces_mae))
        if len(known):
            errors[Kind.FORCES] = trimmed_mean(
                self.forces_mae[known] / spread.forces[known], self.n_atoms[known]
            )
        return errors

    def score(self, spread: Spread) -> float:
        """Mean log of the typical errors, the less the better."""
        values = np.array(list(self.typical(spread).values()))
        return float(np.mean(np.log(np.maximum(values, _NOTHING))))


def trimmed_mean(errors: FloatArray, weights: FloatArray | IntArray) -> float:
    """Weighted mean of errors but the largest TRIM of them."""
    kept = np.argsort(errors, kind="stable")[: len(errors) - int(TRIM * len(errors))]
    return float(np.average(errors[kept], weights=weights[kept]))


class Examiner:
    """Compares labels with predictions of linear models, one model for each fold.

    Parameters
    ----------
    labelled : label i is in fold i mod n_folds
    """

    def __init__(self, basis: AceBasis, baseline: Baseline, labelled: Labelled, n_folds: int) -> None:
        self.basis, self.baseline, self.labelled = basis, baseline, labelled
        self._batches = [self._packed(range(k, len(labelled), n_folds)) for k in range(n_folds)]

    def _packed(self, labels: Sequence[int]) -> list[tuple[list[int], PackedStructures]]:
        """Batches of labels that are not too large."""
        sizes = np.cumsum([len(self.labelled[i][0]) for i in labels])
        batch = sizes // _ATOMS_AT_ONCE
        groups = [
            [i for i, b in zip(labels, batch, strict=True) if b == number] for number in np.unique(batch)
        ]
        return [(group, pack([self.labelled[i][0] for i in group], self.basis.elements)) for group in groups]

    def errors(self, weights: Sequence[FloatArray]) -> HeldOutErrors:
        """Errors of every label under the weights of its fold, each of shape (n_columns,)."""
        n = len(self.labelled)
        energy, mae, rms = np.zeros(n), np.full(n, np.nan), np.full(n, np.nan)
        for own, batches in zip(weights, self._batches, strict=True):
            field = bare_potential(self.basis, self.baseline, own).force_field
            for labels, packed in batches:
                energies, forces, *_ = field.compute(*packed.arrays)
                for k, i in enumerate(labels):
                    structure, label = self.labelled[i]
                    energy[i] = abs(energies[k] - label.energy) / np.sqrt(len(structure))
                    if label.has_forces:
                        off = forces[packed.first_atom[k] : packed.first_atom[k + 1]] - label.forces
                        mae[i], rms[i] = np.abs(off).mean(), np.sqrt(np.mean(off**2))
        return HeldOutErrors(energy, mae, rms, np.array([len(structure) for structure, _ in self.labelled]))


def bare_potential(basis: AceBasis, baseline: Baseline, weights: FloatArray) -> Potential:
    """Weights (n_columns,) as a potential that says nothing of its uncertainty."""
    n, p = len(basis.elements), basis.n_features
    zbl = None if baseline.zbl is None else baseline.zbl.cutoffs
    deltas = np.zeros((1, n, p))
    return Potential(
        basis, weights.reshape(n, p), deltas, baseline.reference_energies, zbl, None, ErrorBounds.bare(n)
    )

"""What models make of labels that they have not seen, label by label; by this, bases and noise levels are chosen.

Notation
    e_i      |energy error| of label i over sqrt(n_atoms), eV
    f_i      mean |force error| over its components, eV/Å; q_i their root mean square
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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thalweg.features import AceBasis, Features
from thalweg.features.batch import PackedStructures, pack
from thalweg.fitting.data import Labelled
from thalweg.models import Kind
from thalweg.models.training import Baseline
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import FloatArray, IntArray

RESOLUTION = 1e-5
"""eV per sqrt(atom), eV/Å: smaller errors are alike."""
_ATOMS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of labels, each predicted without its fold.

    energy, forces_mae, forces_rms : float64 ndarray, shape (n_labels,)
        e_i, f_i and q_i; NaN where a label has no forces.
    n_atoms : int64 ndarray, shape (n_labels,)
    """

    energy: FloatArray
    forces_mae: FloatArray
    forces_rms: FloatArray
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


class Examiner:
    """Compares labels with predictions of linear models, one model for each fold.

    Parameters
    ----------
    labelled : label i is in fold i mod n_folds
    """

    def __init__(self, basis: AceBasis, baseline: Baseline, labelled: Labelled, n_folds: int) -> None:
        self.basis, self.baseline, self.labelled, self.n_folds = basis, baseline, labelled, n_folds
        self.n_atoms = np.array([len(structure) for structure, _ in labelled])
        self._batches = [batch for k in range(n_folds) for batch in self._packed(k)]

    def _packed(self, fold: int) -> list[_Batch]:
        """Batches of labels that are not too large."""
        labels = np.arange(fold, len(self.labelled), self.n_folds)
        number = np.cumsum(self.n_atoms[labels]) // _ATOMS_AT_ONCE
        groups = [labels[number == b] for b in np.unique(number)]
        return [
            _Batch(fold, group, pack([self.labelled[i][0] for i in group], self.basis.elements))
            for group in groups
        ]

    def examine(self, weights: Sequence[FloatArray]) -> Examination:
        """Errors of every label under the weights of its fold, each of shape (n_columns,)."""
        n = len(self.labelled)
        energy, mae, rms = np.zeros(n), np.full(n, np.nan), np.full(n, np.nan)
        off_by = []
        fields = [bare_potential(self.basis, self.baseline, own).force_field for own in weights]
        for batch in self._batches:
            energies, forces, *_ = fields[batch.fold].compute(*batch.packed.arrays)
            off = np.zeros_like(forces)
            for k, (i, atoms) in enumerate(batch.items()):
                label = self.labelled[i][1]
                energy[i] = (energies[k] - label.energy) / np.sqrt(self.n_atoms[i])
                if label.has_forces:
                    off[atoms] = forces[atoms] - label.forces
                    mae[i], rms[i] = np.abs(off[atoms]).mean(), np.sqrt(np.mean(off[atoms] ** 2))
            off_by.append(off)
        return Examination(HeldOutErrors(np.abs(energy), mae, rms, self.n_atoms), np.sign(energy), off_by)

    def slopes(self, examination: Examination) -> list[FloatArray]:
        """Slope of the score by the weights of each fold, each of shape (n_columns,).

        Parameters
        ----------
        examination : of these weights, by `examine`
        """
        errors = examination.errors
        known, n_kinds = errors.with_forces, len(errors.typical)
        by_energy = log_typical_slope(errors.energy, np.ones(len(errors.energy)))
        by_energy *= examination.energy_sign / np.sqrt(self.n_atoms) / n_kinds
        by_forces = np.zeros(len(errors.energy))
        by_forces[known] = log_typical_slope(errors.forces_mae[known], self.n_atoms[known])
        by_forces /= 3.0 * self.n_atoms * n_kinds
        slopes = [np.zeros(self.basis.n_columns) for _ in range(self.n_folds)]
        for batch, off in zip(self._batches, examination.forces_off, strict=True):
            per_atom = np.repeat(by_forces[batch.labels], self.n_atoms[batch.labels])
            slopes[batch.fold] += by_energy[batch.labels] @ self._energy_rows[batch.labels]
            if len(known):  # F = -w . d phi/dR
                slopes[batch.fold] -= self._moved(batch, np.sign(off) * per_atom[:, None])
        return slopes

    def _moved(self, batch: _Batch, directions: FloatArray) -> FloatArray:
        """Change of the sum of all features when atoms move, by column."""
        change = Features(self.basis).native.jvp(*batch.packed.arrays, np.ascontiguousarray(directions))
        return self._by_element(change, batch.packed.arrays[1])

    @cached_property
    def _energy_rows(self) -> FloatArray:
        """Sums of features over the atoms of each label, by column, shape (n_labels, n_columns)."""
        rows = np.zeros((len(self.labelled), self.basis.n_columns))
        native = Features(self.basis).native
        for batch in self._batches:
            phi, species = native.phi(*batch.packed.arrays), batch.packed.arrays[1]
            for i, atoms in batch.items():
                rows[i] = self._by_element(phi[atoms], species[atoms])
        return rows

    def _by_element(self, per_atom: FloatArray, species: NDArray[np.int32]) -> FloatArray:
        """Sum over the atoms of each element, laid end to end."""
        return np.concatenate([per_atom[species == z].sum(axis=0) for z in range(len(self.basis.elements))])


@dataclass(frozen=True, eq=False)
class _Batch:
    """Labels of one fold, packed together."""

    fold: int
    labels: IntArray
    packed: PackedStructures

    def items(self) -> Iterator[tuple[int, slice]]:
        """Each label, and where its atoms stand."""
        first = self.packed.first_atom
        for k, i in enumerate(self.labels):
            yield int(i), slice(int(first[k]), int(first[k + 1]))


@dataclass(frozen=True, eq=False)
class Examination:
    """Held-out errors, with what their slopes need: signs of the energies' and, by batch, the errors of forces."""

    errors: HeldOutErrors
    energy_sign: FloatArray
    forces_off: list[FloatArray]


def bare_potential(basis: AceBasis, baseline: Baseline, weights: FloatArray) -> Potential:
    """Weights (n_columns,) as a potential that says nothing of its uncertainty."""
    n, p = len(basis.elements), basis.n_features
    zbl = None if baseline.zbl is None else baseline.zbl.cutoffs
    deltas = np.zeros((1, n, p))
    return Potential(
        basis, weights.reshape(n, p), deltas, baseline.reference_energies, zbl, None, ErrorBounds.bare(n)
    )

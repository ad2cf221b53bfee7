"""Compares labels with predictions of linear models, one model for each fold, and gives the slope of their score.

Notation
    e_i, f_i   energy and forces of label i by its fold's weights w:  e_i = E_i . w + e0_i,  f_i = F_i w + f0_i
    E_i, F_i   design rows (thalweg.features.design);  e0_i, f0_i: baseline

A fit asks for this again and again with other weights. Rows that fit into KEPT_BYTES are kept, and asking is two
products with a matrix in memory; otherwise the kernel computes anew what they would give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg.features import AceBasis, Features
from thalweg.features.batch import PackedStructures, pack
from thalweg.features.design import DesignRows, design_rows
from thalweg.features.sharing import in_order
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.held_out import HeldOutErrors, log_typical_slope
from thalweg.models.training import Baseline
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import FloatArray

KEPT_BYTES = 3e9
_ATOMS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Examination:
    """Held-out errors, with what their slopes need: signs of the energies' and, by label, the errors of forces."""

    errors: HeldOutErrors
    energy_sign: FloatArray
    forces_off: list[FloatArray]


class Examiner:
    """Held-out errors of all labels under weights of each fold.

    Parameters
    ----------
    labelled : label i is in fold i mod n_folds
    kept_bytes : most memory for design rows
    spread : of these labels; says which of them count
    """

    def __init__(
        self,
        basis: AceBasis,
        baseline: Baseline,
        labelled: Labelled,
        n_folds: int,
        kept_bytes: float = KEPT_BYTES,
        spread: Spread | None = None,
    ) -> None:
        self.labelled, self.n_folds = labelled, n_folds
        judged = (None, None) if spread is None else (spread.judged_energy, spread.judged_forces)
        self.judged = [np.ones(len(labelled), dtype=np.bool_) if own is None else own for own in judged]
        self.n_atoms = np.array([len(structure) for structure, _ in labelled])
        n_bytes = 8.0 * (3 * self.n_atoms + 1).sum() * basis.n_columns
        kind = _RowsInMemory if n_bytes <= kept_bytes else _RowsByKernel
        self._rows: _Rows = kind(basis, baseline, labelled, n_folds)

    def keep(self, label: int, rows: DesignRows) -> None:
        """Take the design rows of a label; those that are not given are made when they are asked for."""
        self._rows.keep(label, rows)

    def examine(self, weights: Sequence[FloatArray]) -> Examination:
        """Errors of every label under the weights of its fold, each of shape (n_columns,)."""
        n, (judged_energy, judged_forces) = len(self.labelled), self.judged
        energy, mae = np.zeros(n), np.full(n, np.nan)
        off_by = [np.zeros((n_atoms, 3)) for n_atoms in self.n_atoms]
        for i, predicted, forces in self._rows.predictions(weights):
            label = self.labelled[i][1]
            energy[i] = (predicted - label.energy) / np.sqrt(self.n_atoms[i])
            if label.has_forces and judged_forces[i]:
                off_by[i] = forces - label.forces
                mae[i] = np.abs(off_by[i]).mean()
        counted = np.where(judged_energy, np.abs(energy), np.nan)
        return Examination(HeldOutErrors(counted, mae, self.n_atoms), np.sign(energy), off_by)

    def slopes(self, examination: Examination) -> list[FloatArray]:
        """Slope of the score by the weights of each fold, each of shape (n_columns,).

        Parameters
        ----------
        examination : of these weights, by `examine`
        """
        errors = examination.errors
        known, energies, n_kinds = errors.with_forces, errors.with_energy, len(errors.typical)
        by_energy = np.zeros(len(errors.energy))
        if len(energies):
            by_energy[energies] = log_typical_slope(errors.energy[energies], np.ones(len(energies)))
        by_energy *= examination.energy_sign / np.sqrt(self.n_atoms) / n_kinds
        by_forces = np.zeros(len(errors.energy))
        if len(known):
            by_forces[known] = log_typical_slope(errors.forces_mae[known], self.n_atoms[known])
        by_forces /= 3.0 * self.n_atoms * n_kinds
        directions = [
            np.sign(off) * size for off, size in zip(examination.forces_off, by_forces, strict=True)
        ]
        return self._rows.pulled_back(by_energy, directions)


class _Rows(Protocol):
    """E_i and F_i of all labels, as what they do to weights."""

    def keep(self, label: int, rows: DesignRows) -> None:
        """Take the rows of a label."""

    def predictions(self, weights: Sequence[FloatArray]) -> Iterator[tuple[int, float, FloatArray]]:
        """Each label, its energy and forces (n_atoms, 3) by the weights of its fold."""

    def pulled_back(self, energies: FloatArray, forces: Sequence[FloatArray]) -> list[FloatArray]:
        """For each fold, the sum of energies_i E_i + F_i^T forces_i over its labels, shape (n_columns,)."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """Of one label: E_i, F_i, e0_i (eV) and f0_i (eV/Å)."""

    E: FloatArray
    F: FloatArray
    energy: float
    forces: FloatArray


class _RowsInMemory:
    """Design rows, kept."""

    def __init__(self, basis: AceBasis, baseline: Baseline, labelled: Labelled, n_folds: int) -> None:
        self.basis, self.baseline, self.labelled, self.n_folds = basis, baseline, labelled, n_folds
        self._kept: list[_Kept | None] = [None] * len(labelled)

    def keep(self, label: int, rows: DesignRows) -> None:
        energy, forces, _ = self.baseline.compute(self.labelled[label][0])
        self._kept[label] = _Kept(rows.energy, rows.forces, energy, forces)

    def _of_fold(self, fold: int) -> Iterator[tuple[int, _Kept]]:
        for i in range(fold, len(self.labelled), self.n_folds):
            if self._kept[i] is None:
                self.keep(i, design_rows(Features(self.basis), self.labelled[i][0], stress=False))
            kept = self._kept[i]
            assert kept is not None
            yield i, kept

    def predictions(self, weights: Sequence[FloatArray]) -> Iterator[tuple[int, float, FloatArray]]:
        def of(fold: int) -> list[tuple[int, float, FloatArray]]:
            w = weights[fold]
            return [
                (i, own.energy + float(own.E @ w), own.forces + (own.F @ w).reshape(-1, 3))
                for i, own in self._of_fold(fold)
            ]

        return chain.from_iterable(in_order(of, range(self.n_folds)))

    def pulled_back(self, energies: FloatArray, forces: Sequence[FloatArray]) -> list[FloatArray]:
        def of(fold: int) -> FloatArray:
            out = np.zeros(self.basis.n_columns)
            for i, own in self._of_fold(fold):
                out += energies[i] * own.E + forces[i].ravel() @ own.F
            return out

        return list(in_order(of, range(self.n_folds)))


class _RowsByKernel:
    """Forces and changes of features by the kernel; only the rows of energies are kept."""

    def __init__(self, basis: AceBasis, baseline: Baseline, labelled: Labelled, n_folds: int) -> None:
        self.basis, self.baseline, self.labelled, self.n_folds = basis, baseline, labelled, n_folds
        n_atoms = np.array([len(structure) for structure, _ in labelled])
        self._batches = [batch for k in range(n_folds) for batch in self._packed(n_atoms, k)]

    def keep(self, label: int, rows: DesignRows) -> None:
        pass

    def _packed(self, n_atoms: NDArray[np.int64], fold: int) -> list[_Batch]:
        """Batches of labels that are not too large."""
        labels = np.arange(fold, len(self.labelled), self.n_folds)
        number = np.cumsum(n_atoms[labels]) // _ATOMS_AT_ONCE
        groups = [labels[number == b] for b in np.unique(number)]
        return [
            _Batch(fold, group, pack([self.labelled[i][0] for i in group], self.basis.elements))
            for group in groups
        ]

    def predictions(self, weights: Sequence[FloatArray]) -> Iterator[tuple[int, float, FloatArray]]:
        fields = [bare_potential(self.basis, self.baseline, own).force_field for own in weights]
        for batch in self._batches:
            energies, forces, *_ = fields[batch.fold].compute(*batch.packed.arrays)
            for k, (i, atoms) in enumerate(batch.items()):
                yield i, float(energies[k]), forces[atoms]

    def pulled_back(self, energies: FloatArray, forces: Sequence[FloatArray]) -> list[FloatArray]:
        out = [np.zeros(self.basis.n_columns) for _ in range(self.n_folds)]
        for batch in self._batches:
            out[batch.fold] += energies[batch.labels] @ self._energy_rows[batch.labels]
            directions = np.concatenate([forces[i] for i in batch.labels])
            if directions.any():  # F = -d phi/dR . w
                out[batch.fold] -= self._moved(batch, directions)
        return out

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
    labels: NDArray[np.int64]
    packed: PackedStructures

    def items(self) -> Iterator[tuple[int, slice]]:
        """Each label, and where its atoms stand."""
        first = self.packed.first_atom
        for k, i in enumerate(self.labels):
            yield int(i), slice(int(first[k]), int(first[k + 1]))


def bare_potential(basis: AceBasis, baseline: Baseline, weights: FloatArray) -> Potential:
    """Weights (n_columns,) as a potential that says nothing of its uncertainty."""
    n, p = len(basis.elements), basis.n_features
    zbl = None if baseline.zbl is None else baseline.zbl.cutoffs
    deltas = np.zeros((1, n, p))
    return Potential(
        basis, weights.reshape(n, p), deltas, baseline.reference_energies, zbl, None, ErrorBounds.bare(n)
    )

"""What each quantity of a set of labels says of one small linear model, apart from the others.

Notation
    n        columns of the small basis
    y        targets of one quantity, rows X:  y = X w + noise      (thalweg.models.observation has the scaling)
    C        composition columns of energies, n_z / sqrt(n_atoms): reference energies are free

A voice is the rows and targets of one quantity over all labels. `Posterior` is what one or more voices leave of w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thalweg.features import AceBasis, Features
from thalweg.features.batch import species_of
from thalweg.features.design import DesignRows, design_rows
from thalweg.features.sharing import in_order
from thalweg.label import Label
from thalweg.models import BayesianLinear, Block, RowKind, SmoothnessPrior
from thalweg.models.training import Baseline, make_observation
from thalweg.structure import FloatArray, IntArray, Structure

Labelled = Sequence[tuple[Structure, Label]]

TUNE = 25
"""Evaluations of the evidence for each posterior."""


@dataclass(frozen=True, eq=False)
class Voice:
    """Rows of one quantity.

    Attributes
    ----------
    kind : RowKind
    rows : float64 ndarray, shape (m, n)
    targets : float64 ndarray, shape (m,)
    owner : int64 ndarray, shape (m,)
        Place of the label of each row.
    """

    kind: RowKind
    rows: FloatArray
    targets: FloatArray
    owner: IntArray

    @property
    def labels(self) -> IntArray:
        """Places of the labels that have this quantity, rising."""
        return np.unique(self.owner)

    def of(self, labels: IntArray) -> Voice:
        """The rows of some labels."""
        kept = np.isin(self.owner, labels)
        return Voice(self.kind, self.rows[kept], self.targets[kept], self.owner[kept])

    def block(self, label: int) -> Block:
        """The rows of one label."""
        own = self.owner == label
        return Block(self.kind, self.rows[own], self.targets[own])


@dataclass(frozen=True, eq=False)
class Voices:
    """All that a set of labels says.

    Attributes
    ----------
    labelled : the labels
    basis : AceBasis
    counts : float64 ndarray, shape (n_labels, n_elements)
        Atoms of each element.
    by_kind : the voice of each quantity; one without rows is left out
    """

    labelled: Labelled
    basis: AceBasis
    counts: FloatArray
    by_kind: dict[RowKind, Voice]

    @property
    def sizes(self) -> FloatArray:
        """Atoms of each label, shape (n_labels,)."""
        return np.asarray(self.counts.sum(axis=1))

    def has(self, kind: RowKind, least: int = 1) -> bool:
        """Whether at least so many labels have this quantity."""
        return kind in self.by_kind and len(self.by_kind[kind].labels) >= least


def listen(labelled: Labelled, basis: AceBasis) -> Voices:
    """Rows and targets of every quantity; energies, forces and stress as they are labelled."""
    features = Features(basis)
    elements = basis.elements
    zero = Baseline(elements, np.zeros(len(elements)))

    def of(i: int) -> tuple[Block, ...]:
        structure, label = labelled[i]
        rows: DesignRows = design_rows(features, structure, stress=label.stress is not None)
        return make_observation(rows, structure, label, zero)

    gathered: dict[RowKind, list[tuple[int, Block]]] = {}
    for i, blocks in enumerate(in_order(of, range(len(labelled)))):
        for block in blocks:
            gathered.setdefault(block.kind, []).append((i, block))
    counts = np.array(
        [np.bincount(species_of(s, elements), minlength=len(elements)) for s, _ in labelled], dtype=np.float64
    )
    return Voices(labelled, basis, counts, {kind: _joined(kind, own) for kind, own in gathered.items()})


def _joined(kind: RowKind, own: list[tuple[int, Block]]) -> Voice:
    owner = np.concatenate([np.full(len(block.targets), i, dtype=np.int64) for i, block in own])
    rows = np.concatenate([block.rows for _, block in own])
    return Voice(kind, rows, np.concatenate([block.targets for _, block in own]), owner)


class Posterior:
    """What some voices leave of the coefficients: mean and covariance, by the evidence."""

    def __init__(self, basis: AceBasis, voices: Sequence[Voice], spread: FloatArray | None = None) -> None:
        self.model = BayesianLinear(SmoothnessPrior.for_basis(basis), n_members=1)
        labels = sorted({int(i) for voice in voices for i in voice.labels})
        self.spread = np.ones(max(labels) + 1) if spread is None else spread
        self.model.fit_batch(
            [tuple(_softened(v.block(i), self.spread[i]) for v in voices if i in v.labels) for i in labels]
        )
        self.model.tune(TUNE)

    @cached_property
    def _mean(self) -> FloatArray:
        return self.model.mean

    def predict(self, rows: FloatArray) -> FloatArray:
        """Mean of rows @ w, shape (m,)."""
        return np.asarray(rows @ self._mean)

    def cross_covariance(self, rows: FloatArray, others: FloatArray) -> FloatArray:
        """Posterior covariance of rows @ w with others @ w, shape (m, k)."""
        return np.asarray(self.model.whiten(rows) @ self.model.whiten(others).T)

    def covariance(self, rows: FloatArray) -> FloatArray:
        """Posterior covariance of rows @ w, shape (m, m)."""
        return self.model.covariance(rows)


def _softened(block: Block, spread: float) -> Block:
    return Block(block.kind, block.rows / spread, block.targets / spread)

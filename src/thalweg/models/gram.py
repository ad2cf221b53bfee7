"""Sums over labels that the evidence needs, one set per (kind, class of label noise).

Notation, for one class c
    G    sum of rows^T rows, upper triangle, shape (n, n)
    b    sum of rows^T targets, shape (n,)
    yy   sum of targets²
    m    number of rows

With these, hyperparameters can be changed and the posterior rebuilt without touching an old row again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas

from thalweg.models.observation import KINDS, Block, Kind, noise_class
from thalweg.structure import FloatArray

Key = tuple[Kind, float]


@dataclass(eq=False)
class Gram:
    """Accumulated sums of one class; `G` is Fortran-ordered with its strict lower triangle zero."""

    G: FloatArray
    b: FloatArray
    yy: float = 0.0
    m: int = 0

    @classmethod
    def zeros(cls, n: int) -> Gram:
        """An empty sum for n columns."""
        return cls(np.zeros((n, n), order="F"), np.zeros(n))

    def add(self, rows: FloatArray, targets: FloatArray) -> None:
        """Take in rows (n_rows, n) and targets (n_rows,)."""
        # rows.T is Fortran-ordered when rows are C-ordered: no copy, and only one triangle is computed.
        self.G = blas.dsyrk(1.0, rows.T, beta=1.0, c=self.G, overwrite_c=1)
        self.b += rows.T @ targets
        self.yy += float(targets @ targets)
        self.m += len(targets)


class Grams:
    """All classes, in the order of their first appearance made canonical: sorted by kind, then noise."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._classes: dict[Key, Gram] = {}

    def add(self, block: Block, rows: FloatArray) -> None:
        """Take in a block; `rows` are its rows in scaled features."""
        key = (block.kind, noise_class(block.label_noise))
        if key not in self._classes:
            self._classes[key] = Gram.zeros(self.n)
        self._classes[key].add(rows, block.targets)

    def items(self) -> list[tuple[Key, Gram]]:
        """Classes in canonical order, so that floating-point sums over them do not depend on history."""
        return sorted(self._classes.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1]))

    def put(self, key: Key, gram: Gram) -> None:
        """Set a class (used when a saved model is read)."""
        self._classes[key] = gram

    @property
    def n_rows(self) -> int:
        """Rows taken in so far."""
        return sum(gram.m for gram in self._classes.values())


def variance_of(key: Key, noise: dict[Kind, float]) -> float:
    """Noise variance of a class: the kind's own and the label's, in quadrature."""
    kind, label_noise = key
    return noise[kind] ** 2 + label_noise**2

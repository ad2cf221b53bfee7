"""Sums over labels that the evidence needs, one set per (kind, class of label noise).

Notation, for one class c
    G    sum of rows^T rows, upper triangle, shape (n, n)
    b    sum of rows^T targets, shape (n,)
    yy   sum of targets²
    m    number of rows

With these, hyperparameters can be changed and the posterior rebuilt without touching an old row again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from thalweg.models.observation import KINDS, Block, RowKind, noise_class
from thalweg.structure import FloatArray

Key = tuple[RowKind, float]

_CHUNK_ROWS = 512


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

    @classmethod
    def total(cls, n: int, parts: Iterable[Gram]) -> Gram:
        """The sum of some of n columns."""
        out = cls.zeros(n)
        for part in parts:
            blas.daxpy(part.G.ravel(order="K"), out.G.ravel(order="K"))
            out.b += part.b
            out.yy += part.yy
            out.m += part.m
        return out

    def product(self, w: FloatArray) -> FloatArray:
        """G w, shape (n,)."""
        return np.asarray(blas.dsymv(1.0, self.G, w))

    def residual2(self, w: FloatArray) -> float:
        """|targets - rows w|²."""
        return max(self.yy + float(w @ (self.product(w) - 2.0 * self.b)), 0.0)

    def add(self, rows: FloatArray, targets: FloatArray) -> None:
        """Take in rows (n_rows, n) and targets (n_rows,)."""
        # rows.T is Fortran-ordered when rows are C-ordered: no copy, and only one triangle is computed.
        self.G = blas.dsyrk(1.0, rows.T, beta=1.0, c=self.G, overwrite_c=1)
        self.b += rows.T @ targets
        self.yy += float(targets @ targets)
        self.m += len(targets)


class Grams:
    """All classes, in the order of their first appearance made canonical: sorted by kind, then noise."""

    def __init__(self, n: int, made: Callable[[], dict[Key, Gram]] = dict) -> None:
        """Sums over n columns; `made` gives the first ones when they are asked for."""
        self.n, self._made = n, made

    @cached_property
    def _classes(self) -> dict[Key, Gram]:
        return self._made()

    def add(self, block: Block, rows: FloatArray) -> None:
        """Take in a block; `rows` are its rows in scaled features."""
        self._class_of(key_of(block)).add(rows, block.targets)

    def add_many(self, blocks: Sequence[Block], scale: FloatArray) -> None:
        """Take in many blocks whose rows are to be divided by `scale`: one pass over G for many rows."""
        by_key: dict[Key, list[Block]] = {}
        for block in blocks:
            by_key.setdefault(key_of(block), []).append(block)
        for key, alike in by_key.items():
            n_before = np.cumsum([0] + [len(block.targets) for block in alike[:-1]])
            for number in np.unique(n_before // _CHUNK_ROWS):
                chunk = [alike[k] for k in np.flatnonzero(n_before // _CHUNK_ROWS == number)]
                rows = np.concatenate([block.rows for block in chunk]) / scale
                self._class_of(key).add(rows, np.concatenate([block.targets for block in chunk]))

    def _class_of(self, key: Key) -> Gram:
        if key not in self._classes:
            self._classes[key] = Gram.zeros(self.n)
        return self._classes[key]

    def items(self) -> list[tuple[Key, Gram]]:
        """Classes in canonical order, so that floating-point sums over them do not depend on history."""
        return sorted(self._classes.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1]))

    def put(self, key: Key, gram: Gram) -> None:
        """Set a class."""
        self._classes[key] = gram

    def take(self, key: Key) -> Gram | None:
        """Give a class away, or None where there is none."""
        return self._classes.pop(key, None)

    @property
    def n_rows(self) -> int:
        """Rows taken in so far."""
        return sum(gram.m for gram in self._classes.values())


def key_of(block: Block) -> Key:
    """The class of a block."""
    return block.kind, noise_class(block.label_noise)


def variance_of(key: Key, noise: dict[RowKind, float]) -> float:
    """Noise variance of a class: the kind's own and the label's, in quadrature."""
    kind, label_noise = key
    return noise[kind] ** 2 + label_noise**2

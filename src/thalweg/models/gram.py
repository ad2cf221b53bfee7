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
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from thalweg.models.observation import KINDS, Block, RowKind, noise_class
from thalweg.structure import FloatArray

Key = tuple[RowKind, float]

_CHUNK_ROWS = 512
_TOGETHER = 192
"""Rows that are gathered before they are added to G."""


class Gram:
    """Accumulated sums of one class.

    Rows of single labels are gathered first: to add a few to G costs as much memory traffic as to add many. When they
    are added depends on their number alone, and not on when G is looked at, so that the bits of G do not either.

    Parameters
    ----------
    G : float64 ndarray, shape (n, n), Fortran order
        Its strict lower triangle zero; owned and overwritten.
    b : float64 ndarray, shape (n,)
    """

    def __init__(self, G: FloatArray, b: FloatArray, yy: float = 0.0, m: int = 0) -> None:
        self._settled, self.b, self.yy, self.m = G, b, yy, m
        self._gathered: list[FloatArray] = []
        self._whole: FloatArray | None = None

    @classmethod
    def zeros(cls, n: int) -> Gram:
        """An empty sum for n columns."""
        return cls(np.zeros((n, n), order="F"), np.zeros(n))

    @property
    def G(self) -> FloatArray:
        """Sum of rows^T rows, shape (n, n), Fortran-ordered with its strict lower triangle zero; not to be changed."""
        if not self._gathered:
            return self._settled
        if self._whole is None:
            self._whole = _added(self._settled.copy(order="F"), self._gathered)
        return self._whole

    @classmethod
    def total(cls, n: int, parts: Iterable[Gram]) -> Gram:
        """The sum of some of n columns."""
        out = cls.zeros(n)
        for part in parts:
            blas.daxpy(part._settled.ravel(order="K"), out._settled.ravel(order="K"))
            if part._gathered:
                _added(out._settled, part._gathered)
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
        """Take in rows (n_rows, n), which are kept for a while and not to be changed, and targets (n_rows,)."""
        self._whole = None
        self._gathered.append(rows)
        if sum(map(len, self._gathered)) >= _TOGETHER:
            self._settled = _added(self._settled, self._gathered)
            self._gathered = []
        self.b += rows.T @ targets
        self.yy += float(targets @ targets)
        self.m += len(targets)


def _added(G: FloatArray, rows: Sequence[FloatArray]) -> FloatArray:
    """G plus rows^T rows, in place."""
    block = rows[0] if len(rows) == 1 else np.concatenate(rows)
    # block.T is Fortran-ordered when rows are C-ordered: no copy, and only one triangle is computed.
    return np.asarray(blas.dsyrk(1.0, block.T, beta=1.0, c=G, overwrite_c=1))


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

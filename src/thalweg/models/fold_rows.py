"""Cross-validation while rows are fewer than columns: what `thalweg.models.folds` does, from the rows themselves.

Notation
    Phi_k    rows of all folds but k in scaled features, shape (m_k, n);  V_k: their noise variances
    K_k      Phi_k diag(gamma) Phi_k^T + V_k = L L^T, shape (m_k, m_k)
    alpha_k  K_k^-1 y_k

    w_k        = diag(gamma) Phi_k^T alpha_k
    A_k^-1 g   = diag(gamma) g - diag(gamma) Phi_k^T K_k^-1 Phi_k diag(gamma) g             (Woodbury)

Products of all rows with each other are made once for all folds, in m² n operations, where `FoldSums` takes n³ for
each fold. Equal to it up to rounding.

References
    Rasmussen, Williams, Gaussian Processes for Machine Learning, 2.1.2 and appendix A.3
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas, lapack

from thalweg.errors import ModelError
from thalweg.features.sharing import in_order
from thalweg.models.dual import WORTHWHILE, KeptRows
from thalweg.models.evidence import ROUNDING, unpack
from thalweg.models.folds import Folds, FoldSums
from thalweg.models.gram import Gram, Grams, Key, key_of, variance_of
from thalweg.models.observation import KINDS, Block, RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import BoolArray, FloatArray, IntArray

_TRIES = 8


def folds_for(scale: FloatArray, n_folds: int, n_rows: int) -> Folds:
    """What keeps n_rows rows of len(scale) columns at the least work."""
    few = are_few(n_rows, len(scale))
    return FoldRows(scale, n_folds) if few else FoldSums(scale, n_folds)


def are_few(n_rows: float, n_columns: float) -> bool:
    """Whether rows are so few beside columns that keeping them is less work than their sums."""
    return n_rows <= WORTHWHILE * n_columns


@dataclass(frozen=True, eq=False)
class RowsOfClass:
    """Rows of one class (m, n) and targets (m,); those that do not count have a `counted` of 0."""

    rows: FloatArray
    targets: FloatArray
    counted: FloatArray

    @cached_property
    def b(self) -> FloatArray:
        """Sum of rows^T targets, shape (n,)."""
        return np.asarray((self.counted * self.targets) @ self.rows)

    @property
    def m(self) -> int:
        """Rows that count."""
        return int(self.counted.sum())

    def product(self, w: FloatArray) -> FloatArray:
        """Sum of rows^T rows w, shape (n,)."""
        return np.asarray((self.counted * (self.rows @ w)) @ self.rows)

    def residual2(self, w: FloatArray) -> float:
        """|targets - rows w|²."""
        return float(self.counted @ (self.targets - self.rows @ w) ** 2)

    def gram(self) -> Gram:
        """As a matrix."""
        kept = self.counted > 0
        gram = Gram.zeros(self.rows.shape[1])
        gram.add(self.rows[kept], self.targets[kept])
        return gram


@dataclass(frozen=True, eq=False)
class OutOfFoldRows:
    """The posterior of all folds but one: its mean w_k, and the lower factor of K_k over the rows `others`."""

    mean: FloatArray
    rows: FloatArray
    others: BoolArray
    factor: FloatArray
    gamma: FloatArray

    def solve(self, right: FloatArray) -> FloatArray:
        """A_k^-1 right, shape (n,)."""
        by_prior = self.gamma * right
        inner = np.zeros(len(self.rows))
        inner[self.others] = _solve(self.factor, (self.rows @ by_prior)[self.others])
        return np.asarray(by_prior - self.gamma * (inner @ self.rows))


def _solve(L: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(blas.dtrsv(L, blas.dtrsv(L, right, lower=1), lower=1, trans=1))


class FoldRows:
    """Rows of all folds.

    Parameters
    ----------
    scale : float64 ndarray, shape (n_columns,)
        Rows are divided by it.
    n_folds : int
    """

    def __init__(self, scale: FloatArray, n_folds: int) -> None:
        self.scale, self.n_folds = scale, n_folds
        self._blocks: list[tuple[int, Key, FloatArray, FloatArray]] = []

    def add(self, fold: int, block: Block) -> None:
        """Take in a block of unscaled rows."""
        self._blocks.append((fold, key_of(block), block.rows / self.scale, block.targets))

    def close(self) -> None:
        """Lay the rows end to end, class by class; to be called once, after the last block."""
        self._blocks.sort(key=lambda block: (KINDS.index(block[1][0]), block[1][1], block[0]))
        self._rows = np.concatenate([rows for *_, rows, _ in self._blocks])
        self._targets = np.concatenate([targets for *_, targets in self._blocks])
        sizes = [len(targets) for *_, targets in self._blocks]
        self._fold: IntArray = np.repeat([fold for fold, *_ in self._blocks], sizes)
        keys = list(dict.fromkeys(key for _, key, *_ in self._blocks))
        self._keys = keys
        self._class: IntArray = np.repeat([keys.index(key) for _, key, *_ in self._blocks], sizes)
        self._blocks = []

    def _part(self, place: int, counted: BoolArray) -> RowsOfClass:
        """One class, of which some rows count."""
        own = self._class == place
        first, last = np.flatnonzero(own)[[0, -1]]
        where = slice(first, last + 1)
        return RowsOfClass(self._rows[where], self._targets[where], counted[where].astype(np.float64))

    def classes(self, without: int | None) -> list[tuple[Key, RowsOfClass]]:
        """All folds, or all but one, by class."""
        counted = np.ones(len(self._fold), dtype=bool) if without is None else self._fold != without
        return [(key, self._part(place, counted)) for place, key in enumerate(self._keys)]

    def total(self, without: int | None = None) -> Grams:
        """The sums over all folds, or over all but one; made when they are asked for."""
        return Grams(
            len(self.scale), lambda: {key: part.gram() for key, part in self.classes(without) if part.m}
        )

    def virials(self, fold: int) -> list[RowsOfClass]:
        """The virials of one fold, by class of label noise."""
        of_virials = [place for place, key in enumerate(self._keys) if key[0] is RowKind.VIRIAL]
        return [self._part(place, self._fold == fold) for place in of_virials]

    def kept(self) -> KeptRows:
        """Rows for the evidence."""
        kept = KeptRows(len(self.scale))
        for key, part in self.classes(None):
            kept.add(key, part.rows, part.targets)
        return kept

    @property
    def kinds(self) -> set[RowKind]:
        """Kinds of which there are rows."""
        return {kind for kind, _ in self._keys}

    @property
    def n_rows(self) -> int:
        """Rows of all folds."""
        return len(self._rows)

    def posteriors(self, prior: SmoothnessPrior, x: FloatArray) -> list[OutOfFoldRows]:
        """The posterior without each fold, under the hyperparameters x."""
        hyper = unpack(prior, x)
        variances = np.array([variance_of(key, hyper.noise) for key in self._keys])[self._class]
        scaled = self._rows * np.sqrt(hyper.gamma)
        K = blas.dsyrk(1.0, scaled.T, trans=1, lower=1)

        def without(fold: int) -> OutOfFoldRows:
            others = self._fold != fold
            L = _factor(K[np.ix_(others, others)], variances[others])
            alpha = np.zeros(len(others))
            alpha[others] = _solve(L, self._targets[others])
            return OutOfFoldRows(hyper.gamma * (alpha @ self._rows), self._rows, others, L, hyper.gamma)

        return list(in_order(without, range(self.n_folds)))


def _factor(K: FloatArray, variances: FloatArray) -> FloatArray:
    """Lower Cholesky factor of K + V; rounding in K is met as in `thalweg.models.evidence.factor_scaled`."""
    diagonal = np.diag_indices(len(K))
    own, share = K[diagonal], ROUNDING
    for _ in range(_TRIES):
        trial = np.array(K, order="F")
        trial[diagonal] += variances + share * own
        L, info = lapack.dpotrf(trial, lower=1, clean=1, overwrite_a=1)
        if info == 0:
            return np.asarray(L)
        share *= 10.0
    raise ModelError(
        "model: the covariance of the labels is not positive definite; look for a label with absurd numbers"
    )

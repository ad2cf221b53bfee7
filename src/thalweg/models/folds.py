"""Cross-validation from sums: what a model that has not seen a fold makes of it, without keeping a row.

Notation
    K        folds; G_k, b_k, yy_k, m_k: sums over the rows of fold k (thalweg.models.gram)
    w_k      posterior mean fitted to all folds but k, with the hyperparameters given
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas

from thalweg.models.evidence import Hyperparameters, add_scaled, factor_scaled, unpack
from thalweg.models.gram import Grams, Key, key_of, variance_of
from thalweg.models.observation import Block, Kind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

_ROWS_AT_ONCE = 768


class FoldSums:
    """Sums over the rows of each fold; rows are gathered and added many at once.

    Parameters
    ----------
    scale : float64 ndarray, shape (n_columns,)
        Rows are divided by it.
    n_folds : int
    """

    def __init__(self, scale: FloatArray, n_folds: int) -> None:
        self.scale = scale
        self.folds = [Grams(len(scale)) for _ in range(n_folds)]
        self._waiting: dict[tuple[int, Key], list[Block]] = {}
        self._total: Grams | None = None

    def add(self, fold: int, block: Block) -> None:
        """Take in a block of unscaled rows."""
        waiting = self._waiting.setdefault((fold, key_of(block)), [])
        waiting.append(block)
        if sum(len(b.targets) for b in waiting) >= _ROWS_AT_ONCE:
            self._flush(fold, key_of(block))

    def _flush(self, fold: int, key: Key) -> None:
        blocks = self._waiting.pop((fold, key))
        rows = np.concatenate([block.rows for block in blocks])
        rows /= self.scale
        targets = np.concatenate([block.targets for block in blocks])
        self.folds[fold].add(Block(key[0], rows, targets, blocks[0].label_noise), rows)

    def close(self) -> None:
        """Add what is still waiting; to be called after the last block."""
        for fold, key in list(self._waiting):
            self._flush(fold, key)
        self._total = Grams.total(len(self.scale), self.folds)

    def total(self, without: int | None = None) -> Grams:
        """The sums over all folds, or over all but one."""
        if self._total is None:
            self.close()
        assert self._total is not None
        return self._total if without is None else self._total.less(self.folds[without])

    @property
    def kinds(self) -> set[Kind]:
        """Kinds of which there are rows."""
        return {kind for grams in self.folds for (kind, _), gram in grams.items() if gram.m}

    @property
    def n_rows(self) -> int:
        """Rows of all folds."""
        return sum(grams.n_rows for grams in self.folds)


def fold_means(prior: SmoothnessPrior, sums: FoldSums, x: FloatArray) -> list[FloatArray]:
    """w_k of each fold, in scaled features, under the hyperparameters x."""
    hyper = unpack(prior, x)
    whole, whole_b = _weighted(sums.total(), hyper)
    means = []
    for own in sums.folds:
        P, b = _weighted(own, hyper)
        np.subtract(whole, P, out=P)
        U, D = factor_scaled(P, hyper.gamma)
        right = D * (whole_b - b)
        means.append(D * blas.dtrsv(U, blas.dtrsv(U, right, trans=1)))
    return means


def _weighted(grams: Grams, hyper: Hyperparameters) -> tuple[FloatArray, FloatArray]:
    """sum_c G_c / v_c, upper triangle, and sum_c b_c / v_c."""
    P, b = np.zeros((grams.n, grams.n), order="F"), np.zeros(grams.n)
    for key, gram in grams.items():
        v = variance_of(key, hyper.noise)
        add_scaled(P, gram.G, 1.0 / v)
        b += gram.b / v
    return P, b

"""Cross-validation from sums: what a model that has not seen a fold makes of it, without keeping a row.

Notation
    K        folds; out_k: all folds but k
    A_k      diag(1/gamma) + sum over the classes c of out_k of G_c / v_c        (thalweg.models.evidence)
    w_k      A_k^-1 sum_c b_c / v_c, the posterior mean fitted to out_k
    S        any number that depends on the w_k;  g_k = dS/dw_k,  z_k = A_k^-1 g_k

    dS/d log gamma_i      = sum_k z_ki w_ki / gamma_i
    dS/d log noise_kind   = -2 noise² sum_k sum_c z_k . (b_c - G_c w_k) / v_c²

so that hyperparameters can be moved along the slope of any score of held-out predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import blas

from thalweg.features.sharing import in_order
from thalweg.models.dual import KeptRows
from thalweg.models.evidence import add_scaled, factor_scaled, unpack
from thalweg.models.gram import Gram, Grams, Key, key_of, variance_of
from thalweg.models.observation import KINDS, Block, RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

_ROWS_AT_ONCE = 768


class Sums(Protocol):
    """Over the rows of one class: G, b, yy and m of `thalweg.models.gram`, as what they do."""

    @property
    def b(self) -> FloatArray:
        """Sum of rows^T targets, shape (n,)."""

    @property
    def m(self) -> int:
        """Number of rows."""

    def product(self, w: FloatArray) -> FloatArray:
        """G w, shape (n,)."""

    def residual2(self, w: FloatArray) -> float:
        """|targets - rows w|²."""


class Posterior(Protocol):
    """Of all folds but one, in scaled features: its mean w_k, and A_k^-1."""

    @property
    def mean(self) -> FloatArray:
        """w_k, shape (n,)."""

    def solve(self, right: FloatArray) -> FloatArray:
        """A_k^-1 right, shape (n,)."""


class Folds(Protocol):
    """What labels say, fold by fold: by sums (`FoldSums`), or by rows that are few (`thalweg.models.fold_rows`)."""

    scale: FloatArray
    n_folds: int

    def add(self, fold: int, block: Block) -> None:
        """Take in a block of unscaled rows."""

    def close(self) -> None:
        """Finish; to be called once, after the last block."""

    def total(self, without: int | None = None) -> Grams:
        """The sums over all folds, or over all but one."""

    def classes(self, without: int) -> Sequence[tuple[Key, Sums]]:
        """The sums over all folds but one, by class."""

    def virials(self, fold: int) -> Sequence[Sums]:
        """The sums over the virials of one fold, by class of label noise."""

    def kept(self) -> KeptRows:
        """Rows for the evidence while they are few."""

    def posteriors(self, prior: SmoothnessPrior, x: FloatArray) -> Sequence[Posterior]:
        """The posterior without each fold, under the hyperparameters x."""

    @property
    def kinds(self) -> set[RowKind]:
        """Kinds of which there are rows."""

    @property
    def n_rows(self) -> int:
        """Rows of all folds."""


class FoldSums:
    """Sums over the rows of all folds but one; rows are gathered and added many at once.

    Sums of the other folds are added up and never had by subtraction, which would leave the rounding of a fold's
    largest rows behind as if it were information. Of a fold's own sums those of virials stay.

    Parameters
    ----------
    scale : float64 ndarray, shape (n_columns,)
        Rows are divided by it.
    n_folds : int
    """

    def __init__(self, scale: FloatArray, n_folds: int) -> None:
        self.scale, self.n_folds = scale, n_folds
        self._own = [Grams(len(scale)) for _ in range(n_folds)]
        self._others = [Grams(len(scale)) for _ in range(n_folds)]
        self._total = Grams(len(scale))
        self._waiting: dict[tuple[int, Key], list[Block]] = {}

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
        self._own[fold].add(Block(key[0], rows, targets, blocks[0].label_noise), rows)

    def close(self) -> None:
        """Add up; to be called once, after the last block."""
        for fold, key in list(self._waiting):
            self._flush(fold, key)
        n = len(self.scale)
        for key in {key for own in self._own for key, _ in own.items()}:
            parts = [own.take(key) or Gram.zeros(n) for own in self._own]
            self._total.put(key, Gram.total(n, parts))
            for k, others in enumerate(self._others):
                others.put(key, Gram.total(n, parts[:k] + parts[k + 1 :]))
            if key[0] is RowKind.VIRIAL:
                for own, part in zip(self._own, parts, strict=True):
                    own.put(key, part)

    def total(self, without: int | None = None) -> Grams:
        """The sums over all folds, or over all but one."""
        return self._total if without is None else self._others[without]

    def classes(self, without: int) -> list[tuple[Key, Gram]]:
        """The sums over all folds but one, by class."""
        return self.total(without).items()

    def kept(self) -> KeptRows:
        """Rows for the evidence while they are few: none."""
        return KeptRows(len(self.scale), overflown=True)

    def posteriors(self, prior: SmoothnessPrior, x: FloatArray) -> list[OutOfFold]:
        """The posterior without each fold, under the hyperparameters x."""
        hyper, n = unpack(prior, x), len(self.scale)

        def without(fold: int) -> OutOfFold:
            P, b = np.zeros((n, n), order="F"), np.zeros(n)
            for key, gram in self.classes(fold):
                v = variance_of(key, hyper.noise)
                add_scaled(P, gram.G, 1.0 / v)
                b += gram.b / v
            U, D = factor_scaled(P, hyper.gamma)
            return OutOfFold(_solve(U, D, b), U, D)

        return list(in_order(without, range(self.n_folds)))

    def virials(self, fold: int) -> list[Gram]:
        """The sums over the virials of one fold, by class of label noise."""
        return [gram for _, gram in self._own[fold].items()]

    @property
    def kinds(self) -> set[RowKind]:
        """Kinds of which there are rows."""
        return {kind for (kind, _), gram in self._total.items() if gram.m}

    @property
    def n_rows(self) -> int:
        """Rows of all folds."""
        return self._total.n_rows


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The posterior of all folds but one, in scaled features: its mean w_k, and A_k factorised."""

    mean: FloatArray
    factor: FloatArray
    root_gamma: FloatArray

    def solve(self, right: FloatArray) -> FloatArray:
        """A_k^-1 right, shape (n,)."""
        return _solve(self.factor, self.root_gamma, right)


def _solve(U: FloatArray, D: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(D * blas.dtrsv(U, blas.dtrsv(U, D * right, trans=1)))


def out_of_fold(prior: SmoothnessPrior, sums: Folds, x: FloatArray) -> Sequence[Posterior]:
    """The posterior without each fold, under the hyperparameters x."""
    return sums.posteriors(prior, x)


def slope(
    prior: SmoothnessPrior,
    sums: Folds,
    x: FloatArray,
    posteriors: Sequence[Posterior],
    by_mean: list[FloatArray],
) -> FloatArray:
    """dS/dx, shape (n_hyperparameters,), from g_k = dS/dw_k of every fold, shape (n,) each."""
    hyper, out = unpack(prior, x), np.zeros(len(x))
    covariates = prior.covariates()
    for k, (posterior, g) in enumerate(zip(posteriors, by_mean, strict=True)):
        z, w = posterior.solve(g), posterior.mean
        out[: prior.n_prior] += covariates.T @ (z * w / hyper.gamma)
        for key, gram in sums.classes(k):
            by_variance = -float(z @ (gram.b - gram.product(w))) / variance_of(key, hyper.noise) ** 2
            place = prior.n_prior + KINDS.index(key[0])
            out[place] += 2.0 * hyper.noise[key[0]] ** 2 * by_variance
    return out

"""Cross-validation from sums: what a model that has not seen a fold makes of it, without keeping a row.

Notation
    K        folds; G_k, b_k, yy_k, m_k: sums over the rows of fold k (thalweg.models.gram)
    w_k      posterior mean fitted to all folds but k, with the hyperparameters given
    mse      sum_k (yy_k - 2 w_k . b_k + w_k^T G_k w_k) / sum_k m_k        for each kind of row
    score    mean over the kinds of log sqrt(mse), virials with a weight of 1/4: a per cent off the energies counts as
             much as a per cent off the forces, and stress labels, which disagree with energies in many sets, less

The evidence judges hyperparameters of the prior well. The noise of energies and virials against that of forces it
judges badly, since it takes the errors of one structure's rows for independent; where a basis is what limits a fit
they are not. These two ratios are therefore chosen by the score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas

from thalweg.models.evidence import Hyperparameters, add_scaled, factor_scaled, unpack
from thalweg.models.gram import Gram, Grams, Key, key_of, variance_of
from thalweg.models.linear import BayesianLinear
from thalweg.models.observation import KINDS, Block, Kind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

_ROWS_AT_ONCE = 768

LADDERS: dict[Kind, tuple[float, ...]] = {
    Kind.ENERGY: tuple(float(0.5**k) for k in range(9)),
    Kind.VIRIAL: tuple(float(2.0**k) for k in range(4, -5, -1)),
}
"""Å; noise per sqrt(atom) over the forces' noise: 1 to 0.004 for energies, 16 to 0.06 for virials."""
SCORE_WEIGHTS = {Kind.ENERGY: 1.0, Kind.FORCES: 1.0, Kind.VIRIAL: 0.25}
FIRST_RATIO = {Kind.ENERGY: 0.06, Kind.VIRIAL: 1.0}


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
    def n_rows(self) -> int:
        """Rows of all folds."""
        return sum(grams.n_rows for grams in self.folds)


@dataclass(frozen=True)
class HeldOut:
    """Root mean square errors of rows that the model had not seen: eV per sqrt(atom), eV/Å, eV per sqrt(atom)."""

    rmse: dict[Kind, float]

    @property
    def score(self) -> float:
        """Weighted mean log error over the kinds; inf where rounding left no error to speak of."""
        values = np.array(list(self.rmse.values()))
        if not len(values) or not (np.isfinite(values) & (values > 0)).all():
            return float("inf")
        return float(np.average(np.log(values), weights=[SCORE_WEIGHTS[kind] for kind in self.rmse]))


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


def held_out_error(prior: SmoothnessPrior, sums: FoldSums, x: FloatArray) -> HeldOut:
    """Errors over all folds, each predicted from the others under the hyperparameters x."""
    error: dict[Kind, list[float]] = {}
    for own, w in zip(sums.folds, fold_means(prior, sums, x), strict=True):
        for (kind, _), gram in own.items():
            entry = error.setdefault(kind, [0.0, 0.0])
            entry[0] += _residual2(gram, w)
            entry[1] += gram.m
    return HeldOut({kind: float(np.sqrt(max(e / m, 0.0))) for kind, (e, m) in error.items() if m})


def _residual2(gram: Gram, w: FloatArray) -> float:
    Gw = blas.dsymv(1.0, gram.G, w)  # the upper triangle
    return gram.yy - 2.0 * float(w @ gram.b) + float(w @ Gw)


def balance_noise(model: BayesianLinear, sums: FoldSums, start: FloatArray | None = None) -> HeldOut:
    """Choose the noise of energies and of virials by the score, in place; the forces' noise stays.

    Kinds of which there are no rows, or without forces, are left as they are. `start`: hyperparameters of a fit to the
    same labels with another basis, near whose ratios the search begins. Returns the errors at the choice.
    """
    x = model.fitted.x.copy()
    present = {kind for grams in sums.folds for (kind, _), gram in grams.items() if gram.m}
    forces = _place(model, Kind.FORCES)
    kinds = [kind for kind in LADDERS if {kind, Kind.FORCES} <= present]
    for kind in kinds:
        place = _place(model, kind)
        near = FIRST_RATIO[kind] if start is None else float(np.exp(start[place] - start[forces]))
        x[place] = x[forces] + np.log(_nearest(LADDERS[kind], near))
    best = held_out_error(model.prior, sums, x)
    for kind in kinds:
        ladder, place = LADDERS[kind], _place(model, kind)

        def trial(k: int, place: int = place, ladder: Sequence[float] = ladder) -> HeldOut:
            at = x.copy()
            at[place] = x[forces] + np.log(ladder[k])
            return held_out_error(model.prior, sums, at)

        first = ladder.index(_nearest(ladder, float(np.exp(x[place] - x[forces]))))
        chosen, best = _descend(trial, len(ladder), first, best)
        x[place] = x[forces] + np.log(ladder[chosen])
    model.set_hyperparameters(x)
    return best


def _place(model: BayesianLinear, kind: Kind) -> int:
    return model.prior.n_prior + KINDS.index(kind)


def _nearest(ladder: Sequence[float], value: float) -> float:
    return min(ladder, key=lambda rung: abs(np.log(rung / value)))


def _descend(trial: Callable[[int], HeldOut], n: int, start: int, at_start: HeldOut) -> tuple[int, HeldOut]:
    """Step along a ladder as long as the score falls; a score with one minimum is assumed."""
    best, result = start, at_start
    for step in (1, -1):
        while 0 <= best + step < n and (other := trial(best + step)).score < result.score:
            best, result = best + step, other
        if best != start:
            break
    return best, result

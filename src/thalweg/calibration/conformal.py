"""Weighted conformal quantiles and the online correction of their level.

Notation
    s_k, w_k     score of a past record (|error| over a stabilised deviation) and its weight
    w_new        weight of the record to come, whose score is unknown and taken as +inf
    alpha        accepted fraction of misses; alpha_t is the working one

References
    Barber, Candès, Ramdas, Tibshirani, Ann. Stat. 51, 816 (2023), arXiv:2202.13415: weights for
    data that are not exchangeable.
    Lee, Barber, Willett, arXiv:2306.06342: groups (here the atoms of one structure) share one weight.
    Gibbs & Candès, NeurIPS 2021, arXiv:2106.00170, Eq. (2): alpha_{t+1} = alpha_t + gamma (alpha - miss_t).
"""

from __future__ import annotations

import numpy as np

from thalweg import quantiles
from thalweg.errors import check
from thalweg.structure import FloatArray

PRIOR_POINTS = 40


def weighted_quantile(scores: FloatArray, weights: FloatArray, level: float, w_new: float = 0.0) -> float:
    """Smallest s with weight(s_k <= s) >= level * (Σ w_k + w_new); +inf where there is none.

    With equal weights and `w_new` one of them this is the split-conformal quantile with its
    finite-sample correction, the ceil(level * (n + 1))-th smallest score.
    """
    check(
        scores.shape == weights.shape and scores.ndim == 1, f"{scores.shape} scores, {weights.shape} weights"
    )
    check(0 < level < 1, f"level must lie between 0 and 1, got {level}")
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    needed = level * (float(weights.sum()) + w_new)
    # a rounding error of the sum must not push the quantile to the next record
    k = int(np.searchsorted(reached, needed * (1 - 1e-12)))
    return float(scores[order[k]]) if k < len(scores) else float("inf")


def half_normal_scores(width: float) -> FloatArray:
    """PRIOR_POINTS scores at even probabilities of a half-normal distribution of this width: a prior as a sample."""
    p = (np.arange(PRIOR_POINTS) + 0.5) / PRIOR_POINTS
    return np.asarray(quantiles.normals((1 + p) / 2) * width, dtype=np.float64)


def adapt_alpha(working_alpha: float, alpha: float, missed: float, step: float) -> float:
    """One update of the working alpha by the fraction `missed` (0..1) of the latest answer.

    Misses lower it (wider bounds), covered answers raise it, within [alpha/10, 2 alpha]: so that a bad spell
    does not ask for a quantile that the records cannot give, nor a good one give the guarantee away.
    """
    return min(max(working_alpha + step * (alpha - missed), alpha / 10), 2 * alpha)


def pinball_loss(bound: FloatArray, error: FloatArray, weights: FloatArray, level: float) -> float:
    """Weighted mean pinball loss, eV/Å: a proper score, least at the error's quantile at `level`."""
    short = error - bound
    return float(np.average(np.maximum(level * short, (level - 1) * short), weights=weights))

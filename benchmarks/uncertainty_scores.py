"""Figures of merit of an uncertainty: pure functions of errors, bounds and signals.

Notation
    e, b      error and stated bound of an atom, same unit
    target    95 % quantile of the errors in distribution
    wrong     error above 2 targets
    silent    wrong, while the bound is 2 targets or less

L is the pinball loss of the bounds over that of the best constant bound for the same errors, which is their quantile:
1 where bounds know nothing of single atoms, lower where they do, above 1 where they mislead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, spearmanr

from thalweg.calibration.conformal import pinball_loss
from thalweg.structure import BoolArray, FloatArray, IntArray

LEVEL = 0.95
WRONG = 2.0
"""Errors above so many targets are wrong."""
_LEAST_LOSS = 1e-15


def pinball_ratio(bound: FloatArray, error: FloatArray, level: float = LEVEL) -> float:
    """L of bounds (n,) on errors (n,)."""
    even = np.ones_like(error)
    best = np.full_like(error, np.quantile(error, level))
    return float(
        pinball_loss(bound, error, even, level) / max(pinball_loss(best, error, even, level), _LEAST_LOSS)
    )


def coverage(bound: FloatArray, error: FloatArray) -> float:
    """Share of atoms whose error is within the bound."""
    return float(np.mean(error <= bound))


def auroc(signal: FloatArray, bad: BoolArray) -> float | None:
    """Chance that a bad one has the larger signal than a good one (ties count half); None where one kind lacks."""
    n_bad, n_good = int(bad.sum()), int((~bad).sum())
    if not n_bad or not n_good:
        return None
    ranks = float(rankdata(signal)[bad].sum())
    return (ranks - n_bad * (n_bad + 1) / 2) / (n_bad * n_good)


def rank_correlation(signal: FloatArray, error: FloatArray) -> float | None:
    """Spearman's; None where either is constant."""
    if np.ptp(signal) == 0 or np.ptp(error) == 0:
        return None
    return float(spearmanr(signal, error)[0])


def silent_share(bound: FloatArray, error: FloatArray, target: float) -> float | None:
    """Share of wrong atoms that are silent; None where no atom is wrong."""
    wrong = error > WRONG * target
    return float(np.mean(bound[wrong] <= WRONG * target)) if wrong.any() else None


def recall(alarm: BoolArray, wanted: BoolArray) -> float | None:
    """Share of the wanted that give the alarm; None where none is wanted."""
    return float(alarm[wanted].mean()) if wanted.any() else None


def largest_each(values: FloatArray, owner: IntArray, n: int) -> FloatArray:
    """Largest value of each structure 0 ... n-1, -inf for one without atoms; owner says whose each value is."""
    out = np.full(n, -np.inf)
    np.maximum.at(out, owner, values)
    return out


@dataclass(frozen=True)
class Calibrated:
    """How stated standard deviations meet errors.

    Attributes
    ----------
    n : how many
    ratio : rms error over rms stated
    within : share of errors within 2 stated standard deviations
    """

    n: int
    ratio: float
    within: float

    @classmethod
    def of(cls, error: FloatArray, stated: FloatArray) -> Calibrated | None:
        """None without any."""
        if not len(error):
            return None
        scale = float(np.sqrt(np.mean(stated**2)))
        size = float(np.sqrt(np.mean(error**2)))
        ratio = size / scale if scale > 0 else float("inf" if size > 0 else "nan")
        return cls(len(error), ratio, float(np.mean(np.abs(error) <= 2.0 * stated)))

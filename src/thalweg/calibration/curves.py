"""How good the uncertainties were: pure functions of two arrays, for reports and evaluations.

Notation: `bound` or `deviation` is what was predicted per atom, `error` what was found; eV/Å, shape (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg import quantiles
from thalweg.errors import check
from thalweg.structure import FloatArray


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Atoms sorted by what was predicted and cut into bins of equal size; all arrays of shape (n_bins,).

    Attributes
    ----------
    predicted : root mean square of the predicted values of a bin, eV/Å
    found : root mean square error, eV/Å
    quantile : error quantile at the stated confidence, eV/Å; on the diagonal where bounds are calibrated
    coverage : fraction of errors not above what was predicted
    count : atoms
    """

    predicted: FloatArray
    found: FloatArray
    quantile: FloatArray
    coverage: FloatArray
    count: FloatArray


def _same_length(predicted: FloatArray, error: FloatArray) -> None:
    check(
        predicted.shape == error.shape and predicted.ndim == 1 and len(error) > 0,
        f"predicted and found must be arrays of one length above 0, got {predicted.shape} and {error.shape}",
    )


def reliability_curve(
    predicted: FloatArray, error: FloatArray, *, n_bins: int = 10, confidence: float = 0.95
) -> ReliabilityCurve:
    """Predicted against found, in at most `n_bins` bins (one per atom when there are fewer)."""
    _same_length(predicted, error)
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(n_bins, len(error)))

    def per_bin(f: object) -> FloatArray:
        assert callable(f)
        return np.array([f(predicted[k], error[k]) for k in parts], dtype=np.float64)

    return ReliabilityCurve(
        predicted=per_bin(lambda p, e: np.sqrt((p**2).mean())),
        found=per_bin(lambda p, e: np.sqrt((e**2).mean())),
        quantile=per_bin(lambda p, e: np.quantile(e, confidence)),
        coverage=per_bin(lambda p, e: (e <= p).mean()),
        count=per_bin(lambda p, e: len(e)),
    )


def ence(sigma: FloatArray, error: FloatArray, *, n_bins: int = 10) -> float:
    """Expected normalised calibration error, mean over bins of |rms sigma - rms error| / rms sigma.

    Levi, Gispan, Giladi, Fetaya, Sensors 22, 5540 (2022), Eq. (8). `sigma` is a standard deviation of the
    quantity whose `error` is given. 0 is perfect.
    """
    curve = reliability_curve(sigma, error, n_bins=n_bins)
    check(bool((curve.predicted > 0).all()), "ence: a bin of standard deviations is all zero")
    return float((np.abs(curve.predicted - curve.found) / curve.predicted).mean())


def coverage(bound: FloatArray, error: FloatArray) -> float:
    """Fraction of errors not above their bound."""
    _same_length(bound, error)
    return float((error <= bound).mean())


def rank_correlation(predicted: FloatArray, error: FloatArray) -> float:
    """Spearman's rank correlation; NaN where one of the two is constant."""
    _same_length(predicted, error)
    a, b = (quantiles.ranks(v) - (len(v) + 1) / 2 for v in (predicted, error))
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else float("nan")

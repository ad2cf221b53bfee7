"""From labels predicted before they were learned to the factors that widen the posterior's spread, one per kind.

Notation
    e, s     error of a prediction and its standard deviation by the posterior, neither of them widened
    n        the label's own noise
    z        sqrt(max(e² - n², 0)) / s
    f_E, f_V, f_D   factor of energies, of stress, and of differences of energies: conformal quantile of z at LEVEL over
                    that of a normal distribution; f_D is at least f_E
    f_F             factor of forces: sqrt(sum (e² - n²) / sum s²), over all labels

A posterior takes residuals for noise and shrinks by one over the root of the rows, although the oracle repeats itself
and the basis cannot represent it: errors are two to twenty times what it says. On some sets they are below, and the
factor is then below 1.

A quantile, and not the rms of errors over the rms of what is stated: that is decided by the few labels of the largest
variance (cells squeezed beyond all others), and a set of tantalum was understated 4 times by it. The rms of z would be
decided by labels whose rows nearly vanish; so a standard deviation counts as LEAST_SHARE of the median at least. For a
LEVEL of 0.9 fewer labels are enough than for 0.95.
Differences need a factor of their own: what all draws share makes energies uncertain and cancels in a difference, whose
errors may not cancel. Forces have their bound per atom (thalweg.calibration.fit); their factor is for members
(thalweg.potential.members), where pooling has been measured.

Weights are those of `thalweg.calibration.fit`: by stream and age. Before any answer the prior speaks, a half-normal
distribution of z for a factor of PRIOR_FACTOR, which fades as answers come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thalweg import quantiles
from thalweg.calibration.conformal import PRIOR_POINTS, half_normal_scores, weighted_quantile
from thalweg.calibration.records import Stream
from thalweg.errors import check
from thalweg.potential import Widening
from thalweg.structure import FloatArray, Structure

LEVEL = 0.9
PRIOR_FACTOR = 3.0
"""Usual on real data."""
LEAST_SHARE = 0.01
NO_DEVIATION, NO_ERROR = 1e-6, 1e-3
"""eV per sqrt(atom). Of rows that are zero by symmetry both are smaller: they are no evidence."""
SMALLEST, LARGEST = 0.1, 1e4
"""Limits of a factor."""


@dataclass(frozen=True, eq=False)
class Revealed:
    """What a label shows of one kind of quantity: squares of errors, less the label's noise, and variances.

    Both have one number for each quantity, or one sum over all of them; in the units of the model's rows
    (thalweg.models.observation).
    """

    square: FloatArray
    variance: FloatArray

    def __post_init__(self) -> None:
        for name in ("square", "variance"):
            array = np.array(getattr(self, name), dtype=np.float64)
            check(
                array.ndim == 1 and bool(np.isfinite(array).all() and (array >= 0).all()),
                f"revealed: {name} must be finite, one-dimensional and not negative",
            )
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        check(self.square.shape == self.variance.shape, "revealed: one variance is needed for each square")

    @classmethod
    def of(cls, errors: FloatArray, variances: FloatArray, noise: float = 0.0) -> Revealed:
        """One number for each error; `noise` is the label's standard deviation."""
        return cls(np.maximum(errors**2 - noise**2, 0.0), variances)

    @classmethod
    def summed(cls, errors: FloatArray, variances: FloatArray, noise: float = 0.0) -> Revealed:
        """One number for all errors."""
        square = max(float((errors**2).sum()) - errors.size * noise**2, 0.0)
        return cls(np.array([square]), np.array([float(variances.sum())]))

    def to_json(self) -> list[list[float]]:
        """Plain data; floats survive json exactly."""
        return [self.square.tolist(), self.variance.tolist()]


KINDS = ("energy", "forces", "stress", "difference")


@dataclass(frozen=True, eq=False)
class Residuals:
    """What one label shows of the model before it is learned; None where it says nothing of a kind.

    `difference` is that of its energy to another structure's of the same composition.
    """

    stream: Stream
    energy: Revealed | None = None
    forces: Revealed | None = None
    stress: Revealed | None = None
    difference: Revealed | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(self._plain)

    @cached_property
    def _plain(self) -> dict[str, Any]:
        """Made once: every checkpoint writes all that is kept."""
        kinds = {kind: getattr(self, kind) for kind in KINDS}
        return {
            "stream": self.stream.value,
            **{kind: None if own is None else own.to_json() for kind, own in kinds.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Residuals:
        """Inverse of `to_json`."""
        kinds = {
            kind: None if data.get(kind) is None else Revealed(*(np.array(part) for part in data[kind]))
            for kind in KINDS
        }
        return cls(Stream(data["stream"]), **kinds)


def composition(structure: Structure) -> tuple[tuple[int, int], ...]:
    """Elements and their counts in lowest terms: structures of one composition can be compared atom by atom."""
    numbers, counts = np.unique(structure.numbers, return_counts=True)
    divisor = int(np.gcd.reduce(counts))
    return tuple((int(z), int(n) // divisor) for z, n in zip(numbers, counts, strict=True))


def fit_widening(
    residuals: Sequence[Residuals], weights: FloatArray, *, prior_weight: float = 0.0
) -> Widening:
    """The factors that these labels support.

    Parameters
    ----------
    residuals : one for each label
    weights : float64 ndarray, shape (n_labels,)
        1 for a fair and recent one.
    prior_weight : of the prior, in labels; too few labels for the level are helped out by the prior in any case
    """
    check(len(residuals) == len(weights), f"widening: {len(residuals)} labels, {len(weights)} weights")
    energy, stress, difference = (
        _quantile_factor([getattr(one, kind) for one in residuals], weights, prior_weight)
        for kind in ("energy", "stress", "difference")
    )
    energy = energy or PRIOR_FACTOR
    return Widening(
        energy=energy,
        # of what no label says anything, what is known of energies is the best guess
        forces=_pooled_factor([one.forces for one in residuals], weights, prior_weight) or energy,
        stress=stress or energy,
        difference=max(difference or 0.0, energy),
    )


def _kept(parts: Sequence[Revealed | None], weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """|e|, s and weight of every quantity that is evidence; those of a label share its weight."""
    known = [(one, w) for one, w in zip(parts, weights, strict=True) if one is not None]
    if not known:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    error = np.sqrt(np.concatenate([one.square for one, _ in known]))
    deviation = np.sqrt(np.concatenate([one.variance for one, _ in known]))
    share = np.concatenate([np.full(len(one.square), w / len(one.square)) for one, w in known])
    keep = (deviation > NO_DEVIATION) | (error > NO_ERROR)
    return error[keep], deviation[keep], share[keep]


def _quantile_factor(
    parts: Sequence[Revealed | None], weights: FloatArray, prior_weight: float
) -> float | None:
    """f_E or f_V; None without evidence."""
    error, deviation, share = _kept(parts, weights)
    if not len(error):
        return None
    z = error / np.maximum(deviation, max(LEAST_SHARE * float(np.median(deviation)), NO_DEVIATION))
    prior = np.full(PRIOR_POINTS, prior_weight / PRIOR_POINTS)
    scores, all_weights = (
        np.concatenate([z, half_normal_scores(PRIOR_FACTOR)]),
        np.concatenate([share, prior]),
    )
    q = weighted_quantile(scores, all_weights, LEVEL, w_new=1.0)
    unit = quantiles.normal((1 + LEVEL) / 2)
    # too few labels for the level: the worst ever seen, or the prior if that is worse
    factor = q / unit if np.isfinite(q) else max(float(z.max()) / unit, PRIOR_FACTOR)
    return float(np.clip(factor, SMALLEST, LARGEST))


def _pooled_factor(
    parts: Sequence[Revealed | None], weights: FloatArray, prior_weight: float
) -> float | None:
    """f_F; None without evidence."""
    error, deviation, share = _kept(parts, weights)
    total = float(share @ deviation**2)
    if total == 0.0:
        return None
    square = float(share @ error**2)
    # the prior as so many labels of the usual variance
    square += prior_weight * PRIOR_FACTOR**2 * total / float(share.sum())
    total *= 1.0 + prior_weight / float(share.sum())
    return float(np.clip(np.sqrt(square / total), SMALLEST, LARGEST))

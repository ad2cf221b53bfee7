"""What the posterior of one basis does not know: factors that widen its spread, and a model of another shape.

A posterior takes residuals for noise and shrinks as labels come, whether or not the basis can represent the oracle. So
the spread of its draws is multiplied by a factor per kind of quantity, learned from labels predicted before they were
learned (`thalweg.calibration.widening`), and a second model of the same size with another radial exponent, fitted to
the same labels, says what a factor cannot: in a perfect crystal all atoms share one misfit.

Notation
    p_m, p   a quantity by draw m of the posterior, and by the mean model
    p_a      the same by the alternative
    f_k      factor of the quantity's kind

    sd² = f_k² mean_m (p_m - p)² + (p_a - p)²
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from thalweg.errors import check
from thalweg.features.basis import AceBasis
from thalweg.structure import FloatArray

N_DRAWS = 64
"""Posterior draws from which energies are stated: the spread of so many is 9 % off, of eight 25 %."""


@dataclass(frozen=True)
class Widening:
    """Factors on the standard deviation of the posterior draws, per kind of quantity; 1: as the draws have it.

    Attributes
    ----------
    energy, forces, stress, difference : float, dimensionless, above 0
        `difference` is for differences of energies, in which what all draws share cancels.
    """

    energy: float = 1.0
    forces: float = 1.0
    stress: float = 1.0
    difference: float = 1.0

    def __post_init__(self) -> None:
        for kind, factor in asdict(self).items():
            check(
                bool(np.isfinite(factor)) and factor > 0,
                f"widening: the factor of {kind} must be finite and above 0, got {factor}",
            )

    @property
    def largest(self) -> float:
        """Of the four: for quantities of which it is not known what they hang on."""
        return max(self.energy, self.forces, self.stress, self.difference)

    def to_json(self) -> dict[str, float]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, float] | None) -> Widening:
        """Inverse of `to_json`; None gives factors of 1. TypeError or ValueError where it was none."""
        return cls(**{kind: float(factor) for kind, factor in dict(data or {}).items()})


@dataclass(frozen=True, eq=False)
class Alternative:
    """A model of another radial exponent, fitted to the same labels with the same hyperparameters.

    Attributes
    ----------
    basis : AceBasis
        As large as the potential's, of the same elements.
    weights : float64 ndarray, shape (n_elements, p), eV
    """

    basis: AceBasis
    weights: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.basis.elements), self.basis.n_features)
        weights = np.array(self.weights, dtype=np.float64, order="C")
        check(
            weights.shape == shape,
            f"alternative: its weights must have shape {shape}, got {weights.shape}",
        )
        check(bool(np.isfinite(weights).all()), "alternative: its weights hold NaN or infinity")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)


def other_exponent(radial_exponent: int) -> int:
    """The radial exponent of the alternative: the next one that resolves all distances more alike, 2 after 1."""
    return radial_exponent - 1 if radial_exponent > 1 else 2

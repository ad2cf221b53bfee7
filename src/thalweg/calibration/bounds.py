"""The map from committee deviation to error bound, one line per element.

    bound_i = factor_z * deviation_i + floor_z        (eV/Å)

Monotone and linear, so that the walkers evaluate it at every step, and a limit on the bound is a limit on the
deviation, (limit - floor_z) / factor_z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import check
from thalweg.structure import FloatArray, IntArray


@dataclass(frozen=True)
class BoundMap:
    """Factor (dimensionless) and floor (eV/Å) per atomic number; `default` serves elements never met.

    Attributes
    ----------
    confidence : fraction of atoms whose error the bound is to exceed
    default : (factor, floor)
    elements : ((atomic number, factor, floor), ...) in ascending order
    """

    confidence: float
    default: tuple[float, float]
    elements: tuple[tuple[int, float, float], ...] = ()

    def __post_init__(self) -> None:
        for factor, floor in (self.default, *((f, d) for _, f, d in self.elements)):
            check(
                math.isfinite(factor) and factor > 0 and math.isfinite(floor) and floor >= 0,
                f"bound map: need finite factor > 0 and floor >= 0, got {factor} and {floor}",
            )

    def line(self, number: int) -> tuple[float, float]:
        """(factor, floor in eV/Å) of the element with this atomic number."""
        for z, factor, floor in self.elements:
            if z == number:
                return factor, floor
        return self.default

    def lines(self, numbers: IntArray | tuple[int, ...] | list[int]) -> tuple[FloatArray, FloatArray]:
        """Factors and floors (eV/Å) of several atoms or species, each of the shape of `numbers`."""
        table = {z: self.line(z) for z in {int(n) for n in numbers}}
        both = np.array([table[int(n)] for n in numbers], dtype=np.float64).reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy()

    def bound(self, numbers: IntArray, deviation: FloatArray) -> FloatArray:
        """Error bounds (n_atoms,), eV/Å, from committee deviations (n_atoms,), eV/Å."""
        factors, floors = self.lines(numbers)
        return np.asarray(factors * deviation + floors)

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return {
            "confidence": self.confidence,
            "default": list(self.default),
            "elements": [list(e) for e in self.elements],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BoundMap:
        """Inverse of `to_json`."""
        factor, floor = data["default"]
        elements = tuple((int(z), float(f), float(d)) for z, f, d in data["elements"])
        return cls(float(data["confidence"]), (float(factor), float(floor)), elements)

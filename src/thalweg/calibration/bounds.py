"""The map from committee deviation to error bound, one line per element, and a scale for each temperature.

    bound_i = g_T * (factor_z * deviation_i + floor_z)        (eV/Å)

Monotone and linear, so that the walkers evaluate it at every step, and a limit on the bound is a limit on the
deviation, (limit / g_T - floor_z) / factor_z. A structure of no walker gets the largest g_T, the cautious one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import check
from thalweg.structure import FloatArray, IntArray

LEAST_FLOOR = 1e-3
"""eV/Å. No calibrated bound is below it: forces of an oracle are converged to no more than that."""


@dataclass(frozen=True)
class BoundMap:
    """Factor (dimensionless) and floor (eV/Å) per atomic number; `default` serves elements never met.

    Attributes
    ----------
    confidence : fraction of atoms whose error the bound is to exceed
    default : (factor, floor)
    elements : ((atomic number, factor, floor), ...) in ascending order
    scales : ((temperature of the walkers in K, g_T), ...) in ascending order
    """

    confidence: float
    default: tuple[float, float]
    elements: tuple[tuple[int, float, float], ...] = ()
    scales: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for factor, floor in (self.default, *((f, d) for _, f, d in self.elements)):
            check(
                math.isfinite(factor) and factor > 0 and math.isfinite(floor) and floor >= 0,
                f"bound map: need finite factor > 0 and floor >= 0, got {factor} and {floor}",
            )
        for temperature, scale in self.scales:
            check(
                math.isfinite(scale) and scale > 0,
                f"bound map: need a finite scale above 0 at {temperature} K, got {scale}",
            )

    def scale(self, temperature: float | None = None) -> float:
        """g_T of walkers at this temperature (K); the largest where it is None or was never met."""
        table = dict(self.scales)
        if temperature in table:
            return table[temperature]
        return max(table.values(), default=1.0)

    def line(self, number: int, temperature: float | None = None) -> tuple[float, float]:
        """(factor, floor in eV/Å) of the element with this atomic number, for walkers at this temperature (K)."""
        own = next((line[1:] for line in self.elements if line[0] == number), self.default)
        scale = self.scale(temperature)
        return scale * own[0], max(scale * own[1], min(own[1], LEAST_FLOOR))

    def lines(
        self, numbers: IntArray | tuple[int, ...] | list[int], temperature: float | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Factors and floors (eV/Å) of several atoms or species, each of the shape of `numbers`."""
        table = {z: self.line(z, temperature) for z in {int(n) for n in numbers}}
        both = np.array([table[int(n)] for n in numbers], dtype=np.float64).reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy()

    def bound(self, numbers: IntArray, deviation: FloatArray, temperature: float | None = None) -> FloatArray:
        """Error bounds (n_atoms,), eV/Å, from committee deviations (n_atoms,), eV/Å."""
        factors, floors = self.lines(numbers, temperature)
        return np.asarray(factors * deviation + floors)

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return {
            "confidence": self.confidence,
            "default": list(self.default),
            "elements": [list(e) for e in self.elements],
            "scales": [list(one) for one in self.scales],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BoundMap:
        """Inverse of `to_json`."""
        factor, floor = data["default"]
        elements = tuple((int(z), float(f), float(d)) for z, f, d in data["elements"])
        scales = tuple((float(t), float(g)) for t, g in data.get("scales", ()))
        return cls(float(data["confidence"]), (float(factor), float(floor)), elements, scales)

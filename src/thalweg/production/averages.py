"""Averages over a trajectory's log: means, their errors, fluctuations, and the drift of the total energy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.production.blocking import Blocks, Level
from thalweg.production.thermo import COLUMNS, SCALARS
from thalweg.structure import FloatArray

TOTAL = "E_tot_eV"


@dataclass
class Averages:
    """Running sums over the log's rows from step `begin` on; rows before it, the equilibration, are only counted.

    Running sums about the first row, so that a total energy of many eV loses no digits.
    """

    n: int = 0
    n_left_out: int = 0
    first: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    squares: dict[str, float] = field(default_factory=dict)
    time_sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    blocks: dict[str, list[Level]] = field(default_factory=dict)

    def add(self, rows: FloatArray, begin: int = 0) -> None:
        """Take in rows of `table`; those before step `begin` are left out."""
        names = [name for name in SCALARS if rows.size and not np.isnan(rows[0, COLUMNS.index(name)])]
        for row in rows:
            if row[0] < begin:
                self.n_left_out += 1
                continue
            for name in names:
                self._take(name, float(row[COLUMNS.index(name)]))
            time = float(row[1])
            energy = float(row[COLUMNS.index(TOTAL)]) - self.first[TOTAL]
            self.time_sums = [
                a + b for a, b in zip(self.time_sums, (time, time * time, time * energy), strict=True)
            ]
            self.n += 1

    def _take(self, name: str, value: float) -> None:
        delta = value - self.first.setdefault(name, value)
        self.sums[name] = self.sums.get(name, 0.0) + delta
        self.squares[name] = self.squares.get(name, 0.0) + delta * delta
        Blocks(self.blocks.setdefault(name, [])).add(delta)

    def summary(self) -> dict[str, dict[str, float | None]]:
        """`{column: {mean, error_of_mean, sd}}`; empty before the first row.

        `sd` is the fluctuation of single rows, `error_of_mean` the standard error of their mean by blocking (None where
        there are too few rows for how correlated they are).
        """
        out: dict[str, dict[str, float | None]] = {}
        for name, total in self.sums.items():
            mean = total / self.n
            spread = max(self.squares[name] / self.n - mean * mean, 0.0) ** 0.5
            out[name] = {
                "mean": self.first[name] + mean,
                "error_of_mean": self._error(name),
                "sd": spread,
            }
        return out

    def _error(self, name: str) -> float | None:
        blocks = Blocks(self.blocks.get(name, []))
        return blocks.error() if blocks.n == self.n else None  # a restart from before blocks were kept

    def drift(self) -> float | None:
        """Slope of the total energy, eV/ps; None before there are two rows."""
        time, square, product = self.time_sums
        spread = square - time * time / self.n if self.n else 0.0
        if self.n < 2 or spread <= 0.0:
            return None
        return (product - time * self.sums[TOTAL] / self.n) / spread

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "n": self.n,
            "n_left_out": self.n_left_out,
            "first": self.first,
            "sums": self.sums,
            "squares": self.squares,
            "time_sums": self.time_sums,
            "blocks": self.blocks,
        }

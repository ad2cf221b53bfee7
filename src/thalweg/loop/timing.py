"""How the wall time of a run was spent: kept in checkpoints, shown, and written to `summary.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Timing:
    """Wall time in seconds by what it was spent on; `other` is the rest of `wall`."""

    oracle: float = 0.0
    explore: float = 0.0
    fit: float = 0.0
    wall: float = 0.0

    @property
    def other(self) -> float:
        """Store, decisions, display."""
        return max(0.0, self.wall - self.oracle - self.explore - self.fit)

    def to_json(self) -> dict[str, float]:
        """Plain data."""
        return {**asdict(self), "other": self.other}

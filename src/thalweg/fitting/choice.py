"""What was decided about a fit and why, and what the user has decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.fitting.assembly import Fitted
from thalweg.fitting.spread import StressFindings

Tell = Callable[[str], None]
"""Takes a line for people on what has just been done."""


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Choice:
    """One decision: the setting, its value, why in words, and what was compared."""

    setting: str
    chosen: Any
    why: str
    tried: tuple[dict[str, Any], ...] = ()

    @property
    def chosen_in_words(self) -> str:
        """The value for people."""
        if self.setting == "r_cut":
            return f"{self.chosen:g} Å"
        return "by the labels" if isinstance(self.chosen, dict) else str(self.chosen)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "setting": self.setting,
            "chosen": self.chosen,
            "why": self.why,
            "tried": [dict(trial) for trial in self.tried],
        }


@dataclass(frozen=True)
class Wanted:
    """What the user fixed; None is chosen. `radial_weight` belongs to `max_degree`."""

    r_cut: float | None = None
    correlation_order: int | None = None
    max_degree: tuple[int, ...] | None = None
    radial_weight: int = 1

    @property
    def sized(self) -> bool:
        """Whether the size is fixed."""
        return self.max_degree is not None or self.correlation_order is not None

    def basis(
        self, elements: Iterable[str], periodic: bool, r_cut: float | None = None, exponent: int = 3
    ) -> AceBasis:
        """The default basis with what is wanted."""
        r_cut = self.r_cut or r_cut
        order, degrees, weight = self.correlation_order, self.max_degree, self.radial_weight
        return default_basis(elements, periodic, r_cut, order, degrees, exponent, weight)


@dataclass(eq=False)
class Chosen:
    """A fitted basis and how it was chosen."""

    fitted: Fitted
    choices: list[Choice] = field(default_factory=list)
    stress: StressFindings | None = None

"""What was found of the finished potential beside the oracle's own answer: records that a run keeps and tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.properties.eos import EquationOfState


@dataclass(frozen=True, eq=False)
class EquationOfStateResult:
    """The equation of state twice: the potential's and the oracle's; or why there is none.

    Attributes
    ----------
    oracle_calls : int
        Also where it failed.
    potential, oracle : EquationOfState or None
    failed : str
        Why there is none, in words; "" where there is.
    """

    oracle_calls: int
    potential: EquationOfState | None = None
    oracle: EquationOfState | None = None
    failed: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; what is absent is left out."""
        data: dict[str, Any] = {"failed": self.failed} if self.failed else {}
        for name, one in (("potential", self.potential), ("oracle", self.oracle)):
            if one is not None:
                data[name] = one.to_json()
        return data | {"oracle_calls": self.oracle_calls}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EquationOfStateResult:
        """Inverse of `to_json`."""
        potential, oracle = (
            EquationOfState.from_json(data[name]) if name in data else None
            for name in ("potential", "oracle")
        )
        return cls(int(data.get("oracle_calls", 0)), potential, oracle, data.get("failed", ""))

    def describe(self) -> str:
        """In one line."""
        if self.potential is None or self.oracle is None:
            return f"equation of state: {self.failed}"
        return (
            f"equation of state: potential {_in_words(self.potential)}; oracle {_in_words(self.oracle)} "
            f"({self.oracle_calls} calls)"
        )


@dataclass(frozen=True, eq=False)
class PropertyResults:
    """All properties that a run was asked for; None where one was not."""

    equation_of_state: EquationOfStateResult | None = None

    @property
    def oracle_calls(self) -> int:
        """Calls that they took, all together."""
        return 0 if self.equation_of_state is None else self.equation_of_state.oracle_calls

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `properties` of `summary.json`."""
        eos = self.equation_of_state
        return {} if eos is None else {"equation_of_state": eos.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PropertyResults:
        """Inverse of `to_json`."""
        eos = data.get("equation_of_state")
        return cls(None if eos is None else EquationOfStateResult.from_json(eos))

    def describe(self) -> list[str]:
        """One line for each property."""
        return [] if self.equation_of_state is None else [self.equation_of_state.describe()]


def _in_words(eos: EquationOfState) -> str:
    spread = eos.bulk_modulus_uncertainty_GPa
    margin = "" if spread is None else f" ± {spread:.1f}"
    return f"V0 {eos.volume / eos.n_atoms:.2f} Å³/atom, B {eos.bulk_modulus_GPa:.1f}{margin} GPa"

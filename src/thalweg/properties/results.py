"""What was found of the finished potential beside the oracle's own answer: records that a run keeps and tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.properties.eos import EquationOfState

SPREAD = (
    "the committee's spread holds the scatter of the labels alone, not what the basis cannot represent: it is no "
    "error bar. The error is the difference to the oracle"
)
"""What the spread of a property over the committee means where a potential has nothing else."""

STATED = (
    "± is one standard deviation over the potential's members: posterior draws widened by what held-out labels show, "
    "and a model of another radial exponent. The difference to the oracle is the error itself"
)
"""What the uncertainty of a property means, wherever it is shown."""

UNKNOWN = "members of the potential have no minimum here: its uncertainty is not known"


@dataclass(frozen=True)
class EosDifference:
    """The potential's value less the oracle's: the error of the potential, measured.

    Attributes
    ----------
    volume : Å³ per atom, at the minimum
    bulk_modulus_GPa : GPa
    """

    volume: float
    bulk_modulus_GPa: float  # noqa: N815  (GPa is how it is written)

    def to_json(self) -> dict[str, float]:
        """Plain data."""
        return {"volume_per_atom": self.volume, "bulk_modulus_GPa": self.bulk_modulus_GPa}

    def describe(self) -> str:
        """In words."""
        return f"{self.volume:+.3f} Å³/atom and {self.bulk_modulus_GPa:+.1f} GPa"


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
        if self.difference is not None:
            data["difference"] = self.difference.to_json()
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

    @property
    def difference(self) -> EosDifference | None:
        """How far the potential is from its oracle; None where there is no equation of state."""
        if self.potential is None or self.oracle is None:
            return None
        return EosDifference(
            self.potential.volume / self.potential.n_atoms - self.oracle.volume / self.oracle.n_atoms,
            self.potential.bulk_modulus_GPa - self.oracle.bulk_modulus_GPa,
        )

    def describe(self) -> str:
        """In one line."""
        if self.potential is None or self.oracle is None or self.difference is None:
            return f"equation of state: {self.failed}"
        return (
            f"equation of state: potential {_in_words(self.potential)}; oracle {_in_words(self.oracle)} "
            f"({self.oracle_calls} calls); off by {self.difference.describe()}{_spread_in_words(self.potential)}"
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

    @classmethod
    def from_summary(cls, keys: Any) -> PropertyResults:
        """From `properties` of a `summary.json`; none where somebody else has written it otherwise."""
        try:
            return cls.from_json(keys or {})
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls()

    def describe(self) -> list[str]:
        """One line for each property."""
        return [] if self.equation_of_state is None else [self.equation_of_state.describe()]


def _in_words(eos: EquationOfState) -> str:
    spread = eos.bulk_modulus_uncertainty_GPa
    stated = f" ± {spread:.2g}" if eos.calibrated and spread is not None else ""
    return f"V0 {eos.volume / eos.n_atoms:.3f} Å³/atom, B {eos.bulk_modulus_GPa:.1f}{stated} GPa"


def _spread_in_words(eos: EquationOfState) -> str:
    spread = eos.bulk_modulus_uncertainty_GPa
    if eos.calibrated:
        return "" if spread is not None else f" ({UNKNOWN})"
    return "" if spread is None else f" (committee's spread {spread:.1f} GPa, which is no error bar)"

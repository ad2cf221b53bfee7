"""An oracle that goes wrong on purpose: every typed failure, at given rates, reproducibly.

Which structure and attempt fails in which way is drawn from a generator seeded by the structure's hash, the
attempt and `seed`, so a failure does not depend on the order of the calls.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from thalweg.errors import InputError, check
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.oracles.base import Oracle
from thalweg.oracles.entry import OracleEntry, OracleSettings
from thalweg.oracles.probing import label_small
from thalweg.settings.fields import InUnit, quantity
from thalweg.structure import Structure

FAULTS = ("unconverged", "crash", "exit", "hang", "nan", "instant", "absurd")
"""unconverged: says so; crash: raises; exit: ends its process; hang: sleeps; the others lie in a label."""


@dataclass(frozen=True)
class FaultyOracle:
    """Another oracle, spoilt.

    Attributes
    ----------
    inner : mapping
        The config of the oracle that answers when no fault is drawn.
    rates : mapping
        Fault name (one of FAULTS) to probability; they add up to at most 1.
    hang_time : float, s
        How long a hang lasts.
    heals : bool
        Whether the second and later attempts never fail.
    seed : int
    """

    inner: Mapping[str, Any]
    rates: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(("unconverged", "nan"), 0.1))
    hang_time: float = 60.0
    heals: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, rate in self.rates.items():
            if name not in FAULTS:
                near = difflib.get_close_matches(str(name), FAULTS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(f"oracle faulty: rates has no fault {name!r}, only {FAULTS}{hint}")
            check(0.0 <= rate <= 1.0, f"oracle faulty: rates.{name} must lie in [0, 1], got {rate}")
        check(sum(self.rates.values()) <= 1.0 + 1e-12, "oracle faulty: the rates add up to more than 1")
        _ = self._oracle

    @cached_property
    def _oracle(self) -> Oracle:
        from thalweg.oracles.registry import make_oracle

        return make_oracle(self.inner)

    def fault(self, structure: Structure, attempt: int) -> str | None:
        """The fault drawn for this structure and attempt, or None."""
        if self.heals and attempt > 0:
            return None
        digest = hashlib.sha256(f"{structure.content_hash}/{attempt}/{self.seed}".encode()).digest()
        draw = int.from_bytes(digest[:8], "little") / 2.0**64
        for name in FAULTS:  # in this order, whatever the order of `rates`
            rate = self.rates.get(name, 0.0)
            if draw < rate:
                return name
            draw -= rate
        return None

    @property
    def fingerprint(self) -> str:
        """The inner oracle's: what passes is its label, unchanged."""
        return self._oracle.fingerprint

    @property
    def display_name(self) -> str:
        """The inner oracle's name, marked."""
        return f"{self._oracle.display_name} (faulty)"

    @property
    def gives_stress(self) -> bool:
        """As the inner oracle."""
        return self._oracle.gives_stress

    @property
    def gives_isolated_atoms(self) -> bool:
        """As the inner oracle."""
        return self._oracle.gives_isolated_atoms

    @property
    def rungs(self) -> int:
        """As the inner oracle, and 3 at least: faults are drawn again at each attempt."""
        return max(3, self._oracle.rungs)

    def check_structure(self, structure: Structure) -> None:
        """As the inner oracle."""
        self._oracle.check_structure(structure)

    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """The inner oracle's answer, or the fault drawn: it also raises, hangs and exits."""
        fault = self.fault(structure, attempt)
        if fault == "unconverged":
            return Failure(
                FailureKind.UNCONVERGED, "SCF not converged (on purpose)", "", self.fingerprint, 1e-3
            )
        if fault == "crash":
            raise RuntimeError("crashed on purpose")
        if fault == "exit":
            os._exit(42)
        if fault == "hang":
            time.sleep(self.hang_time)
        answer = self._oracle.label(structure, attempt)
        if isinstance(answer, Failure):
            return answer
        return _lie(answer, fault)


def _lie(label: Label, fault: str | None) -> Label:
    """The label with the fault's damage in it."""
    if fault == "nan":
        return replace(label, forces=np.full_like(label.forces, np.nan))
    if fault == "instant":
        return replace(label, wall_time=0.0)
    if fault == "absurd":
        return replace(label, forces=label.forces + 1e6)
    return label


class FaultySettings(OracleSettings):
    """Another oracle that goes wrong on purpose: for tests of everything around it."""

    name: Literal["faulty"]
    inner: dict[str, Any] = Field(description="The `oracle` section of the oracle that answers.")
    rates: dict[str, float] = Field(
        default={"unconverged": 0.1, "nan": 0.1},
        description="Probability of each fault: " + ", ".join(FAULTS) + ".",
    )
    hang_time: Annotated[float, quantity("s", ">= 0"), InUnit("s")] = Field(
        default=60.0, description="How long a hang lasts."
    )
    heals: bool = Field(default=False, description="Whether the second and later attempts never fail.")
    seed: int = Field(default=0, description="Seed of the faults.")


FAULTY = OracleEntry(
    name="faulty",
    oracle=FaultyOracle,
    settings=FaultySettings,
    summary="another oracle with deliberate faults",
    probe=lambda: label_small(FaultyOracle({"name": "morse"}, {}), "Cu"),
    core=True,
    advise=lambda structures: {"inner": {"name": "morse"}},
)

"""The progress of a production trajectory, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from thalweg.explorers import Snapshot, WalkEvent
from thalweg.production.averages import Averages


@dataclass(frozen=True)
class ProductionProgress:
    """Where a trajectory stands; what is None is not known yet. Units as in the log."""

    step: int
    n_steps: int
    time_ps: float
    steps_per_second: float | None
    temperature: float | None = None
    pressure_gpa: float | None = None
    bound: float | None = None


class Observer(Protocol):
    """Hears how it goes."""

    def progress(self, progress: ProductionProgress) -> None:
        """Called about ten times a second."""
        ...

    def say(self, text: str) -> None:
        """A line worth keeping."""
        ...


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a trajectory ended for now.

    Attributes
    ----------
    state : 'finished', 'halted' or 'interrupted'
    step : int
        The last step within the limits.
    event : Event
        What ended it.
    reason : str
        Why it halted, in words; empty otherwise.
    snapshot : Snapshot
        The moment at `step`.
    averages : Averages
    worst : mapping
        The largest bound met: `bound` (eV/Å), `atom`, `step`; empty where nothing was scored.
    parted : mapping
        When the structure fell apart or its cell flowed: `how`, `what`, `step`, `time_ps`; empty where it did not.
    steps_done, seconds : int, s
        Of this call.
    """

    state: str
    step: int
    event: WalkEvent
    reason: str
    snapshot: Snapshot
    averages: Averages
    worst: dict[str, Any]
    parted: dict[str, Any]
    steps_done: int
    seconds: float

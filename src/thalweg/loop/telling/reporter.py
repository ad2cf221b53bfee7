"""Who listens to a run: the contract of a Reporter, the kinds of line it hears, and where the run stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from thalweg.loop.timing import Timing


class EventKind(StrEnum):
    """What a line of the conversation is about."""

    START = "start"
    RESUME = "resume"
    CHANGE = "change"
    SEED = "seed"
    QUERY = "query"
    AUDIT = "audit"
    BACKTRACK = "backtrack"
    REJECT = "reject"
    PARTED = "parted"
    FAILURE = "failure"
    CALIBRATE = "calibrate"
    BASIS = "basis"
    WARNING = "warning"
    ADVICE = "advice"
    STOP = "stop"
    INFO = "info"


@dataclass(frozen=True)
class WalkerProgress:
    """One walker.

    temperature in K, time in ps of `time_total` ps, `bound` the largest force error bound of its structure
    now in eV/Å (None before the first model), `state` in a word: walking, waiting, done.
    """

    index: int
    temperature: float
    time: float
    time_total: float
    bound: float | None = None
    state: str = "walking"


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    iteration : int
    oracle_calls, budget : int
        Calls so far, audits included, and the most that are allowed.
    n_labels : int
    md_ps : float, ps
        Summed over the walkers.
    walkers : tuple of WalkerProgress
    target : float, eV/Å
        The force error that the user accepts.
    confidence : float
        The share of atoms that must be below it.
    bound : float or None, eV/Å
        The largest error bound on any walker now.
    audited : int
        Structures audited so far.
    within_target : (low, high) or None
        Confidence interval of the share of atoms below the target, from the audit.
    forecast : str
        What the next calls would buy, in words.
    steps_per_second : float
        MD steps of all walkers together, while exploring.
    timing : Timing
    """

    iteration: int
    oracle_calls: int
    budget: int
    n_labels: int
    md_ps: float
    walkers: tuple[WalkerProgress, ...]
    target: float
    confidence: float
    bound: float | None = None
    audited: int = 0
    within_target: tuple[float, float] | None = None
    forecast: str = ""
    steps_per_second: float = 0.0
    timing: Timing = field(default_factory=Timing)


class Reporter(Protocol):
    """A listener. It must not raise: a run does not end because nobody reads its lines."""

    def event(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """One line of the conversation; `kind` is one of EventKind, `data` the same as numbers."""
        ...

    def progress(self, progress: Progress) -> None:
        """Where the run stands now; called often, cheap when nobody looks."""
        ...


class NullReporter:
    """Nobody listens: the library's default."""

    def event(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """Nothing is shown."""

    def progress(self, progress: Progress) -> None:
        """Nothing is shown."""

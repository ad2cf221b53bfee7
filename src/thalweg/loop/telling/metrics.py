"""The numbers of an iteration, which the store keeps for the report's curves."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from thalweg.explorers.visit import Visit
from thalweg.loop.state import LoopState
from thalweg.loop.timing import Timing
from thalweg.loop.walking.exploration import Walk


@dataclass(frozen=True)
class WalkerMetrics:
    """A walker's block.

    Attributes
    ----------
    index : int
    temperature : float, K
        Friction of the thermostat.
    time : float, ps
        How far it has come.
    bound, novelty : float or None; eV/Å, and in units of the training set's reach
        Of the worst moment.
    kinetic_temperature : float or None, K
        Mean over the block; None where no step was made, or nothing moves in time.
    steps : int
    """

    index: int
    temperature: float
    time: float
    bound: float | None
    novelty: float | None
    kinetic_temperature: float | None
    steps: int

    @classmethod
    def of(cls, index: int, visit: Visit[Any]) -> WalkerMetrics:
        """What walker `index` met."""
        worst, warmth = visit.worst, visit.mean_temperature
        return cls(
            index=index,
            temperature=visit.state.temperature,
            time=visit.state.time_fs / 1000.0,
            bound=None if worst is None else worst.bound_max,
            novelty=None if worst is None else worst.novelty_max,
            kinetic_temperature=None if math.isnan(warmth) else warmth,
            steps=visit.n_steps,
        )


@dataclass(frozen=True)
class IterationMetrics:
    """A block of every walker that went, and what the run had cost by then."""

    oracle_calls: int
    n_labels: int
    timing: Timing
    walkers: tuple[WalkerMetrics, ...]

    @classmethod
    def of(cls, state: LoopState, timing: Timing, walk: Walk) -> IterationMetrics:
        """The numbers after a block."""
        pairs = zip(walk.judgements, walk.results, strict=True)
        walkers = tuple(WalkerMetrics.of(judgement.walker, visit) for judgement, visit in pairs)
        return cls(state.policy.calls, state.policy.n_labels, timing, walkers)

    def to_json(self) -> dict[str, Any]:
        """Plain data, in the keys that the report reads."""
        return {
            "oracle_calls": self.oracle_calls,
            "n_labels": self.n_labels,
            "timing": self.timing.to_json(),
            "walkers": [asdict(walker) for walker in self.walkers],
        }

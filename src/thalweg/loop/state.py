"""The loop's whole state between two iterations, and its form in a checkpoint; the policy's part is policy_state.py's.

Everything that a run's future depends on is here or among the labels: walkers with their random counters, the generator
for audits, what the policy remembers, the calibration, the basis that was chosen, and the points at which
hyperparameters were looked for. The model is not kept; it is relearned from the labels in order, to the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.calibration import Calibration
from thalweg.explorers.base import Walker
from thalweg.explorers.explorer import AnyExplorer
from thalweg.loop.deciding.advice import Counsel
from thalweg.loop.deciding.policy_state import PolicyState
from thalweg.loop.learning.basing import Basing
from thalweg.loop.learning.learner import Tuning
from thalweg.loop.timing import Timing
from thalweg.structure import FloatArray
from thalweg.uncertainty.reach import NoveltyRecord

FORMAT = 1


@dataclass
class LoopState:
    """State of a run.

    `homes` are the walkers where each was last trusted: where a rejected one restarts. `set_aside` are the hashes of
    structures on which every attempt of the oracle has failed; `under_way` the numbers of the questions that were put
    and not yet answered, `shares` the calls that each may take; `ahead` are calls counted before their answer is
    received, by structure hash. `starts` is the start (from 0) that each walker walks from, `legs` the number of the
    leg it is on; both empty until walkers go. `left_at` are positions and cell (Å) where walkers left a start for
    another, by walker and start. `looked_at` are the labels there were when it was last asked whether they hold
    together; `findings` is what was said of that. `novelty` has the novelties of audits, from which its limit follows.
    `counsel` is what is advised.
    """

    policy: PolicyState
    rng: np.random.Generator
    calibration: Calibration
    walkers: list[Walker] = field(default_factory=list)
    homes: list[Walker] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    legs: list[int] = field(default_factory=list)
    left_at: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    tunings: list[Tuning] = field(default_factory=list)
    novelty: NoveltyRecord = field(default_factory=NoveltyRecord)
    basing: Basing = field(default_factory=Basing)
    n_first: int = 0
    set_aside: set[str] = field(default_factory=set)
    under_way: list[int] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)
    ahead: dict[str, int] = field(default_factory=dict)
    looked_at: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)
    counsel: Counsel = field(default_factory=Counsel)
    md_steps: int = 0
    timing: Timing = field(default_factory=Timing)

    def start_of(self, walker: int) -> int | None:
        """The start that this walker walks from; None where that is not known."""
        return self.starts[walker] if walker < len(self.starts) else None

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return {
            "format": FORMAT,
            "policy": self.policy.to_json(),
            "rng": self.rng.bit_generator.state,
            "calibration": self.calibration.to_json(),
            "walkers": [walker.to_dict() for walker in self.walkers],
            "homes": [home.to_dict() for home in self.homes],
            "starts": self.starts,
            "legs": self.legs,
            "left_at": [[*key, *(array.tolist() for array in place)] for key, place in self.left_at.items()],
            "tunings": [[tuning.n_labels, list(tuning.x)] for tuning in self.tunings],
            "novelty": self.novelty.to_json(),
            "basing": self.basing.to_json(),
            "n_first": self.n_first,
            "set_aside": sorted(self.set_aside),
            "under_way": self.under_way,
            "shares": self.shares,
            "ahead": self.ahead,
            "looked_at": self.looked_at,
            "findings": self.findings,
            "counsel": self.counsel.to_json(),
            "md_steps": self.md_steps,
            "timing": [self.timing.oracle, self.timing.explore, self.timing.fit, self.timing.wall],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], explorer: AnyExplorer) -> LoopState:
        """Inverse of `to_json`; InputError where the walkers are not those of `explorer`."""
        rng = np.random.default_rng()
        rng.bit_generator.state = data["rng"]
        return cls(
            policy=PolicyState.from_json(data["policy"]),
            rng=rng,
            calibration=Calibration.from_json(data["calibration"]),
            walkers=[explorer.state_from_dict(walker) for walker in data["walkers"]],
            homes=[explorer.state_from_dict(home) for home in data["homes"]],
            tunings=[Tuning(n, tuple(x)) for n, x in data["tunings"]],
            basing=Basing.from_json(data.get("basing")),
            n_first=data["n_first"],
            # the first checkpoints of this format have none of these
            set_aside=set(data.get("set_aside", ())),
            starts=data.get("starts", []),
            legs=data.get("legs", []),
            novelty=NoveltyRecord.from_json(data.get("novelty", ())),
            left_at={
                (k, s): (np.array(positions), np.array(cell))
                for k, s, positions, cell in data.get("left_at", ())
            },
            under_way=data.get("under_way", []),
            shares=data.get("shares", []),
            ahead=data.get("ahead", {}),
            looked_at=data.get("looked_at", 0),
            findings=data.get("findings", []),
            counsel=Counsel.from_json(data.get("counsel", {})),
            md_steps=data["md_steps"],
            timing=Timing(*data["timing"]),
        )

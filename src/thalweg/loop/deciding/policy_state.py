"""What the user asked for, what the policy remembers, and the limits that follow from both.

Phases. *Explore*: ask whatever is uncertain, audit by the clock. *Certify*: the time is walked, or the calls
left are just enough to certify; every block gives audits. *Patrol*: certified before the time was walked;
walkers continue, and only what crosses the break limit is asked about.

The label limit follows from the user's target: it starts at LIMIT_RATIO times the target force error, because it is
compared with the largest bound over all atoms and steps of a block, which lies far above the typical one; it is
tightened each time the audits have shown that the target is missed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from thalweg.loop.deciding.ground import Ground, Stretch
from thalweg.loop.deciding.stopping import AuditRecord, Certification, Target, Verdict

LIMIT_RATIO = 2.0
"""Label limit over target force error at the start."""
BREAK_RATIO = 3.0
"""Break limit over label limit, at least; at first the size of the forces themselves is the break limit."""


class Phase(StrEnum):
    """Where a run stands."""

    SEED = "seed"
    EXPLORE = "explore"
    CERTIFY = "certify"
    PATROL = "patrol"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Rules:
    """What the user asked for, in the policy's units. Times per walker in fs."""

    target: Target
    oracle_calls: int
    time_fs: float
    block_fs: float
    walkers: int
    batch: int
    audit_fraction: float
    sends_back: bool = True
    """Whether walkers that fell apart go back to their start."""


@dataclass(frozen=True)
class PolicyState:
    """Everything the policy remembers.

    `walked_fs` is each walker's time; `audited_fs` the walked time since the last audit was due; `force_scale`
    (eV/Å) the rms force on an atom in the labels: a bound as large as that says that nothing is known of the
    force. No window of audits begins before `learn_until` labels, unless `quiet` blocks in a row have raised no
    question. `stalled` counts blocks in a row in which no walker moved and no call was made. `handed` structures
    from outside wait for their label; they come before any other question, whatever they leave of the budget.
    `under_way` questions have been put and not answered, some of them raised by the walkers `held`; `elsewhere`: they
    were put before exploration was changed. `ground` is what was walked since exploration was last changed, and
    `audits_before` the audits made before that.
    """

    phase: Phase = Phase.SEED
    calls: int = 0
    failed: int = 0
    n_labels: int = 0
    iteration: int = 0
    walked_fs: tuple[float, ...] = ()
    block_fs: float = 0.0
    limit_ratio: float = LIMIT_RATIO
    audited_fs: float = 0.0
    force_scale: float = 0.0
    learn_until: int = 0
    quiet: int = 0
    stalled: int = 0
    handed: int = 0
    under_way: int = 0
    held: tuple[int, ...] = ()
    elsewhere: bool = False
    audits: tuple[AuditRecord, ...] = ()
    audits_before: int = 0
    ground: Ground = ()
    certification: Certification = field(default_factory=Certification)
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["audits"] = [audit.to_json() for audit in self.audits]
        data["ground"] = [dataclasses.asdict(row) for row in self.ground]
        data["certification"] = self.certification.to_json()
        data["verdict"] = None if self.verdict is None else self.verdict.to_json()
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PolicyState:
        """Inverse of `to_json`."""
        verdict = data["verdict"]
        return cls(
            **{
                **data,
                "phase": Phase(data["phase"]),
                "walked_fs": tuple(data["walked_fs"]),
                "held": tuple(data.get("held", ())),
                "audits": tuple(AuditRecord.from_json(a) for a in data["audits"]),
                "ground": tuple(Stretch.from_json(row) for row in data.get("ground", ())),
                "certification": Certification.from_json(data["certification"]),
                "verdict": None if verdict is None else Verdict.from_json(verdict),
            }
        )

    def calls_left(self, rules: Rules) -> int:
        """Calls of the budget that no question has taken yet."""
        return rules.oracle_calls - self.calls - self.under_way

    @property
    def present_audits(self) -> tuple[AuditRecord, ...]:
        """The audits of what is walked now."""
        return self.audits[self.audits_before :]

    @property
    def blind_audits(self) -> int:
        """Audits that are no evidence, since forces vanish by symmetry."""
        return sum(row.blind for row in self.ground)

    @property
    def slowest_fs(self) -> float:
        """Time walked by the walker that is furthest behind, fs."""
        return min(self.walked_fs, default=0.0)


def label_limit(state: PolicyState, rules: Rules) -> float:
    """The bound (eV/Å) above which a moment becomes a question."""
    limit = state.limit_ratio * rules.target.force_error
    return limit * BREAK_RATIO if state.phase is Phase.PATROL else limit


def break_limit(state: PolicyState, rules: Rules) -> float:
    """The bound (eV/Å) above which a walker must not go on: it knows no more than the size of the forces."""
    return max(
        label_limit(state, rules),
        BREAK_RATIO * state.limit_ratio * rules.target.force_error,
        state.force_scale,
    )

"""What happens in a run (events) and what is to be done next (actions): frozen data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.loop.deciding.ground import Stretch
from thalweg.loop.deciding.stopping import AuditRecord, Verdict
from thalweg.uncertainty.reach import FIRST_LIMIT

# ---- events -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The run begins, or goes on after an interruption; `handed` structures from outside wait for their label."""

    handed: int = 0


@dataclass(frozen=True)
class SeedsAnswered:
    """The first structures have been put to the oracle and learned; `force_scale` is their rms atomic force, eV/Å."""

    calls: int
    failed: int
    labels: int
    force_scale: float


@dataclass(frozen=True)
class BlockEnded:
    """The free walkers advanced by one block, and `questions` now stand in the queue.

    `advanced_fs` has all walkers; those that are held have not moved. `stretches` are what those that went have
    walked, place by place.
    """

    advanced_fs: tuple[float, ...]
    questions: int
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class Answered:
    """Answers of the oracle have arrived and, where they are labels, have been learned.

    `calls` counts every call, audits and failures included; `audits` are the audits among them, scored;
    `force_scale` is the rms atomic force of all labels by now, eV/Å; `waiting` the structures handed in that still
    wait, None where this was about others. `under_way` questions have been put and not answered; the walkers `held`
    raised some of these, and stand until they are. `blind` are audits that are no evidence, by their place.
    """

    calls: int
    failed: int
    queries: int
    audits: tuple[AuditRecord, ...]
    force_scale: float
    waiting: int | None = None
    under_way: int = 0
    held: tuple[int, ...] = ()
    blind: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class OutOfTime:
    """The wall-clock budget is spent."""


LoopEvent = Started | SeedsAnswered | BlockEnded | Answered | OutOfTime


# ---- actions ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LabelSeeds:
    """Put the first structures to the oracle, fit the first model, start the walkers."""


@dataclass(frozen=True)
class Explore:
    """Advance every walker but those `held` by `block_fs`, judged at every step; limits are error bounds in eV/Å.

    Beyond `novelty_limit` an environment is asked about, however sure the committee is; audits say what it is
    (`thalweg.uncertainty.reach`), at the time of walking.
    """

    block_fs: float
    limit: float
    break_limit: float
    held: tuple[int, ...] = ()
    novelty_limit: float = FIRST_LIMIT


@dataclass(frozen=True)
class DrawAudits:
    """Draw `n` structures at random from the block just walked and queue them as audits."""

    n: int


@dataclass(frozen=True)
class Ask:
    """Put all queued audits and the `n` best-scored queries to the oracle; withdraw the queries left over.

    A withdrawn question is not lost: the walker goes on, and asks again where it is uncertain again. With several
    workers some of the last questions stay under way.
    """

    n: int


@dataclass(frozen=True)
class Receive:
    """Wait for the question under way that was put first, and learn its answer."""


@dataclass(frozen=True)
class AskHanded:
    """Put the structures handed in from outside to the oracle, in their order, for up to `n` calls."""

    n: int


@dataclass(frozen=True)
class SaveCheckpoint:
    """Make the state durable: from here a killed run goes on."""


@dataclass(frozen=True)
class Stop:
    """End the run; the verdict says why and what is certified."""

    verdict: Verdict


Action = LabelSeeds | Explore | DrawAudits | Ask | Receive | AskHanded | SaveCheckpoint | Stop

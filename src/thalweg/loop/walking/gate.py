"""The four answers of the gate: trust, label, backtrack, reject; each with its reason in words.

The explorer checks every step against the limits and stops a walker that must not continue. This module turns what it
found in a block into one answer per walker. Pure: no model, no store.

    what was met in the block                      a sane earlier moment?      answer
    nothing above a label limit                                                trust
    above a label limit                                                        label (the worst moment)
    above a break limit                                                        backtrack (label that moment)
    unphysical                                     yes                         backtrack (label that moment)
                                                   no                          reject
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ase.data import chemical_symbols

from thalweg.explorers.base import Snapshot
from thalweg.explorers.limits import Finding, WalkEvent
from thalweg.explorers.visit import Visit
from thalweg.labelling.question import Reason
from thalweg.structure import Structure

SANE_FRACTION = 0.8
"""A walker steps back to where its largest bound was below this fraction of the break limit."""


class GateAnswer(StrEnum):
    """What the gate says of a block."""

    TRUST = "trust"
    LABEL = "label"
    BACKTRACK = "backtrack"
    REJECT = "reject"


CAUSES = {
    WalkEvent.NOT_FINITE: "not_finite",
    WalkEvent.TOO_CLOSE: "too_close",
    WalkEvent.TOO_HOT: "too_hot",
    WalkEvent.ENERGY_SPIKE: "energy_spike",
    WalkEvent.BREAK_UNCERTAIN: "uncertain",
    WalkEvent.BREAK_NOVEL: "novel",
    WalkEvent.LABEL_UNCERTAIN: "uncertain",
    WalkEvent.LABEL_NOVEL: "novel",
}


@dataclass(frozen=True)
class GateLimits:
    """What a block is held against: bounds in eV/Å, novelty in units of the training set's reach."""

    label: float
    break_: float
    novelty_label: float
    novelty_break: float


@dataclass(frozen=True)
class Judgement:
    """The gate's answer for one walker's block: what to ask about (None for trust and reject) and why."""

    walker: int
    answer: GateAnswer
    reason: Reason | None = None
    moment: Snapshot | None = None


def reason_of(verdict: Finding, structure: Structure) -> Reason:
    """The reason that the explorer gave, with its words."""
    atom = -1 if verdict.atom is None else verdict.atom
    element = chemical_symbols[int(structure.numbers[atom])] if atom >= 0 else ""
    text = verdict.describe(structure)
    return Reason(CAUSES[verdict.event], atom, element, verdict.value, verdict.limit, text)


def reason_at(moment: Snapshot, limits: GateLimits) -> Reason:
    """Why this moment is asked about, by its own scores: the bound where that is above its limit, else novelty."""
    bound, novelty = moment.bound_max or 0.0, moment.novelty_max or 0.0
    if bound >= limits.label or novelty < limits.novelty_label:
        verdict = Finding(WalkEvent.LABEL_UNCERTAIN, moment.bound_atom, value=bound, limit=limits.label)
    else:
        verdict = Finding(
            WalkEvent.LABEL_NOVEL, moment.novelty_atom, value=novelty, limit=limits.novelty_label
        )
    return reason_of(verdict, moment.structure)


def judge(walker: int, result: Visit[Any], limits: GateLimits) -> Judgement:
    """The answer for one walker's block."""
    if result.verdict.event.is_break or result.verdict.event.is_insane:
        return _judge_broken(walker, result, limits)
    if result.crossing is None:
        return Judgement(walker, GateAnswer.TRUST)
    moment = result.worst
    # Novelty may have crossed where the bound did not: then that moment is the one to ask about.
    if moment is None or ((moment.bound_max or 0.0) < limits.label and result.first_crossing is not None):
        moment = result.first_crossing
    if moment is None:
        return Judgement(walker, GateAnswer.TRUST)
    return Judgement(walker, GateAnswer.LABEL, reason_at(moment, limits), moment)


def _judge_broken(walker: int, result: Visit[Any], limits: GateLimits) -> Judgement:
    reason = reason_of(result.verdict, result.state.structure)
    if result.verdict.event.is_break:
        # One step before, it was below the limit, or it is where the block began: sane, and worth a label.
        below = result.last_sane(SANE_FRACTION * limits.break_, limits.novelty_break)
        return Judgement(walker, GateAnswer.BACKTRACK, reason, below or result.last)
    # What is unphysical has gone wrong some time before.
    trusted = result.last_sane(limits.label, limits.novelty_label)
    sane = trusted or result.last_sane(SANE_FRACTION * limits.break_, limits.novelty_break)
    if sane is None:
        return Judgement(walker, GateAnswer.REJECT, reason)
    return Judgement(walker, GateAnswer.BACKTRACK, reason, sane)

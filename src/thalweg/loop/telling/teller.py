"""Reports answers, failures, tunings and walks to the journal, in the words of conversation.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.bonds import fragments, named, pieces
from thalweg.explorers.origin import is_open
from thalweg.fitting.references import References
from thalweg.label import Label
from thalweg.labelling.question import Question, QuestionKind, Reply
from thalweg.loop.deciding.advice import Advice
from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.loop.learning.basing import BasisChoice
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.searching import by_left_out
from thalweg.loop.state import LoopState
from thalweg.loop.telling import conversation
from thalweg.loop.telling.journal import Journal
from thalweg.loop.telling.reporter import EventKind
from thalweg.loop.walking.exploration import Walk
from thalweg.loop.walking.gate import GateAnswer
from thalweg.oracles.base import Oracle
from thalweg.structure import Structure
from thalweg.units import GPa


class Teller:
    """Tells the journal.

    Parameters
    ----------
    journal : Journal
    oracle : Oracle
    force_error : float, eV/Å
        The target that audits are held against.
    """

    def __init__(self, journal: Journal, oracle: Oracle, force_error: float) -> None:
        self.journal, self.force_error = journal, force_error
        self.oracle, self.rungs = oracle.display_name, oracle.rungs

    def isolated_atoms(self, replies: Sequence[Reply]) -> None:
        """What came of the questions about isolated atoms."""
        if not replies:
            return
        failed = [reply for reply in replies if reply.label is None]
        energies = [reply.label.energy for reply in replies if reply.label is not None]
        names = [reply.question.where.rpartition(" ")[2] for reply in replies]
        if failed:
            why = failed[0].failures[-1].message if failed[0].failures else "no call left"
            text = conversation.no_isolated_atom(names[-1], self.oracle, why)
        else:
            text = conversation.isolated_atoms(dict(zip(names, energies, strict=True)), self.oracle)
        self.journal.say(0, EventKind.SEED, text, {"calls": sum(reply.calls for reply in replies)})

    def starts(self, replies: Sequence[Reply | None]) -> None:
        """Forces, pressure and fragments of the start structures, whose replies these are."""
        for number, reply in enumerate(replies, start=1):
            if reply is None or (label := reply.label) is None:
                continue
            facts = _facts(reply.question.structure, label)
            text = conversation.start_structure(number, len(replies), facts)
            kind = EventKind.WARNING if facts.is_far_from_rest else EventKind.INFO
            data = {
                "largest_force": facts.force,
                "pressure_GPa": facts.pressure,
                "fragments": facts.n_fragments,
            }
            self.journal.say(0, kind, text, data)

    def relaxed(
        self,
        number: int,
        total: int,
        before: tuple[Structure, Label],
        after: tuple[Structure, Label],
        calls: int,
        converged: bool,
    ) -> None:
        """A start structure was relaxed."""
        facts = _facts(*before), _facts(*after)
        text = conversation.relaxed(number, total, facts, calls, converged)
        kind = EventKind.INFO if converged else EventKind.WARNING
        self.journal.say(0, kind, text, {"calls": calls, "converged": converged})

    def references(self, references: References, n_first: int) -> None:
        """Isolated atoms that do not go with the first labels, of which there are `n_first`."""
        for element, own in references.foreign.items():
            text = conversation.foreign_atom(element, [energy for place, energy in own if place >= n_first])
            self.journal.say(0, EventKind.WARNING, text, {"element": element})

    def seed(self, number: int, total: int, reply: Reply, call: int) -> None:
        """What came of seed `number` of `total`, whose first call was `call`."""
        self.failures(reply, call)
        if reply.label is not None:
            text = conversation.answered_seed(number, total, self.oracle, reply.label.wall_time)
            self.journal.say(0, EventKind.SEED, text, {"energy": reply.label.energy})

    def answer(
        self, iteration: int, question: Question, call: int, record: AuditRecord, seconds: float
    ) -> None:
        """A label that was learned in `seconds`, and how far off its prediction was."""
        error, bound = max(record.force_errors), max(record.force_bounds)
        reason, stress = question.reason, record.stress_error
        stress = None if stress is None else stress / GPa
        others = conversation.beside_forces(record.energy_error, stress)
        errors = {"error": error, "energy_error": record.energy_error, "stress_error_GPa": stress}
        data = {"call": call, **errors, "bound": bound, "seconds": seconds, **reason.to_json()}
        if question.kind is QuestionKind.AUDIT:
            within = record.n_within(self.force_error)
            text = conversation.answered_audit(
                question.where, call, within, record.n_atoms, error, bound, others
            )
            self.journal.say(iteration, EventKind.AUDIT, text, data)
        else:
            why = reason.why or reason.text
            text = conversation.answered_query(question.where, why, self.oracle, call, error, others, seconds)
            self.journal.say(iteration, EventKind.QUERY, text, data)

    def finding(self, iteration: int, words: str, data: Mapping[str, Any]) -> None:
        """What does not hold together among the labels."""
        self.journal.say(iteration, EventKind.WARNING, conversation.finding(words), data)

    def advice(self, iteration: int, one: Advice) -> None:
        """What keeps the run from its target, and the setting to change."""
        self.journal.say(iteration, EventKind.ADVICE, conversation.advice(one.text), one.to_json())

    def advice_withdrawn(self, iteration: int, one: Advice) -> None:
        """What no longer does."""
        text = conversation.advice_withdrawn(one.text)
        self.journal.say(iteration, EventKind.ADVICE, text, {"about": one.about.value, "withdrawn": True})

    def taken_out(self, iteration: int, number: int, why: str, ask_again: bool) -> None:
        """A label that is unlike all others."""
        text = conversation.taken_out(number, why, ask_again)
        self.journal.say(iteration, EventKind.WARNING, text, {"label": number})

    def failures(self, reply: Reply, call: int) -> None:
        """The failed attempts at a question, the first of which was call `call`."""
        for number, failure in enumerate(reply.failures):
            last = reply.label is None and number == len(reply.failures) - 1
            then = conversation.Next.AGAIN if number + 1 >= self.rungs else conversation.Next.MORE_CAUTIOUSLY
            if last:
                then = conversation.Next.NO_CALL_LEFT if reply.cut_short else conversation.Next.SET_ASIDE
            text = conversation.failed_call(reply.question.where, self.oracle, call + number, failure, then)
            data = {"kind": failure.kind.value, "message": failure.message}
            self.journal.say(reply.question.iteration, EventKind.FAILURE, text, data)

    def tuned(self, iteration: int, learner: Learner, seconds: float) -> None:
        """Hyperparameters were looked for, in `seconds`."""
        left_out = learner.search is by_left_out
        text = conversation.tuned(learner.noise_forces, learner.n_labels, seconds, left_out=left_out)
        data = {"noise_forces": learner.noise_forces, "seconds": seconds}
        self.journal.say(iteration, EventKind.CALIBRATE, text, data)

    def basis(self, iteration: int, choice: BasisChoice, seconds: float) -> None:
        """A look round for a better basis, which took `seconds`."""
        text = f"{conversation.basis(choice)} ({seconds:.1f} s)"
        self.journal.say(iteration, EventKind.BASIS, text, {**choice.to_json(), "seconds": seconds})

    def moved_on(self, walkers: Sequence[int], state: LoopState) -> None:
        """Walkers that begin another leg, at another start."""
        for k in walkers:
            text = conversation.moved_on(k, state.walkers[k].temperature, state.starts[k] + 1)
            self.journal.say(
                state.policy.iteration, EventKind.INFO, text, {"walker": k, "start": state.starts[k]}
            )

    def parted(self, iteration: int, walk: Walk) -> None:
        """The walkers of a block that fell apart, or whose cell flowed."""
        for judgement, result in zip(walk.judgements, walk.results, strict=True):
            if (parted := walk.parted.get(judgement.walker)) is None:
                continue
            text = conversation.parted(result.state.where(parted.moment), parted.text, parted.how, walk.stops)
            data = {"walker": judgement.walker, "how": parted.how.value, "stops": walk.stops}
            self.journal.say(iteration, EventKind.PARTED, text, data)

    def broken(self, iteration: int, walk: Walk) -> None:
        """The walkers of a block that stepped back or were rejected."""
        for judgement, result in zip(walk.judgements, walk.results, strict=True):
            if judgement.reason is None or judgement.answer not in (GateAnswer.BACKTRACK, GateAnswer.REJECT):
                continue
            where = result.state.where(result.last)
            if judgement.answer is GateAnswer.REJECT:
                text = conversation.rejected(where, judgement.reason)
                self.journal.say(iteration, EventKind.REJECT, text, judgement.reason.to_json())
            elif judgement.moment is not None:
                back = result.state.time_fs - judgement.moment.time_fs
                text = conversation.stepped_back(where, judgement.reason, back)
                self.journal.say(iteration, EventKind.BACKTRACK, text, judgement.reason.to_json())


def _facts(structure: Structure, label: Label) -> conversation.StartFacts:
    groups = fragments(structure)
    moving = label.forces if structure.fixed is None else np.where(structure.fixed, 0.0, label.forces)
    return conversation.StartFacts(
        formula=str(structure.to_atoms().get_chemical_formula()),
        force=float(np.linalg.norm(moving, axis=1).max()),
        pressure=None if label.stress is None else float(-label.stress[:3].mean() / GPa),
        fragments=named(structure, groups),
        n_fragments=len(groups),
        n_pieces=len(pieces(structure)),
        cell_may_relax=structure.fixed is None and not is_open(structure),
    )

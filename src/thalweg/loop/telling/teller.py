"""Who says what came of it: answers, failures, tunings, walkers that broke. The words are conversation.py's."""

from __future__ import annotations

from thalweg.labelling.desk import Question, Reply
from thalweg.labelling.question import QuestionKind
from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.loop.learning.learner import Learner
from thalweg.loop.telling import conversation
from thalweg.loop.telling.journal import Journal
from thalweg.loop.telling.reporter import EventKind
from thalweg.loop.walking.exploration import Walk
from thalweg.loop.walking.gate import GateAnswer


class Teller:
    """Tells the journal.

    Parameters
    ----------
    journal : Journal
    oracle : str
        What people call the oracle.
    force_error : float, eV/Å
        The target that audits are held against.
    """

    def __init__(self, journal: Journal, oracle: str, force_error: float) -> None:
        self.journal, self.oracle, self.force_error = journal, oracle, force_error

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
        reason = dict(question.reason or {})
        data = {"call": call, "error": error, "bound": bound, "seconds": seconds, **reason}
        if question.kind is QuestionKind.AUDIT:
            within = record.n_within(self.force_error)
            text = conversation.answered_audit(question.where, call, within, record.n_atoms, error, bound)
            self.journal.say(iteration, EventKind.AUDIT, text, data)
        else:
            why = str(reason.get("why") or reason.get("text", ""))
            text = conversation.answered_query(question.where, why, self.oracle, call, error, seconds)
            self.journal.say(iteration, EventKind.QUERY, text, data)

    def failures(self, reply: Reply, call: int) -> None:
        """The failed attempts at a question, the first of which was call `call`."""
        for number, failure in enumerate(reply.failures):
            last = reply.label is None and number == len(reply.failures) - 1
            text = conversation.failed_call(
                reply.question.where, self.oracle, call + number, failure, retrying=not last
            )
            data = {"kind": failure.kind.value, "message": failure.message}
            self.journal.say(reply.question.iteration, EventKind.FAILURE, text, data)

    def tuned(self, iteration: int, learner: Learner, seconds: float) -> None:
        """The evidence was maximised in `seconds`."""
        text = conversation.tuned(learner.noise_forces, learner.n_labels, seconds)
        data = {"noise_forces": learner.noise_forces, "seconds": seconds}
        self.journal.say(iteration, EventKind.CALIBRATE, text, data)

    def broken(self, iteration: int, walk: Walk) -> None:
        """The walkers of a block that stepped back or were rejected."""
        for judgement, result in zip(walk.judgements, walk.results, strict=True):
            if judgement.reason is None or judgement.answer not in (GateAnswer.BACKTRACK, GateAnswer.REJECT):
                continue
            where = conversation.whereabouts(judgement.walker, result.state.time_fs, result.state.temperature)
            if judgement.answer is GateAnswer.REJECT:
                text = conversation.rejected(where, judgement.reason)
                self.journal.say(iteration, EventKind.REJECT, text, judgement.reason.to_json())
            elif judgement.moment is not None:
                back = result.state.time_fs - judgement.moment.time_fs
                text = conversation.stepped_back(where, judgement.reason, back)
                self.journal.say(iteration, EventKind.BACKTRACK, text, judgement.reason.to_json())

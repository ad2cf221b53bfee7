"""From queued moments to learned labels: ask, compare, learn, tell.

Every prediction that is compared with an answer comes from a model that had not learned it. Predictions are made when
a question goes out, by the model of that moment. Those for the audits of a block are made before the first goes out.
"""

from __future__ import annotations

import dataclasses
import time

from thalweg.acquisition import Strategy
from thalweg.label import Label
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.ladder import ATTEMPTS
from thalweg.labelling.question import Question, QuestionKind, Reason, Reply
from thalweg.loop.asking.queue import Queue, Queued
from thalweg.loop.deciding.ground import Stretch
from thalweg.loop.deciding.stopping import AuditRecord
from thalweg.loop.events import Answered
from thalweg.loop.learning.comparing import (
    STREAMS,
    audit_record,
    evident,
    predict,
    prequential,
    stated_energy,
)
from thalweg.loop.learning.learner import Learner
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.loop.telling.teller import Teller
from thalweg.store import QuestionRecord


@dataclasses.dataclass
class _Tally:
    """What came of the questions put so far."""

    calls: int = 0
    failed: int = 0
    learned: int = 0
    records: list[AuditRecord] = dataclasses.field(default_factory=list)
    blind: list[Stretch] = dataclasses.field(default_factory=list)


class Asker:
    """Turns what is queued into labels, and labels into what the learner knows."""

    def __init__(
        self,
        setup: Setup,
        state: LoopState,
        labeller: Labeller,
        tell: Teller,
        stopwatch: Stopwatch,
    ) -> None:
        self.setup, self.state, self.labeller = setup, state, labeller
        self.stopwatch, self.tell = stopwatch, tell
        self.queue = Queue(labeller, state, Strategy(setup.config.acquisition.strategy))

    @property
    def width(self) -> int:
        """Calls that run side by side."""
        return self.setup.width

    def taught(self, learner: Learner) -> dict[int, float]:
        """Walkers that stand where asking again would teach nothing, with their largest bound there (eV/Å)."""
        bounds = {}
        for k, walker in enumerate(self.state.walkers):
            if self.labeller.is_settled(walker.structure):
                prediction = predict(learner, walker.structure, self.state.calibration, walker.temperature)
                bounds[k] = float(prediction.forces_bound.max())
        return bounds

    # --- questions --------------------------------------------------------------------------------------

    def ask(self, learner: Learner, n: int) -> Answered:
        """Ask all audits, then queries for up to `n` calls, scored again after every answer; the rest is withdrawn.

        Attempts that fail count as calls. Fewer questions than there are workers stay under way.
        """
        tally = _Tally()
        audits = [self._question(learner, one, QuestionKind.AUDIT) for one in self.queue.pop_audits()]
        n -= self._make_room(learner, tally)  # there is none after a resume with fewer workers
        for audit in audits:
            n -= self._put(audit, learner, tally)
            self._make_room(learner, tally)
        while n > 0 and self.queue.n_queries and (most := self._most_at_once()):
            chosen = self.queue.pop_queries(learner, min(n, most))
            for query in [self._question(learner, one, QuestionKind.QUERY) for one in chosen]:
                n -= self._put(query, learner, tally)
            n -= len(chosen) + self._make_room(learner, tally)
        self.queue.withdraw()
        return self._answered(learner, tally)

    def _most_at_once(self) -> int:
        """Questions that may be put side by side: by free workers, and one by one where the budget ends."""
        free = self.width - len(self.labeller.under_way)
        room = self.labeller.room
        if not (room or self.labeller.under_way):
            return 0
        return free if room >= ATTEMPTS * free else 1

    def receive(self, learner: Learner) -> Answered:
        """Wait for the answer to the question that was put first, and learn it."""
        tally = _Tally()
        self._receive(learner, tally)
        return self._answered(learner, tally)

    def ask_handed(self, learner: Learner, n: int) -> Answered:
        """Put the structures handed in from outside to the oracle, in their order, for up to `n` calls."""
        waiting, tally = self.labeller.handed(), _Tally()
        while waiting and tally.calls < n and self.labeller.room:
            width = min(self.width, n - tally.calls)
            batch, waiting = [self._handed(learner, one) for one in waiting[:width]], waiting[width:]
            for question in batch:
                self._put(question, learner, tally)
            while self.labeller.under_way:
                self._receive(learner, tally)
        waiting = self.labeller.handed() if waiting else waiting
        return dataclasses.replace(self._answered(learner, tally), waiting=len(waiting))

    def _put(self, question: Question, learner: Learner, tally: _Tally) -> int:
        """Put a question if the budget has a call for it, once answers under way have returned what they left over.

        Returns the calls that queries received meanwhile have cost beyond one each.
        """
        extra = 0
        while not self.labeller.room and self.labeller.under_way:
            extra += self._extra(self._receive(learner, tally))
        if self.labeller.room:
            with self.stopwatch("oracle"):
                self.labeller.put(question)
        return extra

    @staticmethod
    def _extra(reply: Reply) -> int:
        return reply.calls - 1 if reply.question.kind is QuestionKind.QUERY else 0

    def _make_room(self, learner: Learner, tally: _Tally) -> int:
        """Receive until a worker is free; returns the calls that queries cost beyond one each."""
        extra = 0
        while len(self.labeller.under_way) >= self.width:
            extra += self._extra(self._receive(learner, tally))
        return extra

    def _receive(self, learner: Learner, tally: _Tally) -> Reply:
        """Take the answer whose turn it is, learn it, and add it up."""
        with self.stopwatch("oracle"):
            reply = self.labeller.receive()
        call = self.state.policy.calls + tally.calls + 1
        tally.calls += reply.calls
        tally.failed += len(reply.failures)
        self.tell.failures(reply, call)
        if reply.label is None:
            return reply
        question = self._with_prediction(learner, reply)
        record = self._learn(learner, question, reply.label, call + reply.calls - 1)
        if reply.question.kind is not QuestionKind.AUDIT:
            tally.learned += 1
        elif record is not None:
            tally.records.append(record)
        else:
            place = reply.question.reason
            tally.blind.append(Stretch(place.start or 0, place.temperature or 0.0, blind=1))
        return reply

    def _with_prediction(self, learner: Learner, reply: Reply) -> Question:
        """The question with what was predicted; anew where that was of a basis which is no longer in force."""
        if reply.question_id not in self.state.basing.earlier:
            return reply.question
        question, calibration = reply.question, self.state.calibration
        prediction = predict(learner, question.structure, calibration, question.reason.temperature)
        return dataclasses.replace(question, prediction=prediction)

    def _answered(self, learner: Learner, tally: _Tally) -> Answered:
        self.state.tunings = learner.tunings
        under_way = self.labeller.under_way
        asking = {q.walker for q in under_way if q.kind is QuestionKind.QUERY and q.walker is not None}
        n_walkers = len(self.state.walkers)  # fewer, perhaps, than when a question was put
        return Answered(
            calls=tally.calls,
            failed=tally.failed,
            queries=tally.learned,
            audits=tuple(tally.records),
            force_scale=learner.force_scale,
            under_way=len(under_way),
            held=tuple(sorted(k for k in asking if k < n_walkers)),
            blind=tuple(tally.blind),
        )

    def _handed(self, learner: Learner, stored: QuestionRecord) -> Question:
        """The question as it was handed in, with what the present model says of it."""
        structure = self.labeller.structure_of(stored)
        prediction = predict(learner, structure, self.state.calibration)
        said = Reason.from_json(stored.reason)
        reason = dataclasses.replace(said, where=f"handed in from {said.source or 'outside'}")
        return Question(QuestionKind.HANDED, structure, stored.iteration, reason, prediction)

    def _question(self, learner: Learner, queued: Queued, kind: QuestionKind) -> Question:
        structure = queued.moment.structure
        prediction = predict(learner, structure, self.state.calibration, queued.temperature)
        reason = dataclasses.replace(
            queued.reason,
            walker=queued.walker,
            time=queued.moment.time_fs / 1000.0,
            temperature=queued.temperature,
            start=self.state.start_of(queued.walker),
            where=queued.where,
        )
        return Question(kind, structure, self.state.policy.iteration, reason, prediction)

    # --- learning ---------------------------------------------------------------------------------------

    def _learn(self, learner: Learner, question: Question, label: Label, call: int) -> AuditRecord | None:
        """Compare, learn, tell; returns what is evidence of the errors, None where nothing is."""
        prediction, structure = question.prediction, question.structure
        assert prediction is not None
        reason = question.reason
        calibration, stream = self.state.calibration, STREAMS[question.kind]
        residuals = learner.residuals(stream, structure, label)
        stated = stated_energy(calibration, residuals, structure)
        record = audit_record(learner.n_labels, structure, prediction, label, reason, stated)
        self.state.calibration = prequential(
            calibration, stream, structure, prediction, label, residuals, reason.temperature
        )
        if question.kind is QuestionKind.AUDIT and prediction.novelty is not None:
            self.state.novelty = self.state.novelty.after(prediction.novelty)
        start = time.perf_counter()
        with self.stopwatch("fit"):
            tuned = learner.learn(structure, label)
        seconds = time.perf_counter() - start - (tuned or 0.0)
        iteration = self.state.policy.iteration
        self.tell.answer(iteration, question, call, record, seconds)
        if tuned is not None:
            self.tell.tuned(iteration, learner, tuned)
        return evident(record, prediction)

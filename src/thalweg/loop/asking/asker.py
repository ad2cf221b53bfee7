"""From queued moments to learned labels: ask, compare, learn, tell.

Every prediction that is compared with an answer was made by a model that had not learned it: predictions are made when
a question goes out, by the model of that moment; those of a block's audits before the first of them goes out.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from thalweg.acquisition import Strategy
from thalweg.calibration import Stream
from thalweg.errors import OracleError
from thalweg.label import Label
from thalweg.labelling.desk import Desk, Question, Reply
from thalweg.labelling.question import QuestionKind
from thalweg.loop.asking.queue import Queue, Queued
from thalweg.loop.deciding.stopping import AuditRecord
from thalweg.loop.events import Answered, SeedsAnswered
from thalweg.loop.learning.comparing import audit_record, predict, prequential
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.relearning import ReferenceEnergies, with_fitted_energies
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling.journal import Journal
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.loop.telling.teller import Teller
from thalweg.store import QuestionRecord

STREAMS = {
    QuestionKind.SEED: Stream.SEED,
    QuestionKind.QUERY: Stream.QUERY,
    QuestionKind.AUDIT: Stream.AUDIT,
    QuestionKind.HANDED: Stream.QUERY,  # chosen for their uncertainty, like queries
}


@dataclasses.dataclass
class _Tally:
    """What came of the questions put so far."""

    calls: int = 0
    failed: int = 0
    learned: int = 0
    records: list[AuditRecord] = dataclasses.field(default_factory=list)


class Asker:
    """Turns what is queued into labels, and labels into what the learner knows."""

    def __init__(
        self,
        setup: Setup,
        state: LoopState,
        desk: Desk,
        journal: Journal,
        stopwatch: Stopwatch,
        energies: ReferenceEnergies,
    ) -> None:
        self.setup, self.state, self.desk = setup, state, desk
        self.stopwatch, self.energies = stopwatch, energies
        self.tell = Teller(journal, desk.name, setup.rules.target.force_error)
        self.queue = Queue(desk, state, Strategy(setup.config.acquisition.strategy))

    @property
    def width(self) -> int:
        """Calls that run side by side."""
        return max(1, self.setup.config.executor.workers)

    def taught(self, learner: Learner) -> dict[int, float]:
        """Walkers that stand where asking again would teach nothing, with their largest bound there (eV/Å)."""
        bounds = {}
        for k, walker in enumerate(self.state.walkers):
            if self.desk.is_settled(walker.structure):
                prediction = predict(learner, walker.structure, self.state.calibration)
                bounds[k] = float(prediction.forces_bound.max())
        return bounds

    # --- seeds ------------------------------------------------------------------------------------------

    def label_seeds(self, learner: Learner) -> tuple[SeedsAnswered, Learner]:
        """Label the first structures and learn them together."""
        replies = self._ask_seeds()
        labelled = [(reply.question.structure, reply.label) for reply in replies if reply.label is not None]
        if not labelled:
            raise OracleError(_no_seed(replies))
        if self.energies is None:
            learner = with_fitted_energies(learner, labelled)
        start = time.perf_counter()
        with self.stopwatch("fit"):
            learner.learn_first(labelled)
        self.tell.tuned(self.state.policy.iteration, learner, time.perf_counter() - start)
        self.state.n_first = len(labelled)
        self.state.tunings = learner.tunings
        event = SeedsAnswered(
            calls=sum(reply.calls for reply in replies),
            failed=sum(len(reply.failures) for reply in replies),
            labels=len(labelled),
            force_scale=learner.force_scale,
        )
        return event, learner

    def _ask_seeds(self) -> list[Reply]:
        structures = self.setup.seeds(self.state.rng)
        total = len(structures)
        questions = [
            Question(QuestionKind.SEED, structure, 0, f"seed {k}", reason={"text": f"seed {k} of {total}"})
            for k, structure in enumerate(structures, start=1)
        ]
        replies: list[Reply] = []
        calls = 0
        for first in range(0, total, self.width):
            with self.stopwatch("oracle"):
                replies += self.desk.ask(questions[first : first + self.width], width=self.width)
            for number, reply in enumerate(replies[first:], start=first + 1):
                self.tell.seed(number, total, reply, calls + 1)
                calls += reply.calls
        return replies

    # --- questions --------------------------------------------------------------------------------------

    def ask(self, learner: Learner, n: int) -> Answered:
        """Ask all audits, then queries for up to `n` calls, scored anew after every answer; the rest is withdrawn.

        Attempts that fail count as calls; a question that was begun is brought to its end. Fewer questions than
        there are workers stay under way.
        """
        tally = _Tally()
        audits = [self._question(learner, one, QuestionKind.AUDIT) for one in self.queue.pop_audits()]
        n -= self._make_room(learner, tally)  # there is none after a resume with fewer workers
        for audit in audits:
            self._put(audit)
            self._make_room(learner, tally)
        while n > 0 and self.queue.n_queries:
            chosen = self.queue.pop_queries(learner, min(n, self.width - len(self.desk.under_way)))
            for query in [self._question(learner, one, QuestionKind.QUERY) for one in chosen]:
                self._put(query)
            n -= len(chosen) + self._make_room(learner, tally)
        self.queue.withdraw()
        return self._answered(learner, tally)

    def receive(self, learner: Learner) -> Answered:
        """Wait for the answer to the question that was put first, and learn it."""
        tally = _Tally()
        self._receive(learner, tally)
        return self._answered(learner, tally)

    def ask_handed(self, learner: Learner, n: int) -> Answered:
        """Put the structures handed in from outside to the oracle, in their order, for up to `n` calls."""
        waiting, tally = self.desk.handed(), _Tally()
        while waiting and tally.calls < n:
            width = min(self.width, n - tally.calls)
            batch, waiting = [self._handed(learner, one) for one in waiting[:width]], waiting[width:]
            for question in batch:
                self._put(question)
            for _ in batch:
                self._receive(learner, tally)
        return dataclasses.replace(self._answered(learner, tally), waiting=len(waiting))

    def _put(self, question: Question) -> None:
        with self.stopwatch("oracle"):
            self.desk.put(question)

    def _make_room(self, learner: Learner, tally: _Tally) -> int:
        """Receive until a worker is free; returns the calls that queries cost beyond one each."""
        extra = 0
        while len(self.desk.under_way) >= self.width:
            reply = self._receive(learner, tally)
            if reply.question.kind is QuestionKind.QUERY:
                extra += reply.calls - 1
        return extra

    def _receive(self, learner: Learner, tally: _Tally) -> Reply:
        """Take the answer whose turn it is, learn it, and add it up."""
        with self.stopwatch("oracle"):
            reply = self.desk.receive()
        call = self.state.policy.calls + tally.calls + 1
        tally.calls += reply.calls
        tally.failed += len(reply.failures)
        self.tell.failures(reply, call)
        if reply.label is None:
            return reply
        record = self._learn(learner, reply.question, reply.label, call + reply.calls - 1)
        if reply.question.kind is QuestionKind.AUDIT:
            tally.records.append(record)
        else:
            tally.learned += 1
        return reply

    def _answered(self, learner: Learner, tally: _Tally) -> Answered:
        self.state.tunings = learner.tunings
        under_way = self.desk.under_way
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
        )

    def _handed(self, learner: Learner, stored: QuestionRecord) -> Question:
        """The question as it was handed in, with what the present model says of it."""
        structure = self.desk.structure_of(stored)
        prediction = predict(learner, structure, self.state.calibration)
        where = f"handed in from {stored.reason.get('source', 'outside')}"
        return Question(
            QuestionKind.HANDED, structure, stored.iteration, where, None, stored.reason, prediction
        )

    def _question(self, learner: Learner, queued: Queued, kind: QuestionKind) -> Question:
        structure = queued.moment.structure
        prediction = predict(learner, structure, self.state.calibration)
        reason: dict[str, Any] = {
            **queued.reason.to_json(),
            "walker": queued.walker,
            "time": queued.moment.time_fs / 1000.0,
            "temperature": queued.temperature,
            "where": queued.where,
        }
        iteration = self.state.policy.iteration
        return Question(kind, structure, iteration, queued.where, queued.walker, reason, prediction)

    # --- learning ---------------------------------------------------------------------------------------

    def _learn(self, learner: Learner, question: Question, label: Label, call: int) -> AuditRecord:
        """Compare, learn, tell."""
        prediction, structure = question.prediction, question.structure
        assert prediction is not None
        record = audit_record(learner.n_labels, structure, prediction, label)
        self.state.calibration = prequential(
            self.state.calibration, STREAMS[question.kind], structure, prediction, label
        )
        start = time.perf_counter()
        with self.stopwatch("fit"):
            tuned = learner.learn(structure, label)
        seconds = time.perf_counter() - start - (tuned or 0.0)
        iteration = self.state.policy.iteration
        self.tell.answer(iteration, question, call, record, seconds)
        if tuned is not None:
            self.tell.tuned(iteration, learner, tuned)
        return record


def _no_seed(replies: Sequence[Reply]) -> str:
    failures = [failure for reply in replies for failure in reply.failures]
    first = failures[0] if failures else None
    why = f"{first.kind.replace('_', ' ')}: {first.message}" if first else "no structure was given"
    return f"the oracle answered none of the {len(replies)} first structures ({why}); try `thalweg doctor`"

"""From moments of trajectories to learned labels: queue, score, ask, compare, learn, tell.

Every prediction that is compared with an answer was made by a model that had not learned it: predictions are made when
a question goes out, by the model of that moment.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from thalweg.acquisition import Candidate, Context, Strategy, select_batch
from thalweg.calibration import Stream
from thalweg.diversity import distance_fingerprint
from thalweg.errors import OracleError
from thalweg.explorers.base import Snapshot
from thalweg.features.batch import numbers_of
from thalweg.loop import conversation, gate
from thalweg.loop.desk import Desk, Question, Reply
from thalweg.loop.events import Answered, QuestionKind, SeedsAnswered
from thalweg.loop.exploration import Walk, draw_audits
from thalweg.loop.gate import Limits, Reason
from thalweg.loop.journal import Journal
from thalweg.loop.learner import Learner, calibrated, error_bounds, force_errors, prequential
from thalweg.loop.reporter import EventKind
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.stopping import AuditRecord
from thalweg.loop.stopwatch import Stopwatch
from thalweg.loop.training import ReferenceEnergies, with_fitted_energies
from thalweg.potential import Potential, Prediction
from thalweg.store import Question as StoredQuestion
from thalweg.structure import Structure

STREAMS = {
    QuestionKind.SEED: Stream.SEED,
    QuestionKind.QUERY: Stream.QUERY,
    QuestionKind.AUDIT: Stream.AUDIT,
    QuestionKind.HANDED: Stream.QUERY,  # chosen for their uncertainty, like queries
}


@dataclasses.dataclass(frozen=True, eq=False)
class _Waiting:
    """A moment in the queue."""

    walker: int
    moment: Snapshot
    reason: Reason
    temperature: float

    @property
    def where(self) -> str:
        return conversation.whereabouts(self.walker, self.moment.time_fs, self.temperature)


@dataclasses.dataclass
class _Tally:
    """What came of the questions put so far."""

    calls: int = 0
    failed: int = 0
    learned: int = 0
    records: list[AuditRecord] = dataclasses.field(default_factory=list)


class Asker:
    """Holds the queue of one iteration and turns it into labels."""

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
        self.journal, self.stopwatch = journal, stopwatch
        self.energies = energies
        self._queries: list[_Waiting] = []
        self._audits: list[_Waiting] = []
        self._limits = Limits(np.inf, np.inf, np.inf, np.inf)

    @property
    def width(self) -> int:
        """Calls that run side by side."""
        return max(1, self.setup.config.executor.workers)

    @property
    def n_questions(self) -> int:
        """Queries in the queue."""
        return len(self._queries)

    # --- the queue --------------------------------------------------------------------------------------

    def take_questions(self, walk: Walk, limits: Limits) -> None:
        """Queue what the gate wants labelled."""
        self._limits = limits
        self._queries = self._worth_asking(
            _Waiting(j.walker, j.moment, j.reason, walk.results[j.walker].state.temperature)
            for j in walk.judgements
            if j.moment is not None and j.reason is not None
        )

    def draw_audits(self, walk: Walk, n: int) -> None:
        """Queue `n` moments of the block, drawn by chance alone."""
        drawn = draw_audits(walk, n, self.state.rng)
        reason = Reason("audit", -1, "", 0.0, 0.0, "audit: drawn by the clock")
        self._audits = self._worth_asking(
            _Waiting(walker, moment, reason, walk.results[walker].state.temperature)
            for walker, moment in drawn
        )

    def _worth_asking(self, moments: Iterable[_Waiting]) -> list[_Waiting]:
        """Each structure once, and none that asking again would teach nothing of."""
        by_hash: dict[str, _Waiting] = {}
        for waiting in moments:
            if not self.desk.is_settled(waiting.moment.structure):
                by_hash.setdefault(waiting.moment.structure.content_hash, waiting)
        return list(by_hash.values())

    def taught(self, learner: Learner) -> dict[int, float]:
        """Walkers that stand where asking again would teach nothing, with their largest bound there (eV/Å)."""
        bounds = {}
        for k, walker in enumerate(self.state.walkers):
            if self.desk.is_settled(walker.structure):
                prediction = calibrated(
                    learner.predict(walker.structure), walker.structure, self.state.calibration
                )
                bounds[k] = float(prediction.forces_bound.max())
        return bounds

    # --- seeds ------------------------------------------------------------------------------------------

    def label_seeds(self, learner: Learner) -> tuple[SeedsAnswered, Learner]:
        """Label the first structures and learn them together."""
        structures = self.setup.seeds(self.state.rng)
        total = len(structures)
        questions = [
            Question(
                QuestionKind.SEED,
                structure,
                iteration=0,
                where=f"seed {k}",
                reason={"text": f"seed {k} of {total}"},
            )
            for k, structure in enumerate(structures, start=1)
        ]
        replies: list[Reply] = []
        calls = 0
        for first in range(0, total, self.width):
            with self.stopwatch("oracle"):
                replies += self.desk.ask(questions[first : first + self.width], width=self.width)
            for number, reply in enumerate(replies[first:], start=first + 1):
                self._tell_seed(number, total, reply, calls + 1)
                calls += reply.calls
        labelled = [(reply.question.structure, reply.label) for reply in replies if reply.label is not None]
        if not labelled:
            raise OracleError(_no_seed(replies))
        if self.energies is None:
            learner = with_fitted_energies(learner, labelled)
        start = time.perf_counter()
        with self.stopwatch("fit"):
            learner.learn_first(labelled)
        self._tell_tuned(learner, time.perf_counter() - start)
        self.state.n_first = len(labelled)
        self.state.tunings = learner.tunings
        event = SeedsAnswered(
            calls=calls,
            failed=sum(len(reply.failures) for reply in replies),
            labels=len(labelled),
            force_scale=learner.force_scale,
        )
        return event, learner

    def _tell_seed(self, number: int, total: int, reply: Reply, call: int) -> None:
        self._tell_failures(reply, call)
        if reply.label is not None:
            text = conversation.answered_seed(number, total, self.desk.name, reply.label.wall_time)
            self.journal.say(0, EventKind.SEED, text, {"energy": reply.label.energy})

    # --- questions --------------------------------------------------------------------------------------

    def ask(self, learner: Learner, n: int) -> Answered:
        """Ask all audits, then queries for up to `n` calls, scored anew after every answer; the rest is withdrawn.

        Attempts that fail count as calls; a question that was begun is brought to its end.
        """
        audits, queries, self._audits, self._queries = self._audits, self._queries, [], []
        tally = _Tally()
        batch = [self._question(learner, one, QuestionKind.AUDIT) for one in audits]
        while batch or (n > 0 and queries):
            if not batch:
                chosen, queries = self._choose(learner, queries, min(n, self.width))
                batch = [self._question(learner, one, QuestionKind.QUERY) for one in chosen]
            replies = self._put(learner, batch, tally)
            n -= sum(reply.calls for reply in replies if reply.question.kind is QuestionKind.QUERY)
            batch = []
        return self._answered(learner, tally)

    def ask_handed(self, learner: Learner, n: int) -> Answered:
        """Put the structures handed in from outside to the oracle, in their order, for up to `n` calls."""
        waiting, tally = self.desk.handed(), _Tally()
        while waiting and tally.calls < n:
            width = min(self.width, n - tally.calls)
            batch, waiting = [self._handed(learner, one) for one in waiting[:width]], waiting[width:]
            self._put(learner, batch, tally)
        return dataclasses.replace(self._answered(learner, tally), waiting=len(waiting))

    def _put(self, learner: Learner, batch: Sequence[Question], tally: _Tally) -> list[Reply]:
        """Put questions side by side, learn what comes back in their order, and add it up."""
        with self.stopwatch("oracle"):
            replies = self.desk.ask(batch, width=self.width)
        for reply in replies:
            call = self.state.policy.calls + tally.calls + 1
            tally.calls += reply.calls
            tally.failed += len(reply.failures)
            self._tell_failures(reply, call)
            if reply.label is None:
                continue
            record = self._learn(learner, reply, call + reply.calls - 1)
            if reply.question.kind is QuestionKind.AUDIT:
                tally.records.append(record)
            else:
                tally.learned += 1
        return replies

    def _answered(self, learner: Learner, tally: _Tally) -> Answered:
        self.state.tunings = learner.tunings
        return Answered(tally.calls, tally.failed, tally.learned, tuple(tally.records), learner.force_scale)

    def _handed(self, learner: Learner, stored: StoredQuestion) -> Question:
        """The question as it was handed in, with what the present model says of it."""
        structure = self.desk.structure_of(stored)
        prediction = calibrated(learner.predict(structure), structure, self.state.calibration)
        where = f"handed in from {stored.reason.get('source', 'outside')}"
        return Question(
            QuestionKind.HANDED, structure, stored.iteration, where, None, stored.reason, prediction
        )

    def _question(self, learner: Learner, waiting: _Waiting, kind: QuestionKind) -> Question:
        structure = waiting.moment.structure
        prediction = calibrated(learner.predict(structure), structure, self.state.calibration)
        reason: dict[str, Any] = {
            **waiting.reason.to_json(),
            "walker": waiting.walker,
            "time": waiting.moment.time_fs / 1000.0,
            "temperature": waiting.temperature,
        }
        iteration = self.state.policy.iteration
        return Question(kind, structure, iteration, waiting.where, waiting.walker, reason, prediction)

    def _choose(
        self, learner: Learner, queries: Sequence[_Waiting], n: int
    ) -> tuple[list[_Waiting], list[_Waiting]]:
        """The `n` best queries by the present model, and those left that are still above a limit."""
        queries = self._worth_asking(queries)  # an audit may have been of the same moment
        strategy = Strategy(self.setup.config.acquisition.strategy)
        if strategy is not Strategy.RANDOM:
            queries = [fresh for waiting in queries if (fresh := self._rescore(learner, waiting)) is not None]
        if not queries:
            return [], []
        candidates = [self._candidate(learner, waiting, strategy) for waiting in queries]
        context = Context(noise=max(learner.noise_forces, 1e-3))
        choices = select_batch(candidates, n, strategy=strategy, rng=self.state.rng, context=context)
        indices = [choice.index for choice in choices]
        left = [waiting for k, waiting in enumerate(queries) if k not in indices]
        return [queries[k] for k in indices], left

    def _rescore(self, learner: Learner, waiting: _Waiting) -> _Waiting | None:
        """The same moment by the present model; None when an answer learned meanwhile has answered it too."""
        moment = waiting.moment
        prediction = calibrated(learner.predict(moment.structure), moment.structure, self.state.calibration)
        moment = dataclasses.replace(moment, bound=prediction.forces_bound, novelty=prediction.novelty)
        bound, novelty = moment.bound_max or 0.0, moment.novelty_max or 0.0
        if bound < self._limits.label and novelty < self._limits.novelty_label:
            return None
        reason = waiting.reason
        if reason.cause in ("uncertain", "novel"):
            reason = gate.reason_at(moment, self._limits)
        return dataclasses.replace(waiting, moment=moment, reason=reason)

    def _candidate(self, learner: Learner, waiting: _Waiting, strategy: Strategy) -> Candidate:
        moment = waiting.moment
        structure = moment.structure
        if strategy is Strategy.RANDOM:
            return Candidate(bound=moment.bound_max or 0.0)
        fingerprint = None
        if strategy is Strategy.FARTHEST:
            fingerprint = distance_fingerprint(structure, sorted({int(z) for z in structure.numbers}))
        return Candidate(
            bound=moment.bound_max or 0.0,
            rows=None if strategy is Strategy.FARTHEST else learner.force_rows(structure),
            novelty=(moment.novelty_max or 0.0) / self._limits.novelty_label,
            fingerprint=fingerprint,
        )

    # --- learning ---------------------------------------------------------------------------------------

    def _learn(self, learner: Learner, reply: Reply, call: int) -> AuditRecord:
        """Compare, learn, tell."""
        question, label = reply.question, reply.label
        assert label is not None
        assert question.prediction is not None
        prediction, structure = question.prediction, question.structure
        record = audit_record(learner.n_labels, structure, prediction, reply)
        self.state.calibration = prequential(
            self.state.calibration, STREAMS[question.kind], structure, prediction, label
        )
        start = time.perf_counter()
        with self.stopwatch("fit"):
            tuned = learner.learn(structure, label)
        seconds = time.perf_counter() - start - (tuned or 0.0)
        self._tell_answer(question, call, record, seconds)
        if tuned is not None:
            self._tell_tuned(learner, tuned)
        return record

    def _tell_answer(self, question: Question, call: int, record: AuditRecord, seconds: float) -> None:
        error, bound = max(record.force_errors), max(record.force_bounds)
        data = {
            "call": call,
            "error": error,
            "bound": bound,
            "seconds": seconds,
            **dict(question.reason or {}),
        }
        if question.kind is QuestionKind.AUDIT:
            within = record.n_within(self.setup.rules.target.force_error)
            text = conversation.answered_audit(question.where, call, within, record.n_atoms, error, bound)
            self.journal.say(question.iteration, EventKind.AUDIT, text, data)
        else:
            reason = question.reason or {}
            why = str(reason.get("why") or reason.get("text", ""))
            text = conversation.answered_query(question.where, why, self.desk.name, call, error, seconds)
            self.journal.say(self.state.policy.iteration, EventKind.QUERY, text, data)

    def _tell_failures(self, reply: Reply, call: int) -> None:
        for number, failure in enumerate(reply.failures):
            last = reply.label is None and number == len(reply.failures) - 1
            text = conversation.failed_call(
                reply.question.where, self.desk.name, call + number, failure, retrying=not last
            )
            data = {"kind": failure.kind.value, "message": failure.message}
            self.journal.say(reply.question.iteration, EventKind.FAILURE, text, data)

    def _tell_tuned(self, learner: Learner, seconds: float) -> None:
        text = conversation.tuned(learner.noise_forces, learner.n_labels, seconds)
        data = {"noise_forces": learner.noise_forces, "seconds": seconds}
        self.journal.say(self.state.policy.iteration, EventKind.CALIBRATE, text, data)

    # --- what has come of it ----------------------------------------------------------------------------

    def potential(self, learner: Learner) -> Potential:
        """The calibrated potential as learned so far, with its provenance."""
        numbers = numbers_of(learner.basis.elements)
        provenance = {
            "oracle": self.desk.fingerprint,
            "n_labels": learner.n_labels,
            "target_force_error": self.setup.rules.target.force_error,
            "system": [structure.content_hash for structure in self.setup.structures],
        }
        return learner.potential(error_bounds(self.state.calibration, numbers), provenance)


def audit_record(n_labels: int, structure: Structure, prediction: Prediction, reply: Reply) -> AuditRecord:
    """Errors of a prediction against the label that came: forces per atom, energy per atom, stress."""
    label = reply.label
    assert label is not None
    stress = None
    if label.stress is not None and prediction.stress is not None:
        stress = float(np.sqrt(np.mean((prediction.stress - label.stress) ** 2)))
    return AuditRecord(
        n_labels=n_labels,
        force_errors=tuple(force_errors(prediction, label)),
        force_bounds=tuple(prediction.forces_bound),
        energy_error=(prediction.energy - label.energy) / len(structure),
        stress_error=stress,
    )


def _no_seed(replies: Sequence[Reply]) -> str:
    failures = [failure for reply in replies for failure in reply.failures]
    first = failures[0] if failures else None
    why = f"{first.kind.replace('_', ' ')}: {first.message}" if first else "no structure was given"
    return f"the oracle answered none of the {len(replies)} first structures ({why}); try `thalweg doctor`"

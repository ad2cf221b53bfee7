"""The one road to the oracle: questions go in, typed replies come out, every outcome durable when it arrives.

A label found in the store is an answer like any other: its call was counted when it was made. A resumed run that
repeats its earlier questions therefore counts the same calls, and makes none.

Calls count against a budget that is never exceeded. A question reserves its share when it is put: as many
calls as the ladder may need, or those that are left. Shares depend only on the order of asking, so a run
is the same whichever answer comes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from thalweg.interrupts import held
from thalweg.label import Failure, Label, Outcome
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.identical import Answers
from thalweg.labelling.ladder import ATTEMPTS, Climb, Ladder
from thalweg.labelling.question import Question, QuestionKind, Reason, Reply
from thalweg.oracles.base import Oracle
from thalweg.potential import Prediction
from thalweg.store import HANDED, QuestionRecord, Store, TaskState
from thalweg.structure import Structure

_PLENTY = 1_000_000


@dataclass
class Account:
    """Calls of the oracle: the most that may be made, None for no limit; and those counted by now, failed ones too.

    `ahead` are, by structure hash, those counted before their answer is received: they are not counted again then.
    """

    budget: int | None = None
    calls: int = 0
    ahead: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Asked:
    """A question on its way: calls allowed in all, of which some are counted; what is known, or the future of more."""

    question: Question
    id: int
    allowed: int
    counted: int
    before: tuple[Failure, ...]
    known: Label | None = None
    future: Future[tuple[Outcome, ...]] | None = None


class Labeller:
    """Puts questions to the oracle and records what comes back.

    Parameters
    ----------
    store : Store
        Of the run; this is its only writer, in one thread.
    arrivals : Arrivals
        Of the same store; closed with this.
    ladder : Ladder
        Closed with this.
    account : Account
    set_aside : set of str
        Hashes of structures that the oracle cannot answer, as the run knew them at its last checkpoint; grows. What the
        store knows of later failures is found again when the question is put again.
    """

    def __init__(
        self,
        store: Store,
        arrivals: Arrivals,
        ladder: Ladder,
        *,
        account: Account | None = None,
        set_aside: set[str] | None = None,
    ) -> None:
        self._store, self._arrivals, self._ladder = store, arrivals, ladder
        self.oracle: Oracle = ladder.oracle
        """The oracle in this process, for its names and checks."""
        self.fingerprint = self.oracle.fingerprint
        self.account = Account() if account is None else account
        self._withdrawn = store.withdrawn_structures()
        self._set_aside: set[str] = set() if set_aside is None else set_aside
        self._under_way: deque[_Asked] = deque()
        self._answers: Answers | None = None  # made when the first answer comes

    def __enter__(self) -> Labeller:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the executor; what has arrived is taken into the store, what still runs is cut off."""
        try:
            self._ladder.close()
        finally:
            with held():
                self._arrivals.close()

    @property
    def name(self) -> str:
        """What people call the oracle."""
        return self.oracle.display_name

    def heed_withdrawals(self) -> None:
        """Take note of what was withdrawn since this was opened."""
        self._withdrawn = self._store.withdrawn_structures()
        self._answers = None

    def is_quarantined(self, structure: Structure) -> bool:
        """Whether every attempt at this structure has failed before."""
        return structure.content_hash in self._set_aside

    def has_label(self, structure: Structure) -> bool:
        """Whether the oracle's label of this structure is in the store and in its place in the order of learning."""
        return self._store.is_learned(structure.content_hash, self.fingerprint)

    def is_settled(self, structure: Structure) -> bool:
        """Whether asking about this structure would teach nothing: it is learned, or the oracle cannot answer it."""
        return self.is_quarantined(structure) or self.has_label(structure)

    def handed(self) -> list[QuestionRecord]:
        """Questions handed in from outside that wait, in their order; one that was answered meanwhile is closed."""
        waiting = []
        for question in self._store.questions(kind=HANDED):
            if question.state not in (TaskState.WAITING, TaskState.QUARANTINED):
                continue
            if question.structure_hash in self._set_aside:
                self._store.set_state(question.id, TaskState.QUARANTINED)
            elif self._store.is_learned(question.structure_hash, self.fingerprint):
                self._store.set_state(question.id, TaskState.DONE)
            else:
                waiting.append(question)
        return waiting

    def structure_of(self, question: QuestionRecord) -> Structure:
        """The structure that a stored question is about."""
        return self._store.structure(question.structure_hash)

    @property
    def room(self) -> int:
        """Calls of the budget that no question has taken yet; a large number where there is no budget."""
        taken = self.account.calls + sum(max(0, one.allowed - one.counted) for one in self._under_way)
        return _PLENTY if self.account.budget is None else max(0, self.account.budget - taken)

    @property
    def under_way(self) -> tuple[Question, ...]:
        """Questions put and not yet received, in the order in which they will be."""
        return tuple(one.question for one in self._under_way)

    @property
    def under_way_ids(self) -> list[int]:
        """Their numbers in the store: what a checkpoint holds of them."""
        return [one.id for one in self._under_way]

    @property
    def shares(self) -> list[int]:
        """The calls that each of them may take: a checkpoint holds them, too."""
        return [one.allowed for one in self._under_way]

    def is_under_way(self, structure: Structure) -> bool:
        """Whether a question about this structure has been put and not yet received."""
        return any(one.question.structure.content_hash == structure.content_hash for one in self._under_way)

    def put(self, question: Question) -> None:
        """Put a question to the oracle, for which there must be `room`; `receive` gives what comes of it."""
        self._under_way.append(self._submit(question, ATTEMPTS))

    def put_again(self, ids: Sequence[int], shares: Sequence[int] = ()) -> None:
        """Put the questions that were under way at a checkpoint, in their order; no answer is computed twice."""
        for number, share in zip_longest(ids, shares, fillvalue=ATTEMPTS):
            stored = self._store.question(number)
            self._under_way.append(self._submit(_recalled(stored, self.structure_of(stored)), share))

    def receive(self) -> Reply:
        """What came of the question that was put first, whichever answer arrives first."""
        first = self._under_way[0]
        while first.future is not None and not first.future.done():
            waiting = [one.future for one in self._under_way if one.future and not one.future.done()]
            wait(waiting, return_when=FIRST_COMPLETED)
            self.keep()
        return self._receive(self._under_way.popleft())

    def ask(self, questions: Sequence[Question], *, width: int = 1) -> list[Reply]:
        """Put questions to the oracle, `width` of them side by side; replies in the order of asking.

        No answer waits for a question that has not been put yet before it becomes durable. Where the budget ends,
        questions are left out.
        """
        replies: list[Reply] = []
        for question in questions:
            while self._under_way and (len(self._under_way) >= width or not self.room):
                replies.append(self.receive())
            if self.room or question.structure.content_hash in self.account.ahead:
                self.put(question)
        return replies + [self.receive() for _ in range(len(self._under_way))]

    def keep(self) -> None:
        """Take what has arrived into the store: labels, and failures, whose calls count."""
        self._arrivals.take_in()

    def _share(self, question: Question, most: int, counted: int) -> int:
        """Calls that a question may take, `counted` ones among them. An isolated atom that fails is done without."""
        rungs = self.oracle.rungs if question.kind is QuestionKind.REFERENCE else most
        return min(most, rungs, self.room + counted)

    def _submit(self, question: Question, most: int) -> _Asked:
        with self._store.transaction():  # one write to the disk, before anything is paid for
            asked, needed = self._written_down(question, most)
        if not needed:
            return asked
        future = self._ladder.climb(Climb(asked.id, question.structure, asked.before, asked.allowed))
        return replace(asked, future=future)

    def _written_down(self, question: Question, most: int) -> tuple[_Asked, bool]:
        """The question in the store, with what is known of it; and whether a call is needed."""
        question_id = self._store.add_question(
            question.structure,
            question.kind.value,
            iteration=question.iteration,
            reason=question.reason.to_json(),
            prediction=_arrays(question.prediction),
        )
        attempts = [attempt.failure for attempt in self._store.attempts(question_id)]
        before = tuple(failure for failure in attempts if failure.oracle in ("", self.fingerprint))
        known = self._store.find_label(question.structure.content_hash, self.fingerprint)
        counted = min(self.account.ahead.get(question.structure.content_hash, 0), len(before) + bool(known))
        allowed = self._share(question, most, counted)
        asked = _Asked(question, question_id, allowed, counted, before, known)
        settled = known is not None or question.structure.content_hash in self._withdrawn
        needed = not settled and len(before) < allowed and self._ladder.worth_another(before)
        if needed:
            self._store.set_state(question_id, TaskState.RUNNING)
        return asked, needed

    def _receive(self, asked: _Asked) -> Reply:
        label, failures = asked.known, asked.before
        if asked.future is not None:
            outcomes = asked.future.result()
            label = outcomes[-1] if isinstance(outcomes[-1], Label) else None
            failures += tuple(outcome for outcome in outcomes if isinstance(outcome, Failure))
        unanswered = label is None and asked.question.structure.content_hash not in self._withdrawn
        cut_short = unanswered and self._ladder.worth_another(failures)
        self.account.ahead.pop(asked.question.structure.content_hash, None)
        reply = Reply(asked.question, asked.id, label, failures, cut_short, asked.counted)
        self._arrivals.take_in(lambda: self._record(reply))  # one write to the disk for both
        self.account.calls += reply.calls
        if label is not None:
            self._note_answer(asked.question, label)
        return reply

    def _note_answer(self, question: Question, label: Label) -> None:
        """Raises OracleError for an answer that was given to another structure before; it is in the store by now."""
        if self._answers is None:
            self._answers = Answers(self._store.all_labels())
        self._answers.note(question.structure, label, question.where, self.name)

    def _record(self, reply: Reply) -> None:
        """Give the label its place in the order of learning, or set the structure aside."""
        question = reply.question
        if reply.label is None:
            self._store.set_state(reply.question_id, TaskState.QUARANTINED)
            if not reply.cut_short:
                self._set_aside.add(question.structure.content_hash)
        elif question.kind.is_learned:
            self._store.commit_label(
                question.structure,
                reply.label,
                kind=question.kind.value,
                iteration=question.iteration,
                question_id=reply.question_id,
            )
        else:
            self._store.set_state(reply.question_id, TaskState.DONE)


def _recalled(stored: QuestionRecord, structure: Structure) -> Question:
    """A question as it was put by an earlier invocation."""
    arrays = stored.prediction
    prediction = Prediction(
        energy=float(arrays["energy"]),
        forces=arrays["forces"],
        stress=arrays.get("stress"),
        energy_uncertainty=float(arrays["energy_uncertainty"]),
        forces_deviation=arrays["forces_deviation"],
        forces_bound=arrays["forces_bound"],
        novelty=arrays.get("novelty"),
    )
    kind, reason = QuestionKind(stored.kind), Reason.from_json(stored.reason)
    return Question(kind, structure, stored.iteration, reason, prediction)


def _arrays(prediction: Prediction | None) -> dict[str, np.ndarray[Any, Any]]:
    if prediction is None:
        return {}
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "energy": np.array(prediction.energy),
        "energy_uncertainty": np.array(prediction.energy_uncertainty),
        "forces": prediction.forces,
        "forces_deviation": prediction.forces_deviation,
        "forces_bound": prediction.forces_bound,
    }
    others = {"novelty": prediction.novelty, "stress": prediction.stress}
    return arrays | {name: array for name, array in others.items() if array is not None}

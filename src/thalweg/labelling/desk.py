"""The oracle's desk: questions go in, typed outcomes come out, every one recorded before it is used.

A label found in the store is an answer like any other: it cost its call when it was made. A resumed run that asks again
what it had asked before it was killed therefore counts the same calls, and makes none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import OracleError
from thalweg.label import Failure, Label
from thalweg.labelling.labeller import Attempts, Labeller
from thalweg.labelling.question import QuestionKind
from thalweg.potential import Prediction
from thalweg.store import HANDED, QuestionRecord, SqliteStore, TaskState
from thalweg.structure import Structure


@dataclass(frozen=True, eq=False)
class Question:
    """A structure for the oracle: where it comes from, why it is asked, and what the model said of it before."""

    kind: QuestionKind
    structure: Structure
    iteration: int
    where: str
    walker: int | None = None
    reason: Mapping[str, Any] | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True, eq=False)
class Reply:
    """What came of a question: the label if any, the failures before it, and how many calls it counts."""

    question: Question
    question_id: int
    label: Label | None
    failures: tuple[Failure, ...]
    calls: int


@dataclass(frozen=True, eq=False)
class _Asked:
    """A question on its way: failed attempts made before, and the label already known or the future of one."""

    question: Question
    id: int
    before: tuple[Failure, ...]
    known: Label | None
    future: Future[Attempts] | None


class Desk:
    """Puts questions to the oracle and records what comes back.

    `set_aside` holds the hashes of structures that the oracle cannot answer, as the run knew them at its last
    checkpoint, and grows. What the store knows of later failures is found again when the question is put again.
    """

    def __init__(self, store: SqliteStore, labeller: Labeller, set_aside: set[str]) -> None:
        self._store = store
        self._labeller = labeller
        self.fingerprint = labeller.oracle.fingerprint
        self._set_aside = set_aside
        self._under_way: deque[_Asked] = deque()
        self._kept: set[int] = set()

    @property
    def name(self) -> str:
        """What people call the oracle."""
        return self._labeller.oracle.display_name

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

    # --- questions under way ----------------------------------------------------------------------------

    @property
    def under_way(self) -> tuple[Question, ...]:
        """Questions put and not yet received, in the order in which they will be."""
        return tuple(one.question for one in self._under_way)

    @property
    def under_way_ids(self) -> list[int]:
        """Their numbers in the store: what a checkpoint holds of them."""
        return [one.id for one in self._under_way]

    def is_under_way(self, structure: Structure) -> bool:
        """Whether a question about this structure has been put and not yet received."""
        return any(one.question.structure.content_hash == structure.content_hash for one in self._under_way)

    def put(self, question: Question) -> None:
        """Put a question to the oracle; `receive` gives what comes of it, in its turn."""
        self._under_way.append(self._submit(question))

    def put_again(self, ids: Iterable[int]) -> None:
        """Put the questions that were under way at a checkpoint, in their order; no answer is computed twice."""
        for number in ids:
            stored = self._store.question(number)
            self.put(_recalled(stored, self.structure_of(stored)))

    def receive(self) -> Reply:
        """What came of the question that was put first, whichever answer arrives first."""
        first = self._under_way[0]
        while first.future is not None and not first.future.done():
            waiting = [one.future for one in self._under_way if one.future and not one.future.done()]
            wait(waiting, return_when=FIRST_COMPLETED)
            self.keep()
        return self._receive(self._under_way.popleft())

    def keep(self) -> None:
        """Make durable what has arrived and was not received yet: labels, and failures, whose calls count."""
        for one in self._under_way:
            if one.id in self._kept or one.future is None or not one.future.done() or one.future.exception():
                continue
            self._kept.add(one.id)
            attempts = one.future.result()
            with self._store.transaction():
                self._record_failures(one, attempts)
                if attempts.label is not None:
                    self._store.keep_label(one.question.structure, attempts.label, **_origin(one))

    def ask(self, questions: Sequence[Question], *, width: int = 1) -> list[Reply]:
        """Put all questions to the oracle, `width` of them side by side; replies in the order of asking.

        No answer waits for a question that has not been put yet before it becomes durable.
        """
        replies: list[Reply] = []
        for question in questions:
            if len(self._under_way) == width:
                replies.append(self.receive())
            self.put(question)
        return replies + [self.receive() for _ in range(len(self._under_way))]

    def _submit(self, question: Question) -> _Asked:
        question_id = self._store.add_question(
            question.structure,
            question.kind.value,
            iteration=question.iteration,
            reason=question.reason,
            prediction=_arrays(question.prediction),
        )
        before = tuple(attempt.failure for attempt in self._store.attempts(question_id))
        known = self._store.find_label(question.structure.content_hash, self.fingerprint)
        if known is not None or len(before) >= self._labeller.attempts:
            return _Asked(question, question_id, before, known, None)
        self._store.set_state(question_id, TaskState.RUNNING)
        future = self._labeller.submit(question.structure, first_attempt=len(before))
        return _Asked(question, question_id, before, None, future)

    def _receive(self, asked: _Asked) -> Reply:
        question, question_id, label, failures = asked.question, asked.id, asked.known, asked.before
        if asked.future is not None:
            attempts = asked.future.result()
            self._record_failures(asked, attempts)
            failures, label = asked.before + attempts.failures, attempts.label
        if label is None:
            self._store.set_state(question_id, TaskState.QUARANTINED)
            self._set_aside.add(question.structure.content_hash)
        else:
            self._store.commit_label(question.structure, label, **_origin(asked))
        return Reply(question, question_id, label, failures, len(failures) + (label is not None))

    def _record_failures(self, asked: _Asked, attempts: Attempts) -> None:
        for number, failure in enumerate(attempts.failures, start=len(asked.before)):
            self._store.record_failure(asked.id, number, failure)


def reference_energies(
    store: SqliteStore, labeller: Labeller, numbers: Sequence[int]
) -> dict[int, float] | None:
    """Energies (eV) of the isolated atoms by the oracle, asked once and kept; None when it cannot give them all."""
    key = f"reference_energies {labeller.oracle.fingerprint}"
    known: dict[str, float | None] = store.meta(key) or {}
    for number in numbers:
        if str(number) not in known:
            try:
                known[str(number)] = labeller.oracle.isolated_atom_energy(number)
            except OracleError:
                known[str(number)] = None
    store.set_meta(key, known)
    energies = {number: known[str(number)] for number in numbers}
    if any(energy is None for energy in energies.values()):
        return None
    return {number: float(energy) for number, energy in energies.items() if energy is not None}


def _origin(asked: _Asked) -> dict[str, Any]:
    """What the store keeps of where a label comes from."""
    question = asked.question
    return {"kind": question.kind.value, "iteration": question.iteration, "question_id": asked.id}


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
    reason = stored.reason
    kind = QuestionKind(stored.kind)
    return Question(kind, structure, stored.iteration, reason["where"], reason["walker"], reason, prediction)


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
    if prediction.novelty is not None:
        arrays["novelty"] = prediction.novelty
    if prediction.stress is not None:
        arrays["stress"] = prediction.stress
    return arrays

"""The oracle's desk: questions go in, typed outcomes come out, every one recorded before it is used.

A label found in the store is an answer like any other: it cost its call when it was made. A resumed run that asks again
what it had asked before it was killed therefore counts the same calls, and makes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import OracleError
from thalweg.label import Failure, Label
from thalweg.loop.events import QuestionKind
from thalweg.loop.executor import Attempts, Labeller
from thalweg.potential import Prediction
from thalweg.store import SqliteStore, TaskState
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


class Desk:
    """Puts questions to the oracle and records what comes back."""

    def __init__(self, store: SqliteStore, labeller: Labeller) -> None:
        self._store = store
        self._labeller = labeller
        self.fingerprint = labeller.oracle.fingerprint
        quarantined = store.questions(state=TaskState.QUARANTINED)
        self._quarantined = {question.structure_hash for question in quarantined}

    @property
    def name(self) -> str:
        """What people call the oracle."""
        return self._labeller.oracle.display_name

    def is_quarantined(self, structure: Structure) -> bool:
        """Whether every attempt at this structure has failed before."""
        return structure.content_hash in self._quarantined

    def has_label(self, structure: Structure) -> bool:
        """Whether the oracle's label of this structure is in the store and in its place in the order of learning."""
        return self._store.is_learned(structure.content_hash, self.fingerprint)

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Put all questions to the oracle, side by side where there are workers; replies in the order of asking."""
        asked = [(question, *self._submit(question)) for question in questions]
        return [self._receive(*one) for one in asked]

    def _submit(
        self, question: Question
    ) -> tuple[int, tuple[Failure, ...], Label | None, Future[Attempts] | None]:
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
            return question_id, before, known, None
        self._store.set_state(question_id, TaskState.RUNNING)
        future = self._labeller.submit(question.structure, first_attempt=len(before))
        return question_id, before, None, future

    def _receive(
        self,
        question: Question,
        question_id: int,
        before: tuple[Failure, ...],
        label: Label | None,
        future: Future[Attempts] | None,
    ) -> Reply:
        failures = before
        if future is not None:
            attempts = future.result()
            for number, failure in enumerate(attempts.failures, start=len(before)):
                self._store.record_failure(question_id, number, failure)
            failures, label = before + attempts.failures, attempts.label
        if label is None:
            self._store.set_state(question_id, TaskState.QUARANTINED)
            self._quarantined.add(question.structure.content_hash)
        else:
            self._store.commit_label(
                question.structure,
                label,
                kind=question.kind.value,
                iteration=question.iteration,
                question_id=question_id,
            )
        return Reply(question, question_id, label, failures, len(failures) + (label is not None))


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


def _arrays(prediction: Prediction | None) -> dict[str, np.ndarray[Any, Any]]:
    if prediction is None:
        return {}
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "energy": np.array(prediction.energy),
        "forces": prediction.forces,
        "forces_deviation": prediction.forces_deviation,
        "forces_bound": prediction.forces_bound,
    }
    if prediction.novelty is not None:
        arrays["novelty"] = prediction.novelty
    if prediction.stress is not None:
        arrays["stress"] = prediction.stress
    return arrays

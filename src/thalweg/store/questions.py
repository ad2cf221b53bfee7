"""Structures, questions, failed attempts and labels: the part of the store that costs calls of the oracle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from thalweg.errors import StoreError, check
from thalweg.label import Failure, FailureKind, Label, LabelNoise
from thalweg.store.base import HANDED, Arrays, AttemptRecord, LabelRecord, QuestionRecord, TaskState
from thalweg.store.database import Database
from thalweg.store.encoding import (
    arrays_from_blob,
    arrays_to_blob,
    from_blob,
    structure_columns,
    structure_from_columns,
    to_blob,
    to_json,
)
from thalweg.structure import Structure

_QUESTION = "id, structure_hash, kind, iteration, reason, prediction, state, created_at"
_LABEL = "l.oracle, l.energy, l.forces, l.stress, l.noise, l.wall_time"
_RECORD = (
    f"SELECT s.numbers, s.positions, s.cell, s.pbc, {_LABEL}, l.kind, l.iteration, l.sequence, "
    "l.question_id, l.committed_at FROM labels l JOIN structures s ON s.hash = l.structure_hash"
)


class QuestionTables(Database):
    """Verbs on structures, questions, attempts and labels."""

    def add_structure(self, structure: Structure) -> str:
        """Remember a structure; returns its content hash."""
        with self.transaction():
            self._execute(
                "INSERT INTO structures VALUES (?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
                (structure.content_hash, *structure_columns(structure)),
            )
        return structure.content_hash

    def structure(self, structure_hash: str) -> Structure:
        """The structure with this hash; StoreError if unknown."""
        sql = "SELECT numbers, positions, cell, pbc FROM structures WHERE hash = ?"
        rows = self._rows(sql, (structure_hash,))
        if not rows:
            raise StoreError(f"{self.path}: there is no structure {structure_hash[:12]}… in it")
        return structure_from_columns(*rows[0])

    def add_question(
        self,
        structure: Structure,
        kind: str,
        *,
        iteration: int,
        reason: Mapping[str, Any] | None = None,
        prediction: Arrays | None = None,
    ) -> int:
        """Ask (or find the same question asked before, and add a prediction that it lacks); returns its id.

        `prediction` is what the model says now, before it learns the answer.
        """
        blob = arrays_to_blob(prediction) if prediction else None
        with self.transaction():
            name = self.add_structure(structure)
            self._execute(
                "INSERT INTO questions "
                "(structure_hash, kind, iteration, reason, prediction, state, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (structure_hash, kind, iteration) "
                "DO UPDATE SET prediction = coalesce(prediction, excluded.prediction)",
                (name, kind, iteration, to_json(reason or {}), blob, TaskState.WAITING.value, time.time()),
            )
            sql = "SELECT id FROM questions WHERE structure_hash = ? AND kind = ? AND iteration = ?"
            return int(self._value(sql, (name, kind, iteration)))

    def set_state(self, question_id: int, state: TaskState) -> None:
        """Move a question on; StoreError if there is none of this id."""
        with self.transaction():
            cursor = self._execute("UPDATE questions SET state = ? WHERE id = ?", (state.value, question_id))
            if cursor.rowcount != 1:
                raise StoreError(f"{self.path}: there is no question {question_id} in it")

    def questions(self, *, kind: str | None = None, state: TaskState | None = None) -> list[QuestionRecord]:
        """Questions in the order of their ids, all or those of a kind or in a state."""
        rows = self._rows(
            f"SELECT {_QUESTION} FROM questions "
            "WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY id",
            (kind, None if state is None else state.value),
        )
        return [_question(row) for row in rows]

    def handed_in(self) -> list[QuestionRecord]:
        """Questions handed in from outside that have no answer yet, in the order of their ids."""
        return [question for question in self.questions(kind=HANDED) if not question.state.is_finished()]

    def find_question(self, question_id: int) -> QuestionRecord | None:
        """One question, if there is one of this id."""
        rows = self._rows(f"SELECT {_QUESTION} FROM questions WHERE id = ?", (question_id,))
        return _question(rows[0]) if rows else None

    def question(self, question_id: int) -> QuestionRecord:
        """One question; StoreError if there is none of this id."""
        found = self.find_question(question_id)
        if found is None:
            raise StoreError(f"{self.path}: there is no question {question_id} in it")
        return found

    def forget_failures(self) -> int:
        """Forget every failed call, so that their questions may be asked anew; returns how many there were."""
        with self.transaction():
            count = int(self._value("SELECT count(*) FROM attempts"))
            self._execute("DELETE FROM attempts")
            self._execute(
                "UPDATE questions SET state = ? WHERE state IN (?, ?)",
                (TaskState.WAITING.value, TaskState.FAILED.value, TaskState.QUARANTINED.value),
            )
        return count

    def record_failure(self, question_id: int, attempt: int, failure: Failure) -> None:
        """Remember a failed call and its log; the question's state becomes FAILED."""
        with self.transaction():
            self._execute(
                "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (question_id, attempt) DO NOTHING",
                (
                    question_id,
                    attempt,
                    failure.kind.value,
                    failure.message,
                    failure.log,
                    failure.oracle,
                    failure.wall_time,
                    time.time(),
                ),
            )
            self.set_state(question_id, TaskState.FAILED)

    def attempts(self, question_id: int | None = None) -> list[AttemptRecord]:
        """Failed calls of one question, or of all, in the order of question and attempt."""
        rows = self._rows(
            "SELECT question_id, attempt, recorded_at, outcome, message, log, oracle, wall_time "
            "FROM attempts WHERE (?1 IS NULL OR question_id = ?1) ORDER BY question_id, attempt",
            (question_id,),
        )
        return [AttemptRecord(row[0], row[1], Failure(FailureKind(row[3]), *row[4:]), row[2]) for row in rows]

    def commit_label(
        self, structure: Structure, label: Label, *, kind: str, iteration: int, question_id: int | None = None
    ) -> int:
        """Make a label durable and give it the next place in the order of learning; returns that place.

        Idempotent by structure and oracle: a label that is there keeps its numbers, and its place if any.
        The question, if named, becomes DONE. Raises InputError for numbers that are not finite.
        """
        with self.transaction():
            self.keep_label(structure, label, kind=kind, iteration=iteration, question_id=question_id)
            name = structure.content_hash
            self._execute(
                "UPDATE labels SET sequence = (SELECT coalesce(max(sequence), 0) + 1 FROM labels) "
                "WHERE structure_hash = ? AND oracle = ? AND sequence IS NULL",
                (name, label.oracle),
            )
            if question_id is not None:
                self.set_state(question_id, TaskState.DONE)
            sql = "SELECT sequence FROM labels WHERE structure_hash = ? AND oracle = ?"
            return int(self._value(sql, (name, label.oracle)))

    def keep_label(
        self, structure: Structure, label: Label, *, kind: str, iteration: int, question_id: int | None = None
    ) -> None:
        """Make a label durable that has come before its turn: it gets no place in the order of learning yet.

        Idempotent, and raises, as `commit_label`, which gives the place.
        """
        stress_sum = 0.0 if label.stress is None else label.stress.sum()
        total = label.energy + label.forces.sum() + stress_sum
        check(np.isfinite(total), "a label that is not finite cannot be stored")
        with self.transaction():
            name = self.add_structure(structure)
            stress = None if label.stress is None else to_blob(label.stress)
            noise = to_blob([label.noise.energy, label.noise.forces, label.noise.stress])
            self._execute(
                "INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?) "
                "ON CONFLICT (structure_hash, oracle) DO NOTHING",
                (
                    name,
                    label.oracle,
                    label.energy,
                    to_blob(label.forces),
                    stress,
                    noise,
                    label.wall_time,
                    kind,
                    iteration,
                    question_id,
                    time.time(),
                ),
            )

    def find_label(self, structure_hash: str, oracle: str) -> Label | None:
        """The label of this structure by this oracle (its fingerprint), if there is one."""
        sql = f"SELECT {_LABEL} FROM labels l WHERE structure_hash = ? AND oracle = ?"
        rows = self._rows(sql, (structure_hash, oracle))
        return _label(rows[0]) if rows else None

    def is_learned(self, structure_hash: str, oracle: str) -> bool:
        """Whether this structure's label by this oracle has its place in the order of learning."""
        sql = "SELECT count(*) FROM labels WHERE structure_hash = ? AND oracle = ? AND sequence IS NOT NULL"
        return bool(self._value(sql, (structure_hash, oracle)))

    def labels_in_order(self, *, after: int = 0) -> list[LabelRecord]:
        """Learned labels in the order of learning, those past place `after`."""
        return _records(self._rows(f"{_RECORD} WHERE l.sequence > ? ORDER BY l.sequence", (after,)))

    def all_labels(self) -> list[LabelRecord]:
        """Every label: the learned ones in order, then those without a place by time."""
        return _records(
            self._rows(f"{_RECORD} ORDER BY l.sequence IS NULL, l.sequence, l.committed_at, l.rowid")
        )

    def counts(self) -> dict[str, int]:
        """Numbers for a status line: labels, failed calls, and questions by state (`waiting`, ...)."""
        counts = {
            "labels": int(self._value("SELECT count(*) FROM labels")),
            "failed_calls": int(self._value("SELECT count(*) FROM attempts")),
        }
        found = dict(self._rows("SELECT state, count(*) FROM questions GROUP BY state"))
        return counts | {state.value: int(found.get(state.value, 0)) for state in TaskState}


def _question(row: tuple[Any, ...]) -> QuestionRecord:
    number, name, kind, iteration, reason, prediction, state, created_at = row
    return QuestionRecord(
        number,
        name,
        kind,
        iteration,
        json.loads(reason),
        arrays_from_blob(prediction),
        TaskState(state),
        created_at,
    )


def _label(row: tuple[Any, ...]) -> Label:
    oracle, energy, forces, stress, noise, wall_time = row
    return Label(
        energy,
        from_blob(forces, (len(forces) // 24, 3)),
        None if stress is None else from_blob(stress, (6,)),
        LabelNoise(*(float(s) for s in from_blob(noise, (3,)))),
        oracle,
        wall_time,
    )


def _records(rows: Iterable[tuple[Any, ...]]) -> list[LabelRecord]:
    return [LabelRecord(structure_from_columns(*row[:4]), _label(row[4:10]), *row[10:]) for row in rows]

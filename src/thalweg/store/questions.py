"""Structures, questions and failed attempts: what is put to the oracle, and what did not come of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from thalweg.errors import StoreError
from thalweg.label import Failure, FailureKind
from thalweg.store.database import Database
from thalweg.store.encoding import (
    arrays_from_blob,
    arrays_to_blob,
    bounded_data,
    bounded_text,
    structure_columns,
    structure_from_columns,
    to_json,
)
from thalweg.store.records import HANDED, Arrays, AttemptRecord, QuestionRecord, TaskState
from thalweg.store.tables import ATTEMPTS, QUESTIONS, Row
from thalweg.structure import Structure


class QuestionTables(Database):
    """Verbs on structures, questions and attempts."""

    def add_structure(self, structure: Structure) -> str:
        """Remember a structure; returns its content hash."""
        with self.transaction():
            self._execute(
                "INSERT INTO structures VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
                (structure.content_hash, *structure_columns(structure)),
            )
        return structure.content_hash

    def structure(self, structure_hash: str) -> Structure:
        """The structure with this hash; StoreError if unknown, or if its content does not fit its hash."""
        sql = "SELECT numbers, positions, cell, pbc, particulars FROM structures WHERE hash = ?"
        rows = self._rows(sql, (structure_hash,))
        if not rows:
            raise StoreError(f"{self.path}: there is no structure {structure_hash[:12]}… in it")
        return self._checked(structure_hash, rows[0])

    def _checked(self, structure_hash: str, columns: tuple[Any, ...]) -> Structure:
        """The structure of these columns, held against its hash."""
        why = "its content does not fit its hash"
        try:
            structure = structure_from_columns(*columns)
            if structure.content_hash == structure_hash:
                return structure
        except (StoreError, TypeError) as error:
            why = str(error)
        raise StoreError(
            f"{self.path}: structure {structure_hash[:12]}… is damaged: {why}; restore {self.path.name} from a copy"
        )

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
            key = (name, kind, iteration)
            known = self._read(QUESTIONS, "WHERE structure_hash = ? AND kind = ? AND iteration = ?", key)
            if known:
                if known[0]["prediction"] is None and blob is not None:
                    self._change(QUESTIONS, known[0], prediction=blob)
                return int(known[0]["id"])
            return self._insert(
                QUESTIONS,
                {
                    "structure_hash": name,
                    "kind": kind,
                    "iteration": iteration,
                    "reason": to_json(bounded_data(reason or {})),
                    "prediction": blob,
                    "state": TaskState.WAITING.value,
                    "created_at": time.time(),
                },
            )

    def set_state(self, question_id: int, state: TaskState) -> None:
        """Move a question on; StoreError if there is none of this id."""
        with self.transaction():
            self._change(QUESTIONS, self._question(question_id), state=state.value)

    def questions(self, *, kind: str | None = None, state: TaskState | None = None) -> list[QuestionRecord]:
        """Questions in the order of their ids, all or those of a kind or in a state."""
        rows = self._read(
            QUESTIONS,
            "WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY id",
            (kind, None if state is None else state.value),
        )
        return [_question_record(row) for row in rows]

    def handed_in(self) -> list[QuestionRecord]:
        """Questions handed in from outside that have no answer yet, in the order of their ids."""
        return [question for question in self.questions(kind=HANDED) if not question.state.is_finished()]

    def find_question(self, question_id: int) -> QuestionRecord | None:
        """One question, if there is one of this id."""
        rows = self._read(QUESTIONS, "WHERE id = ?", (question_id,))
        return _question_record(rows[0]) if rows else None

    def question(self, question_id: int) -> QuestionRecord:
        """One question; StoreError if there is none of this id."""
        return _question_record(self._question(question_id))

    def _question(self, question_id: int) -> Row:
        rows = self._read(QUESTIONS, "WHERE id = ?", (question_id,))
        if not rows:
            raise StoreError(f"{self.path}: there is no question {question_id} in it")
        return rows[0]

    def record_failure(self, question_id: int, attempt: int, failure: Failure) -> None:
        """Remember a failed call and its log, bounded; the question's state becomes FAILED, unless withdrawn."""
        with self.transaction():
            self._insert(
                ATTEMPTS,
                {
                    "question_id": question_id,
                    "attempt": attempt,
                    "oracle": failure.oracle,
                    "outcome": failure.kind.value,
                    "message": bounded_text(failure.message),
                    "log": bounded_text(failure.log),
                    "wall_time": failure.wall_time,
                    "recorded_at": time.time(),
                },
                or_else="ON CONFLICT (question_id, attempt, oracle) DO NOTHING",
            )
            if self._question(question_id)["state"] != TaskState.WITHDRAWN:
                self.set_state(question_id, TaskState.FAILED)

    def forget_failures(self) -> int:
        """Forget every failed call, so that their questions may be asked again; returns how many there were."""
        lost = (TaskState.FAILED.value, TaskState.QUARANTINED.value)
        with self.transaction():
            count = self._execute("DELETE FROM attempts").rowcount
            for question in self._read(QUESTIONS, "WHERE state IN (?, ?)", lost):
                self._change(QUESTIONS, question, state=TaskState.WAITING.value)
        return count

    def attempts(self, question_id: int | None = None) -> list[AttemptRecord]:
        """Failed calls of one question, or of all, in the order of question and attempt."""
        rows = self._read(
            ATTEMPTS,
            "WHERE (?1 IS NULL OR question_id = ?1) ORDER BY question_id, attempt, recorded_at",
            (question_id,),
        )
        return [_attempt_record(row) for row in rows]


def _question_record(row: Row) -> QuestionRecord:
    return QuestionRecord(
        row["id"],
        row["structure_hash"],
        row["kind"],
        row["iteration"],
        json.loads(row["reason"]),
        arrays_from_blob(row["prediction"]),
        TaskState(row["state"]),
        row["created_at"],
    )


def _attempt_record(row: Row) -> AttemptRecord:
    """Bounded on reading, too: an older Thalweg kept texts of any length."""
    failure = Failure(
        FailureKind(row["outcome"]),
        bounded_text(row["message"]),
        bounded_text(row["log"]),
        row["oracle"],
        row["wall_time"],
    )
    return AttemptRecord(row["question_id"], row["attempt"], failure, row["recorded_at"])

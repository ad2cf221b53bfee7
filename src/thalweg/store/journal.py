"""Checkpoints, the conversation, metrics, starts of the command: the part that tells the story."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from thalweg.errors import StoreError
from thalweg.store.encoding import (
    arrays_from_blob,
    arrays_to_blob,
    bounded_data,
    bounded_text,
    to_json,
)
from thalweg.store.questions import QuestionTables
from thalweg.store.records import (
    HANDED,
    Arrays,
    CheckpointRecord,
    EventRecord,
    MetricsRecord,
    RunRecord,
    TaskState,
)
from thalweg.store.tables import CHECKPOINTS, EVENTS, LABELS, META, METRICS, QUESTIONS, RUNS, Row
from thalweg.structure import Structure

CHECKPOINTS_KEPT = 3

_UNANSWERED = f"""
    id > ? AND kind <> '{HANDED}'
    AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.question_id = questions.id)
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.question_id = questions.id)
"""
_TAKEN_BACK = f"""
    kind = '{HANDED}' AND state IN ('{TaskState.RUNNING}', '{TaskState.FAILED}', '{TaskState.DONE}')
    AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.structure_hash = questions.structure_hash
                    AND labels.sequence IS NOT NULL)
"""


class JournalTables(QuestionTables):
    """Verbs on checkpoints, events, metrics, runs and meta."""

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Remember the loop's state after an iteration: plain data and named arrays (no objects).

        Written in one transaction with whatever else the caller writes in the same one. The last
        CHECKPOINTS_KEPT are kept.
        """
        text, blob = to_json(state), arrays_to_blob(arrays)
        with self.transaction():
            self._execute("DELETE FROM checkpoints WHERE iteration = ?", (iteration,))
            values = {"iteration": iteration, "state": text, "arrays": blob, "saved_at": time.time()}
            self._insert(CHECKPOINTS, {**values, **self._marks()})
            self._execute(
                "DELETE FROM checkpoints WHERE iteration NOT IN "
                "(SELECT iteration FROM checkpoints ORDER BY iteration DESC LIMIT ?)",
                (CHECKPOINTS_KEPT,),
            )

    def _marks(self) -> dict[str, int]:
        """What the store holds now: where `rewind` goes back to."""
        marks = {
            "last_question": "max(id) FROM questions",
            "last_sequence": "max(sequence) FROM labels",
            "last_event": "max(id) FROM events",
            "last_metrics": "max(id) FROM metrics",
            "last_withdrawal": "max(id) FROM withdrawals",
        }
        return {name: int(self._value(f"SELECT {what}") or 0) for name, what in marks.items()}

    def last_checkpoint(self) -> CheckpointRecord | None:
        """The newest checkpoint that is whole, or None before the first.

        Raises
        ------
        StoreError
            There are checkpoints, and all of them are damaged.
        """
        row = self._last_whole()
        return None if row is None else _checkpoint(row)

    def _sound_checkpoints(self) -> list[Row]:
        """Those that are whole, the newest first."""
        sound = []
        for values in self._rows(f"SELECT {CHECKPOINTS.select()} FROM checkpoints ORDER BY iteration DESC"):
            try:
                row = self._whole(CHECKPOINTS, values)
                _checkpoint(row)
            except (StoreError, ValueError):
                continue
            sound.append(row)
        return sound

    def _last_whole(self) -> Row | None:
        """The newest checkpoint that is whole; a notice says where it is not the newest of all."""
        newest = self._value("SELECT max(iteration) FROM checkpoints")
        if newest is None:
            return None
        sound = self._sound_checkpoints()
        if not sound:
            raise StoreError(
                f"{self.path}: all its checkpoints are damaged; restore it from a copy. You can still get its labels: "
                f"thalweg export {self.folder}"
            )
        notice = (
            f"the newest checkpoint in {self.path} is damaged: the run continues from the one before, of iteration "
            f"{sound[0]['iteration']}; no label is lost"
        )
        if sound[0]["iteration"] != newest and notice not in self.notices:
            self.notices.append(notice)
        return sound[0]

    def _drop_damaged_checkpoints(self) -> Row | None:
        """The newest checkpoint that is whole, those after it taken away."""
        whole = self._last_whole()
        if whole is not None:
            self._execute("DELETE FROM checkpoints WHERE iteration > ?", (whole["iteration"],))
        return whole

    def rewind(self) -> None:
        """Back to the last checkpoint (or the beginning), keeping every label and every failure.

        Labels committed since lose their place in the order of learning, so that a run that goes on from the
        checkpoint learns them again, in its own order, without a call of the oracle. Handed-in questions that
        are not learned wait again. A damaged checkpoint is taken away: the last one is then the one before it.
        """
        with self.transaction():
            row = self._drop_damaged_checkpoints() or dict.fromkeys(CHECKPOINTS.columns, 0)
            for label in self._read(LABELS, "WHERE sequence > ?", (row["last_sequence"],)):
                self._change(LABELS, label, sequence=None)
            self._execute(f"DELETE FROM questions WHERE {_UNANSWERED}", (row["last_question"],))
            for question in self._read(QUESTIONS, f"WHERE {_TAKEN_BACK}"):
                self._change(QUESTIONS, question, state=TaskState.WAITING.value)
            self._execute("DELETE FROM events WHERE id > ?", (row["last_event"],))
            self._execute("DELETE FROM metrics WHERE id > ?", (row["last_metrics"],))

    def append_event(
        self, iteration: int, kind: str, text: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """One line of the conversation."""
        with self.transaction():
            words = {"kind": kind, "text": bounded_text(text), "data": to_json(bounded_data(data or {}))}
            self._insert(EVENTS, {"iteration": iteration, **words, "time": time.time()})

    def events(self, *, after: int = 0, kind: str | None = None) -> list[EventRecord]:
        """The conversation in order, past the event with id `after`, all or one kind; damaged lines are left out."""
        clauses = "WHERE id > ?1 AND (?2 IS NULL OR kind = ?2) ORDER BY id"
        return [
            EventRecord(
                row["id"],
                row["iteration"],
                row["kind"],
                bounded_text(row["text"]),
                json.loads(row["data"]),
                row["time"],
            )
            for row in self._whole_ones(EVENTS, clauses, (after, kind))
        ]

    def append_metrics(self, iteration: int, values: Mapping[str, Any]) -> None:
        """The numbers of one iteration."""
        with self.transaction():
            self._insert(METRICS, {"iteration": iteration, "data": to_json(values), "time": time.time()})

    def metrics(self) -> list[MetricsRecord]:
        """All numbers of all iterations, in order; damaged ones are left out."""
        rows = self._whole_ones(METRICS, "ORDER BY id")
        return [MetricsRecord(row["iteration"], json.loads(row["data"]), row["time"]) for row in rows]

    def start_run(
        self,
        config: Mapping[str, Any],
        changes: Mapping[str, Any] | None = None,
        *,
        structures: Iterable[Structure] | None = None,
    ) -> int:
        """Remember a start of the command and the structures it starts from; returns its number (1 first)."""
        with self.transaction():
            hashes = None if structures is None else [self.add_structure(one) for one in structures]
            settings = {"config": to_json(config), "changes": to_json(changes or {})}
            names = {"structures": None if hashes is None else to_json(hashes)}
            return self._insert(RUNS, {**settings, **names, "started_at": time.time()})

    def runs(self) -> list[RunRecord]:
        """Every start of the command in this folder."""
        return [_run(row) for row in self._read(RUNS, "ORDER BY id")]

    def start_structures(self) -> list[Structure] | None:
        """The start structures of the last start, None where they were not written down."""
        runs = self.runs()
        if not runs or runs[-1].structures is None:
            return None
        return [self.structure(name) for name in runs[-1].structures]

    def set_meta(self, key: str, value: Any) -> None:
        """Remember one plain value under a name."""
        with self.transaction():
            self._execute("DELETE FROM meta WHERE key = ?", (key,))
            self._insert(META, {"key": key, "value": to_json(value)})

    def meta(self, key: str, default: Any = None) -> Any:
        """The value under a name, or `default`."""
        # all of them, since a name that is damaged is not found by it
        found = {row["key"]: row["value"] for row in self._read(META)}
        return json.loads(found[key]) if key in found else default


def _checkpoint(row: Row) -> CheckpointRecord:
    state, arrays = json.loads(row["state"]), arrays_from_blob(row["arrays"])
    return CheckpointRecord(row["iteration"], state, arrays, row["saved_at"])


def _run(row: Row) -> RunRecord:
    names = None if row["structures"] is None else tuple(json.loads(row["structures"]))
    return RunRecord(
        row["id"], json.loads(row["config"]), json.loads(row["changes"]), row["started_at"], names
    )

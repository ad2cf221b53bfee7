"""Checkpoints, the conversation, metrics, starts of the command: the part that tells the story."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from thalweg.store.base import (
    HANDED,
    Arrays,
    CheckpointRecord,
    EventRecord,
    MetricsRecord,
    RunRecord,
    TaskState,
)
from thalweg.store.database import Database
from thalweg.store.encoding import arrays_from_blob, arrays_to_blob, to_json

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


class JournalTables(Database):
    """Verbs on checkpoints, events, metrics, runs and meta."""

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Remember the loop's state after an iteration: plain data and named arrays (no objects).

        Written in one transaction with whatever else the caller writes in the same one. The last
        CHECKPOINTS_KEPT are kept.
        """
        text, blob = to_json(state), arrays_to_blob(arrays)
        with self.transaction():
            self._execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, "
                "(SELECT coalesce(max(id), 0) FROM questions), "
                "(SELECT coalesce(max(sequence), 0) FROM labels), "
                "(SELECT coalesce(max(id), 0) FROM events), (SELECT coalesce(max(id), 0) FROM metrics), ?)",
                (iteration, text, blob, time.time()),
            )
            self._execute(
                "DELETE FROM checkpoints WHERE iteration NOT IN "
                "(SELECT iteration FROM checkpoints ORDER BY iteration DESC LIMIT ?)",
                (CHECKPOINTS_KEPT,),
            )

    def last_checkpoint(self) -> CheckpointRecord | None:
        """The newest checkpoint, or None before the first."""
        rows = self._rows(
            "SELECT iteration, state, arrays, saved_at FROM checkpoints ORDER BY iteration DESC LIMIT 1"
        )
        if not rows:
            return None
        iteration, state, arrays, saved_at = rows[0]
        return CheckpointRecord(iteration, json.loads(state), arrays_from_blob(arrays), saved_at)

    def rewind(self) -> None:
        """Back to the last checkpoint (or the beginning), keeping every label and every failure.

        Labels committed since lose their place in the order of learning, so that a run that goes on from the
        checkpoint learns them again, in its own order, without a call of the oracle. Handed-in questions that
        are not learned wait again.
        """
        with self.transaction():
            rows = self._rows(
                "SELECT last_question, last_sequence, last_event, last_metrics FROM checkpoints "
                "ORDER BY iteration DESC LIMIT 1"
            )
            question, sequence, event, metrics = rows[0] if rows else (0, 0, 0, 0)
            self._execute("UPDATE labels SET sequence = NULL WHERE sequence > ?", (sequence,))
            self._execute(f"DELETE FROM questions WHERE {_UNANSWERED}", (question,))
            self._execute(f"UPDATE questions SET state = '{TaskState.WAITING}' WHERE {_TAKEN_BACK}")
            self._execute("DELETE FROM events WHERE id > ?", (event,))
            self._execute("DELETE FROM metrics WHERE id > ?", (metrics,))

    def append_event(
        self, iteration: int, kind: str, text: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """One line of the conversation."""
        with self.transaction():
            self._execute(
                "INSERT INTO events (iteration, kind, text, data, time) VALUES (?, ?, ?, ?, ?)",
                (iteration, kind, text, to_json(data or {}), time.time()),
            )

    def events(self, *, after: int = 0, kind: str | None = None) -> list[EventRecord]:
        """The conversation in order, past the event with id `after`; all of it or one kind."""
        rows = self._rows(
            "SELECT id, iteration, kind, text, data, time FROM events "
            "WHERE id > ?1 AND (?2 IS NULL OR kind = ?2) ORDER BY id",
            (after, kind),
        )
        return [EventRecord(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5]) for row in rows]

    def append_metrics(self, iteration: int, values: Mapping[str, Any]) -> None:
        """The numbers of one iteration."""
        with self.transaction():
            self._execute(
                "INSERT INTO metrics (iteration, data, time) VALUES (?, ?, ?)",
                (iteration, to_json(values), time.time()),
            )

    def metrics(self) -> list[MetricsRecord]:
        """All numbers of all iterations, in order."""
        rows = self._rows("SELECT iteration, data, time FROM metrics ORDER BY id")
        return [MetricsRecord(row[0], json.loads(row[1]), row[2]) for row in rows]

    def start_run(self, config: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> int:
        """Remember a start of the command; returns its number (1 first)."""
        with self.transaction():
            cursor = self._execute(
                "INSERT INTO runs (config, changes, started_at) VALUES (?, ?, ?)",
                (to_json(config), to_json(changes or {}), time.time()),
            )
            return int(cursor.lastrowid or 0)

    def runs(self) -> list[RunRecord]:
        """Every start of the command in this folder."""
        rows = self._rows("SELECT id, config, changes, started_at FROM runs ORDER BY id")
        return [RunRecord(row[0], json.loads(row[1]), json.loads(row[2]), row[3]) for row in rows]

    def set_meta(self, key: str, value: Any) -> None:
        """Remember one plain value under a name."""
        with self.transaction():
            self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, to_json(value)))

    def meta(self, key: str, default: Any = None) -> Any:
        """The value under a name, or `default`."""
        text = self._value("SELECT value FROM meta WHERE key = ?", (key,))
        return default if text is None else json.loads(text)

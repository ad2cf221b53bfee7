"""Labels: the results of oracle calls, and the order in which they were learned."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from thalweg.errors import StoreError, check
from thalweg.label import Label, LabelNoise
from thalweg.store.database import damage
from thalweg.store.encoding import from_blob, to_blob
from thalweg.store.questions import QuestionTables
from thalweg.store.records import DamagedLabel, LabelRecord, TaskState
from thalweg.store.tables import LABELS, WITHDRAWALS, Row
from thalweg.structure import Structure

_STRUCTURE = 5  # columns of a structure, at the end of a row of `_RECORDS`
_RECORDS = (
    f"SELECT {LABELS.select('l')}, s.numbers, s.positions, s.cell, s.pbc, s.particulars "
    "FROM labels l LEFT JOIN structures s ON s.hash = l.structure_hash"
)
_ALL = f"{_RECORDS} ORDER BY l.sequence IS NULL, l.sequence, l.committed_at, l.id"


class LabelTables(QuestionTables):
    """Verbs on labels."""

    def commit_label(
        self, structure: Structure, label: Label, *, kind: str, iteration: int, question_id: int | None = None
    ) -> int:
        """Make a label durable and give it the next place in the order of learning; returns that place.

        Idempotent by structure and oracle: a label that is there keeps its numbers, and its place if any.
        The question, if named, becomes DONE.

        Raises
        ------
        InputError
            Its numbers are not finite.
        StoreError
            This structure's label was withdrawn.
        """
        with self.transaction():
            self.keep_label(structure, label, kind=kind, iteration=iteration, question_id=question_id)
            rows = self._labels_of(structure.content_hash, label.oracle)
            if not rows:
                raise StoreError(
                    f"{self.path}: structure {structure.content_hash[:12]}… was withdrawn; to ask about it again: "
                    f"thalweg labels {self.folder} --withdraw NUMBER --ask-again"
                )
            row, place = rows[0], rows[0]["sequence"]
            if place is None:
                place = 1 + int(self._value("SELECT coalesce(max(sequence), 0) FROM labels"))
                self._change(LABELS, row, sequence=place)
            if question_id is not None:
                self.set_state(question_id, TaskState.DONE)
            return int(place)

    def keep_label(
        self, structure: Structure, label: Label, *, kind: str, iteration: int, question_id: int | None = None
    ) -> None:
        """Make a label durable that has come before its turn: it gets no place in the order of learning yet.

        Idempotent, as `commit_label`, which gives the place. An answer to a question that was withdrawn while it was
        under way is no label: it is kept with the withdrawal. Raises InputError for numbers that are not finite.
        """
        stress_sum = 0.0 if label.stress is None else label.stress.sum()
        total = label.energy + label.forces.sum() + stress_sum
        check(np.isfinite(total), "a label that is not finite cannot be stored")
        with self.transaction():
            name = self.add_structure(structure)
            if self._is_withdrawn(name):
                self._note_late(name, label)
                return
            if self._labels_of(name, label.oracle):
                return
            origin = {"kind": kind, "iteration": iteration, "question_id": question_id}
            self._insert(
                LABELS,
                {"structure_hash": name, **_label_columns(label), **origin, "committed_at": time.time()},
            )

    def _labels_of(self, structure_hash: str, oracle: str) -> list[Row]:
        return self._read(LABELS, "WHERE structure_hash = ? AND oracle = ?", (structure_hash, oracle))

    def _note_late(self, structure_hash: str, label: Label) -> None:
        """Keep what a withdrawn question was answered with: it was paid for."""
        for row in self._read(WITHDRAWALS, "WHERE structure_hash = ? AND forces IS NULL", (structure_hash,)):
            self._change(WITHDRAWALS, row, **_label_columns(label))

    def _is_withdrawn(self, structure_hash: str) -> bool:
        sql = "SELECT count(*) FROM withdrawals WHERE structure_hash = ? AND ask_again = 0"
        return bool(self._value(sql, (structure_hash,)))

    def find_label(self, structure_hash: str, oracle: str) -> Label | None:
        """The label of this structure by this oracle (its fingerprint), if there is one."""
        rows = self._labels_of(structure_hash, oracle)
        return _label(rows[0]) if rows else None

    def is_learned(self, structure_hash: str, oracle: str) -> bool:
        """Whether this structure's label by this oracle has its place in the order of learning."""
        rows = self._labels_of(structure_hash, oracle)
        return bool(rows) and rows[0]["sequence"] is not None

    def labels_in_order(self, *, after: int = 0) -> list[LabelRecord]:
        """Learned labels in the order of learning, those past place `after`."""
        rows = self._rows(f"{_RECORDS} WHERE l.sequence > ? ORDER BY l.sequence", (after,))
        return [self._record(row) for row in rows]

    def all_labels(self) -> list[LabelRecord]:
        """Every label: the learned ones in order, then those without a place by time."""
        return [self._record(row) for row in self._rows(_ALL)]

    def sound_labels(self) -> tuple[list[LabelRecord], list[DamagedLabel]]:
        """As `all_labels`, and apart from them those that are damaged, instead of an error."""
        sound, damaged = [], []
        for row in self._rows(_ALL):
            try:
                sound.append(self._record(row))
            except StoreError as error:
                damaged.append(DamagedLabel(row[0], str(error)))
        return sound, damaged

    def _record(self, values: tuple[Any, ...]) -> LabelRecord:
        """The label of a row of `_RECORDS`; StoreError where it or its structure is damaged."""
        row = self._whole(LABELS, values[:-_STRUCTURE])
        try:
            structure = self._checked(row["structure_hash"], values[-_STRUCTURE:])
        except StoreError as error:
            raise StoreError(f"{damage(self.path, LABELS, row)} ({error})") from error
        return LabelRecord(
            structure,
            _label(row),
            row["kind"],
            row["iteration"],
            row["sequence"],
            row["question_id"],
            row["committed_at"],
            row["id"],
        )

    def counts(self) -> dict[str, int]:
        """Numbers for a status line: labels, withdrawn labels, failed calls, and questions by state."""
        counts = {
            "labels": int(self._value("SELECT count(*) FROM labels")),
            "withdrawn_labels": int(
                self._value("SELECT count(*) FROM withdrawals WHERE label_id IS NOT NULL")
            ),
            "failed_calls": int(self._value("SELECT count(*) FROM attempts")),
        }
        found = dict(self._rows("SELECT state, count(*) FROM questions GROUP BY state"))
        return counts | {state.value: int(found.get(state.value, 0)) for state in TaskState}


def _label_columns(label: Label) -> dict[str, Any]:
    noise = label.noise
    return {
        "oracle": label.oracle,
        "energy": label.energy,
        "forces": to_blob(label.forces),
        "stress": None if label.stress is None else to_blob(label.stress),
        "noise": to_blob([noise.energy, noise.forces, noise.stress]),
        "wall_time": label.wall_time,
    }


def _label(row: Row) -> Label:
    forces, stress = row["forces"], row["stress"]
    return Label(
        row["energy"],
        from_blob(forces, (len(forces) // 24, 3)),
        None if stress is None else from_blob(stress, (6,)),
        LabelNoise(*(float(s) for s in from_blob(row["noise"], (3,)))),
        row["oracle"],
        row["wall_time"],
    )

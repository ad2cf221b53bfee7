"""Withdrawing: a label or a question leaves the run, and stays on record with who took it out, when and why.

A withdrawn label moves to a table of its own, so that nothing that reads labels can meet it. The places after it move
up, in the order of learning and in what the checkpoints know of it: the order stays 1, 2, 3, ... (law 5).
"""

from __future__ import annotations

import time
from typing import Any

from thalweg.errors import StoreError
from thalweg.store.encoding import bounded_text, to_json
from thalweg.store.journal import JournalTables
from thalweg.store.labels import LabelTables
from thalweg.store.records import HANDED, TaskState, WithdrawalRecord
from thalweg.store.tables import CHECKPOINTS, LABELS, QUESTIONS, WITHDRAWALS, Row

_OPEN = (TaskState.WAITING, TaskState.RUNNING, TaskState.FAILED)


class WithdrawalTables(LabelTables, JournalTables):
    """Verbs that take labels and questions out of the run."""

    def withdraw_label(self, number: int, *, who: str, why: str, ask_again: bool = False) -> WithdrawalRecord:
        """Take a label out of the run, also a damaged one.

        It is not learned, found, exported or stored again; the run does not ask about its structure, unless
        `ask_again`: then a question about it waits, to be paid for. A label that is withdrawn already can be
        allowed to be asked again so.

        Raises
        ------
        StoreError
            There is no label of this number.
        """
        with self.transaction():
            if known := self._read(WITHDRAWALS, "WHERE label_id = ?", (number,)):
                return self._allow_again(known[0], ask_again)
            row = self._taken(number)
            learned = self._forget_place(row)
            self._execute("DELETE FROM labels WHERE id = ?", (number,))
            self._close_questions(row["structure_hash"])
            about: Row = {**row, "id": None, "label_id": number, "learned": learned}
            record = self._note(about, who=who, why=why, ask_again=ask_again)
            if ask_again:
                self._ask_again(record)
            return record

    def withdraw_question(
        self, question_id: int, *, who: str, why: str, ask_again: bool = False
    ) -> WithdrawalRecord:
        """Take a question out of the run that has no answer yet; its structure is not asked about again.

        With `ask_again` only this question is taken out: the run may come upon its structure by itself.

        Raises
        ------
        StoreError
            There is no such question, it has its label, or nothing more would happen to it anyway.
        """
        with self.transaction():
            question = self._question(question_id)
            if question["state"] not in _OPEN:
                raise StoreError(
                    f"{self.path}: question {question_id} is {question['state']} already; a label is withdrawn by its "
                    f"number, which `thalweg labels {self.folder}` shows"
                )
            self._change(QUESTIONS, question, state=TaskState.WITHDRAWN.value)
            about: Row = {**question, "id": None, "question_id": question_id, "learned": False}
            return self._note(about, who=who, why=why, ask_again=ask_again)

    def withdrawals(self) -> list[WithdrawalRecord]:
        """All that was withdrawn, in order."""
        return [_record(row) for row in self._read(WITHDRAWALS, "ORDER BY id")]

    def withdrawn_structures(self) -> frozenset[str]:
        """Content hashes of the structures that must not be asked about again."""
        return frozenset(record.structure_hash for record in self.withdrawals() if not record.ask_again)

    def withdrawn_since_checkpoint(self) -> list[WithdrawalRecord]:
        """Labels that the last checkpoint had learned and that are withdrawn.

        Where there are any, the checkpoint's calibration, audits and tunings know them: a model must be learned again
        from `labels_in_order`, and the next checkpoint is one without them.
        """
        checkpoint = self._last_whole()
        if checkpoint is None:
            return []
        rows = self._read(
            WITHDRAWALS, "WHERE learned = 1 AND id > ? ORDER BY id", (checkpoint["last_withdrawal"],)
        )
        return [_record(row) for row in rows]

    # --- parts ------------------------------------------------------------------------------------------

    def _taken(self, number: int) -> Row:
        """A label's row as it is, whole or not."""
        names = ", ".join(LABELS.columns)
        found = self._rows(f"SELECT {names} FROM labels WHERE id = ?", (number,))
        if not found:
            raise StoreError(
                f"{self.path}: there is no label {number} in it; `thalweg labels {self.folder}` shows their numbers"
            )
        row = LABELS.salvaged(dict(zip(LABELS.columns, found[0], strict=True)))
        row["iteration"] = row["iteration"] or 0
        asked = self._rows("SELECT structure_hash FROM questions WHERE id = ?", (row["question_id"],))
        if asked:  # the hash in a damaged row may be damaged, too
            row["structure_hash"] = str(asked[0][0])
        return row

    def _forget_place(self, row: Row) -> bool:
        """Let the places after this label's move up; returns whether the last checkpoint had learned it."""
        place = row["sequence"]
        if place is None:
            return False
        checkpoint = self._last_whole()
        learned = checkpoint is not None and place <= checkpoint["last_sequence"]
        for known in self._sound_checkpoints():
            if place <= known["last_sequence"]:
                self._change(CHECKPOINTS, known, last_sequence=known["last_sequence"] - 1)
        self._execute("UPDATE labels SET sequence = NULL WHERE id = ?", (row["id"],))
        for later in self._read(LABELS, "WHERE sequence > ? ORDER BY sequence", (place,)):
            self._change(LABELS, later, sequence=later["sequence"] - 1)
        return learned

    def _close_questions(self, structure_hash: str) -> None:
        for question in self._read(QUESTIONS, "WHERE structure_hash = ?", (structure_hash,)):
            if question["state"] != TaskState.QUARANTINED:
                self._change(QUESTIONS, question, state=TaskState.WITHDRAWN.value)

    def _note(self, about: Row, *, who: str, why: str, ask_again: bool) -> WithdrawalRecord:
        said: dict[str, Any] = {"who": bounded_text(who), "why": bounded_text(why), "ask_again": ask_again}
        number = self._insert(WITHDRAWALS, {**about, **said, "withdrawn_at": time.time()})
        return _record(self._read(WITHDRAWALS, "WHERE id = ?", (number,))[0])

    def _allow_again(self, row: Row, ask_again: bool) -> WithdrawalRecord:
        if ask_again and not row["ask_again"]:
            self._change(WITHDRAWALS, row, ask_again=True)
            row = self._read(WITHDRAWALS, "WHERE id = ?", (row["id"],))[0]
            self._ask_again(_record(row))
        return _record(row)

    def _ask_again(self, record: WithdrawalRecord) -> None:
        """A question of the kind that was handed in: it comes before everything else, and survives a rewind."""
        key = (record.structure_hash, HANDED, record.iteration)
        known = self._read(QUESTIONS, "WHERE structure_hash = ? AND kind = ? AND iteration = ?", key)
        if known:
            self._change(QUESTIONS, known[0], state=TaskState.WAITING.value)
            return
        text = f"asked again: label {record.label_number} was withdrawn"
        words = {"text": text, "source": "this run", "why": record.why}
        reason = {"cause": HANDED, "atom": -1, "element": "", "value": 0.0, "limit": None, **words}
        values = {"structure_hash": key[0], "kind": HANDED, "iteration": key[2], "reason": to_json(reason)}
        state = {"state": TaskState.WAITING.value, "created_at": time.time()}
        self._insert(QUESTIONS, {**values, **state})


def _record(row: Row) -> WithdrawalRecord:
    return WithdrawalRecord(
        row["id"],
        row["label_id"],
        row["question_id"],
        row["structure_hash"],
        row["kind"],
        row["iteration"],
        row["sequence"],
        row["oracle"] or "",
        row["energy"],
        row["who"],
        row["why"],
        bool(row["ask_again"]),
        row["withdrawn_at"],
    )

"""The contract of a store: what a run remembers, and the laws it keeps.

Laws
    1.  One writer. Opening a run folder that another process writes to raises StoreError naming that process, by
        whatever name the folder or its database is reached. Any number of readers may look on while it writes.
    2.  When `commit_label` has returned outside of a transaction, the label survives SIGKILL and power loss.
    3.  A transaction happens whole or not at all, also when the disk is full.
    4.  A label is stored once per structure and oracle; committing it again changes nothing but its place in
        the order of learning, if it had none.
    5.  The order of learning is 1, 2, 3, ... without gaps. `rewind` takes back the places given after the
        last checkpoint, never the labels.
    6.  After `rewind`, questions, events and metrics are those of the last checkpoint, and besides them only
        questions that already cost a call of the oracle, and those that were handed in: they come from
        outside, so nothing that the run does again would ask them again.
    7.  Asking the same question again (same structure, kind and iteration) gives the same id.
    8.  Numbers come back to the last bit (but for the sign of zero).
    9.  What was damaged on the disk is never read as if it were whole: a row that does not fit its checksum, and a
        structure that does not fit its content hash, raise StoreError naming it. A damaged checkpoint gives way to
        the one before; a damaged line of the conversation is left out; `notices` say so.
    10. A withdrawn label is not found, not among the labels, and not stored again unless it may be asked again. What
        is known of it, and who withdrew it, when and why, stays among the `withdrawals`.
    11. Texts are bounded and can be written as UTF-8, whatever an oracle said.

Laws 1 to 3 are those of a store on a disk; one in memory has no second process, no power and no disk to lose.
`thalweg.testing.store.StoreContract` holds a store to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from thalweg.label import Failure, Label
from thalweg.store.records import (
    HANDED,
    Arrays,
    AttemptRecord,
    CheckpointRecord,
    DamagedLabel,
    EventRecord,
    LabelRecord,
    MetricsRecord,
    QuestionRecord,
    RunRecord,
    TaskState,
    WithdrawalRecord,
)
from thalweg.structure import Structure

__all__ = ["HANDED", "Arrays", "Store", "TaskState"]


class Store(Protocol):
    """Durable memory of a run. The laws stand at the top of this module."""

    @property
    def notices(self) -> list[str]:
        """What the user should hear of, in whole sentences: the caller says them and clears the list."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything written inside becomes durable together at its end; an inner one joins the outer."""
        ...

    def close(self) -> None:
        """Nothing more is read or written."""
        ...

    # --- structures and questions -----------------------------------------------------------------------

    def add_structure(self, structure: Structure) -> str:
        """Remember a structure; returns its content hash."""
        ...

    def structure(self, structure_hash: str) -> Structure:
        """The structure with this hash; StoreError if unknown or damaged."""
        ...

    def add_question(
        self,
        structure: Structure,
        kind: str,
        *,
        iteration: int,
        reason: Mapping[str, Any] | None = None,
        prediction: Arrays | None = None,
    ) -> int:
        """Ask (or find the same question asked before, and add a prediction that it lacks); returns its id."""
        ...

    def set_state(self, question_id: int, state: TaskState) -> None:
        """Move a question on; StoreError if there is none of this id."""
        ...

    def question(self, question_id: int) -> QuestionRecord:
        """One question; StoreError if there is none of this id."""
        ...

    def find_question(self, question_id: int) -> QuestionRecord | None:
        """One question, if there is one of this id."""
        ...

    def questions(self, *, kind: str | None = None, state: TaskState | None = None) -> list[QuestionRecord]:
        """Questions in the order of their ids."""
        ...

    def handed_in(self) -> list[QuestionRecord]:
        """Questions handed in from outside that have no answer yet, in the order of their ids."""
        ...

    def record_failure(self, question_id: int, attempt: int, failure: Failure) -> None:
        """Remember a failed call and its log; the same attempt by the same oracle is remembered once."""
        ...

    def attempts(self, question_id: int | None = None) -> list[AttemptRecord]:
        """Failed calls of one question or of all."""
        ...

    def forget_failures(self) -> int:
        """Forget every failed call, so that their questions may be asked again; returns how many there were."""
        ...

    # --- labels -----------------------------------------------------------------------------------------

    def commit_label(
        self, structure: Structure, label: Label, *, kind: str, iteration: int, question_id: int | None = None
    ) -> int:
        """Make a label durable, give it the next place in the order of learning, and return that place."""
        ...

    def keep_label(
        self, structure: Structure, label: Label, *, kind: str, iteration: int, question_id: int | None = None
    ) -> None:
        """Make a label durable that has come before its turn: it gets no place in the order of learning yet."""
        ...

    def find_label(self, structure_hash: str, oracle: str) -> Label | None:
        """The label of this structure by this oracle (its fingerprint), if there is one."""
        ...

    def is_learned(self, structure_hash: str, oracle: str) -> bool:
        """Whether this structure's label by this oracle has its place in the order of learning."""
        ...

    def labels_in_order(self, *, after: int = 0) -> Sequence[LabelRecord]:
        """Learned labels in the order of learning, those past place `after`."""
        ...

    def all_labels(self) -> list[LabelRecord]:
        """Every label: the learned ones in order, then those without a place by time."""
        ...

    def sound_labels(self) -> tuple[list[LabelRecord], list[DamagedLabel]]:
        """As `all_labels`, and apart from them those that are damaged, instead of an error."""
        ...

    def counts(self) -> dict[str, int]:
        """Numbers for a status line: labels, withdrawn labels, failed calls, and questions by state."""
        ...

    # --- withdrawing ------------------------------------------------------------------------------------

    def withdraw_label(self, number: int, *, who: str, why: str, ask_again: bool = False) -> WithdrawalRecord:
        """Take a label out of the run, also a damaged one; StoreError if there is none of this number."""
        ...

    def withdraw_question(
        self, question_id: int, *, who: str, why: str, ask_again: bool = False
    ) -> WithdrawalRecord:
        """Take a question out of the run that has no answer yet; StoreError if it has one, or is not there."""
        ...

    def withdrawals(self) -> list[WithdrawalRecord]:
        """All that was withdrawn, in order."""
        ...

    def withdrawn_structures(self) -> frozenset[str]:
        """Content hashes of the structures that must not be asked about again."""
        ...

    def withdrawn_since_checkpoint(self) -> list[WithdrawalRecord]:
        """Labels that the last checkpoint had learned and that are withdrawn: a model must be learned without them."""
        ...

    # --- the story --------------------------------------------------------------------------------------

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Remember the loop's state after an iteration."""
        ...

    def last_checkpoint(self) -> CheckpointRecord | None:
        """The newest checkpoint that is whole, None before the first; StoreError where none of them is whole."""
        ...

    def rewind(self) -> None:
        """Back to the last checkpoint, keeping every label and every failure."""
        ...

    def append_event(
        self, iteration: int, kind: str, text: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """One line of the conversation."""
        ...

    def events(self, *, after: int = 0, kind: str | None = None) -> list[EventRecord]:
        """The conversation in order, past the event with id `after`; all of it or one kind."""
        ...

    def append_metrics(self, iteration: int, values: Mapping[str, Any]) -> None:
        """The numbers of one iteration."""
        ...

    def metrics(self) -> list[MetricsRecord]:
        """All numbers of all iterations, in order."""
        ...

    def start_run(
        self,
        config: Mapping[str, Any],
        changes: Mapping[str, Any] | None = None,
        *,
        structures: Iterable[Structure] | None = None,
    ) -> int:
        """Remember a start of the command and the structures it starts from; returns its number (1 first)."""
        ...

    def runs(self) -> list[RunRecord]:
        """Every start of the command."""
        ...

    def start_structures(self) -> list[Structure] | None:
        """The start structures of the last start, None where they were not written down."""
        ...

    def set_meta(self, key: str, value: Any) -> None:
        """Remember one plain value under a name."""
        ...

    def meta(self, key: str, default: Any = None) -> Any:
        """The value under a name, or `default`."""
        ...

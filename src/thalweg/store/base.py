"""The contract of a store: what a run remembers, and the laws it keeps.

Laws
    1.  One writer. Opening a run folder that another process writes to raises StoreError naming that process.
        Any number of readers may look on while it writes.
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
    8.  Numbers come back to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from numpy.typing import NDArray

from thalweg.label import Failure, Label
from thalweg.structure import Structure

Arrays = Mapping[str, NDArray[Any]]

HANDED = "handed"
"""Kind of the questions that were handed in from outside: they wait until the run takes them up."""


class TaskState(StrEnum):
    """Where a question to the oracle stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    WITHDRAWN = "withdrawn"

    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (TaskState.DONE, TaskState.QUARANTINED, TaskState.WITHDRAWN)


@dataclass(frozen=True, eq=False)
class QuestionRecord:
    """A structure put to the oracle and why.

    `kind` is seed, query, audit, handed, import or reference; `reason` is plain data (walker, time, atom, bound,
    text, ...); `prediction` holds what the model said before it learned the answer, as named arrays.
    """

    id: int
    structure_hash: str
    kind: str
    iteration: int
    reason: dict[str, Any]
    prediction: dict[str, NDArray[Any]]
    state: TaskState
    created_at: float


@dataclass(frozen=True)
class AttemptRecord:
    """One failed call of the oracle; `attempt` counts from 0."""

    question_id: int
    attempt: int
    failure: Failure
    recorded_at: float


@dataclass(frozen=True, eq=False)
class LabelRecord:
    """A label in its place. `sequence` is its place in the order of learning, None if not learned (yet)."""

    structure: Structure
    label: Label
    kind: str
    iteration: int
    sequence: int | None
    question_id: int | None
    committed_at: float


@dataclass(frozen=True, eq=False)
class CheckpointRecord:
    """All that a run needs to go on as if it had not stopped."""

    iteration: int
    state: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    saved_at: float


@dataclass(frozen=True)
class EventRecord:
    """One line of the conversation: `text` as shown, `data` for machines."""

    id: int
    iteration: int
    kind: str
    text: str
    data: dict[str, Any]
    time: float


@dataclass(frozen=True)
class MetricsRecord:
    """Numbers of one iteration, for the curves of the report."""

    iteration: int
    values: dict[str, Any]
    time: float


@dataclass(frozen=True)
class RunRecord:
    """One start of the command: the config as it was and what it changed against the start before."""

    id: int
    config: dict[str, Any]
    changes: dict[str, Any]
    started_at: float


class Store(Protocol):
    """Durable memory of a run. The laws stand at the top of this module."""

    def transaction(self) -> AbstractContextManager[None]:
        """Everything written inside becomes durable together at its end; an inner one joins the outer."""
        ...

    def add_structure(self, structure: Structure) -> str:
        """Remember a structure; returns its content hash."""
        ...

    def structure(self, structure_hash: str) -> Structure:
        """The structure with this hash; StoreError if unknown."""
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
        """Move a question on."""
        ...

    def questions(self, *, kind: str | None = None, state: TaskState | None = None) -> list[QuestionRecord]:
        """Questions in the order of their ids."""
        ...

    def record_failure(self, question_id: int, attempt: int, failure: Failure) -> None:
        """Remember a failed call and its log; the same attempt twice is remembered once."""
        ...

    def attempts(self, question_id: int | None = None) -> list[AttemptRecord]:
        """Failed calls of one question or of all."""
        ...

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

    def labels_in_order(self) -> Sequence[LabelRecord]:
        """Learned labels in the order of learning."""
        ...

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Remember the loop's state after an iteration."""
        ...

    def last_checkpoint(self) -> CheckpointRecord | None:
        """The newest checkpoint."""
        ...

    def rewind(self) -> None:
        """Back to the last checkpoint, keeping every label and every failure."""
        ...

"""What a store gives back: plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from thalweg.label import Failure, Label
from thalweg.structure import Structure
from thalweg.vocabulary import QuestionKind

Arrays = Mapping[str, NDArray[Any]]

HANDED = QuestionKind.HANDED.value
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
    """A label in its place. `sequence` is its place in the order of learning, None if not learned (yet).

    `number` names the label for good: it stays when places move, and is never given again.
    """

    structure: Structure
    label: Label
    kind: str
    iteration: int
    sequence: int | None
    question_id: int | None
    committed_at: float
    number: int


@dataclass(frozen=True)
class DamagedLabel:
    """A label that cannot be used because its row, or its structure's, does not fit its checksum."""

    number: int
    what: str


@dataclass(frozen=True)
class WithdrawalRecord:
    """A label or a question that was taken out of a run, by whom, when and why.

    Attributes
    ----------
    label_number : int or None
        The label's number; None where a question was withdrawn that had no label.
    question_id : int or None
    sequence : int or None
        The place that the label had in the order of learning; None if it was not learned.
    energy : float or None, eV, total
    ask_again : bool
        Whether the run may ask about this structure again.
    withdrawn_at : float, s since 1970
    """

    id: int
    label_number: int | None
    question_id: int | None
    structure_hash: str
    kind: str
    iteration: int
    sequence: int | None
    oracle: str
    energy: float | None
    who: str
    why: str
    ask_again: bool
    withdrawn_at: float


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
    """One start of the command: the config as it was and what it changed against the start before.

    `structures` are the content hashes of the start structures, None where an older Thalweg did not write them down.
    """

    id: int
    config: dict[str, Any]
    changes: dict[str, Any]
    started_at: float
    structures: tuple[str, ...] | None = None

"""Durable truth: questions, labels, checkpoints and the conversation of a run, in one SQLite file."""

from __future__ import annotations

from thalweg.store.base import Store
from thalweg.store.connecting import EmptyStoreError
from thalweg.store.encoding import bounded_text
from thalweg.store.labelled import LabelledFile, read_labelled, read_labelled_file
from thalweg.store.memory import MemoryStore
from thalweg.store.reading import Scored, place_of, read_moving, read_scored, read_structures
from thalweg.store.records import (
    HANDED,
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
from thalweg.store.sqlite import SqliteStore
from thalweg.store.taken import Taken

__all__ = [
    "HANDED",
    "AttemptRecord",
    "CheckpointRecord",
    "DamagedLabel",
    "EmptyStoreError",
    "EventRecord",
    "LabelRecord",
    "LabelledFile",
    "MemoryStore",
    "MetricsRecord",
    "QuestionRecord",
    "RunRecord",
    "Scored",
    "SqliteStore",
    "Store",
    "Taken",
    "TaskState",
    "WithdrawalRecord",
    "bounded_text",
    "place_of",
    "read_labelled",
    "read_labelled_file",
    "read_moving",
    "read_scored",
    "read_structures",
]

"""Durable truth: questions, labels, checkpoints and the conversation of a run, in one SQLite file."""

from __future__ import annotations

from thalweg.store.base import (
    HANDED,
    AttemptRecord,
    CheckpointRecord,
    EventRecord,
    LabelRecord,
    MetricsRecord,
    QuestionRecord,
    RunRecord,
    Store,
    TaskState,
)
from thalweg.store.reading import Scored, read_labelled, read_moving, read_scored, read_structures
from thalweg.store.sqlite import SqliteStore

__all__ = [
    "HANDED",
    "AttemptRecord",
    "CheckpointRecord",
    "EventRecord",
    "LabelRecord",
    "MetricsRecord",
    "QuestionRecord",
    "RunRecord",
    "Scored",
    "SqliteStore",
    "Store",
    "TaskState",
    "read_labelled",
    "read_moving",
    "read_scored",
    "read_structures",
]

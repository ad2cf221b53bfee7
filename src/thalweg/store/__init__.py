"""Durable truth: questions, labels, checkpoints and the conversation of a run, in one SQLite file."""

from __future__ import annotations

from thalweg.store.base import (
    AttemptRecord,
    Checkpoint,
    Event,
    LabelRecord,
    Metrics,
    Question,
    RunRecord,
    Store,
    TaskState,
)
from thalweg.store.reading import read_labelled, read_structures
from thalweg.store.sqlite import SqliteStore

__all__ = [
    "AttemptRecord",
    "Checkpoint",
    "Event",
    "LabelRecord",
    "Metrics",
    "Question",
    "RunRecord",
    "SqliteStore",
    "Store",
    "TaskState",
    "read_labelled",
    "read_structures",
]

"""The tables as data: names and types of their columns, and the checksum that each row carries.

A row's checksum covers every other column, so that any bit that has flipped on the disk is noticed when the row is
read. Structures carry none: their key is the hash of their content.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.store.encoding import bounded_text

Row = dict[str, Any]

CHECKSUM = "checksum"


@dataclass(frozen=True)
class Table:
    """A table whose rows carry a checksum: columns and the types of their values, key, and the word for a row."""

    name: str
    columns: Mapping[str, type]
    key: tuple[str, ...]
    word: str

    def select(self, alias: str = "") -> str:
        """The columns and the checksum for a SELECT."""
        prefix = f"{alias}." if alias else ""
        return ", ".join(f"{prefix}{column}" for column in (*self.columns, CHECKSUM))

    def normalised(self, values: Mapping[str, Any]) -> Row:
        """Values as SQLite will give them back: of their column's type, texts fit for UTF-8."""
        return {name: _as(kind, values.get(name)) for name, kind in self.columns.items()}

    def salvaged(self, values: Mapping[str, Any]) -> Row:
        """As `normalised`, of a row that may be damaged: what is not of its column's type is empty."""
        row: Row = {}
        for name, kind in self.columns.items():
            value = values.get(name)
            fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
            row[name] = _as(kind, value) if fits else {str: "", int: None}.get(kind)
        return row

    def checksum(self, row: Mapping[str, Any]) -> bytes:
        """16 bytes over name and value of every column."""
        digest = hashlib.blake2b(self.name.encode(), digest_size=16)
        for name in self.columns:
            digest.update(b"\0" + name.encode() + b"\0" + _bytes(row[name]))
        return digest.digest()

    def named(self, row: Mapping[str, Any]) -> str:
        """The row in words: `label 12`, `checkpoint of iteration 7`."""
        return f"{self.word} {', '.join(str(row[name]) for name in self.key)}"


def _as(kind: type, value: Any) -> Any:
    if value is None:
        return None
    if kind is float:
        return float(value) + 0.0  # SQLite keeps no negative zero
    return bounded_text(value, limit=None) if kind is str else kind(value)


def _bytes(value: Any) -> bytes:
    """A value with its type and length, so that no two rows give the same bytes."""
    match value:
        case None:
            return b"n"
        case float():
            return b"f" + struct.pack("<d", value)
        case int():
            return b"i%d" % value
        case bytes():
            return b"b%d:" % len(value) + value
    text = str(value).encode("utf-8", "surrogatepass")
    return b"s%d:" % len(text) + text


META = Table("meta", {"key": str, "value": str}, ("key",), "the value")
QUESTIONS = Table(
    "questions",
    {
        "id": int,
        "structure_hash": str,
        "kind": str,
        "iteration": int,
        "reason": str,
        "prediction": bytes,
        "state": str,
        "created_at": float,
    },
    ("id",),
    "question",
)
ATTEMPTS = Table(
    "attempts",
    {
        "question_id": int,
        "attempt": int,
        "oracle": str,
        "outcome": str,
        "message": str,
        "log": str,
        "wall_time": float,
        "recorded_at": float,
    },
    ("question_id", "attempt", "oracle"),
    "the failed call of question",
)
LABELS = Table(
    "labels",
    {
        "id": int,
        "structure_hash": str,
        "oracle": str,
        "energy": float,
        "forces": bytes,
        "stress": bytes,
        "noise": bytes,
        "wall_time": float,
        "kind": str,
        "iteration": int,
        "question_id": int,
        "sequence": int,
        "committed_at": float,
    },
    ("id",),
    "label",
)
WITHDRAWALS = Table(
    "withdrawals",
    {
        "id": int,
        "label_id": int,
        **{name: kind for name, kind in LABELS.columns.items() if name != "id"},
        "learned": int,
        "who": str,
        "why": str,
        "ask_again": int,
        "withdrawn_at": float,
    },
    ("id",),
    "withdrawal",
)
CHECKPOINTS = Table(
    "checkpoints",
    {
        "iteration": int,
        "state": str,
        "arrays": bytes,
        "last_question": int,
        "last_sequence": int,
        "last_event": int,
        "last_metrics": int,
        "last_withdrawal": int,
        "saved_at": float,
    },
    ("iteration",),
    "the checkpoint of iteration",
)
EVENTS = Table(
    "events",
    {"id": int, "iteration": int, "kind": str, "text": str, "data": str, "time": float},
    ("id",),
    "line of the conversation",
)
METRICS = Table(
    "metrics", {"id": int, "iteration": int, "data": str, "time": float}, ("id",), "the numbers of entry"
)
RUNS = Table(
    "runs",
    {"id": int, "config": str, "changes": str, "structures": str, "started_at": float},
    ("id",),
    "the settings of start",
)
SEALED = (META, QUESTIONS, ATTEMPTS, LABELS, WITHDRAWALS, CHECKPOINTS, EVENTS, METRICS, RUNS)
"""Every table but that of the structures."""

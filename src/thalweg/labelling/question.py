"""What is put to an oracle, and why."""

from __future__ import annotations

from enum import StrEnum


class QuestionKind(StrEnum):
    """Why a structure is put to the oracle."""

    SEED = "seed"
    QUERY = "query"
    AUDIT = "audit"
    HANDED = "handed"

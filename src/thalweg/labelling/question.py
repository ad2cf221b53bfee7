"""What is put to an oracle and why, and what comes back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.label import Failure, Label
from thalweg.potential import Prediction
from thalweg.structure import Structure
from thalweg.vocabulary import QuestionKind

__all__ = ["Question", "QuestionKind", "Reason", "Reply"]


@dataclass(frozen=True)
class Reason:
    """Why a structure is asked about, in numbers and in words; stored with the question.

    Attributes
    ----------
    cause : str
        'uncertain', 'novel', 'audit', 'random', 'handed', or what was unphysical; "" where nothing more is to be said.
    atom : int
        Index, or -1.
    element : str
        Of that atom.
    value, limit : float
        In the unit of `cause`: eV/Å for 'uncertain', times the training set's reach for 'novel', Å, K or eV/atom for
        the physical ones. `limit` is infinite where there is none.
    text : str
        In words.
    where : str
        Who asks: "walker 2, 13.4 ps, 450 K", "seed 3".
    walker, time, temperature : int, ps, K; None where no walker asks
    start : int or None
        Number of the start, from 0, that the walker walks from.
    source, why : str
        Of what was handed in: the file that it came from, and the words of `text` without it.
    """

    cause: str = ""
    atom: int = -1
    element: str = ""
    value: float = 0.0
    limit: float = math.inf
    text: str = ""
    where: str = ""
    walker: int | None = None
    time: float | None = None
    temperature: float | None = None
    start: int | None = None
    source: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """What is not at its default, as plain data; an absent (infinite) limit is None."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        said = {
            name: data[name] for name, f in Reason.__dataclass_fields__.items() if data[name] != f.default
        }
        return said | (
            {"limit": data["limit"] if math.isfinite(data["limit"]) else None} if self.cause else {}
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reason:
        """Inverse of `to_json`; what it does not know is left out."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if data.get(name) is not None}
        return cls(**known)


@dataclass(frozen=True, eq=False)
class Question:
    """A structure for the oracle: why it is asked, and what the model said of it before."""

    kind: QuestionKind
    structure: Structure
    iteration: int
    reason: Reason = Reason()
    prediction: Prediction | None = None

    @property
    def where(self) -> str:
        """Who asks, in words."""
        return self.reason.where

    @property
    def walker(self) -> int | None:
        """The walker that asks, if one does."""
        return self.reason.walker


@dataclass(frozen=True, eq=False)
class Reply:
    """What came of a question.

    Attributes
    ----------
    question : Question
    question_id : int
        Its number in the store.
    label : Label or None
    failures : tuple of Failure
        Failed calls before the label, or instead of it.
    cut_short : bool
        Without a label although another call would have been worth it: the budget had none left.
    counted : int
        Calls among these that had been counted before.
    """

    question: Question
    question_id: int
    label: Label | None
    failures: tuple[Failure, ...]
    cut_short: bool = False
    counted: int = 0

    @property
    def calls(self) -> int:
        """Calls of the oracle that it took, in this invocation or before, and that are to be counted now."""
        return max(0, len(self.failures) + (self.label is not None) - self.counted)

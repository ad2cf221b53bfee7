"""The four named answers: trust, label, backtrack, reject; each with its reason in words.

The core checks every step against the limits and stops a walker at what must not go on. This module turns what it
found in a block into one answer per walker. Pure: no model, no store.

    what ended the block, or was met in it         a sane earlier moment?      answer
    nothing above the label limit                                              trust
    bound or novelty above the label limit                                     label (the worst moment)
    bound or novelty above the break limit,        yes                         backtrack (label that moment)
      or unphysical                                no                          reject
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from thalweg.explorers.base import Snapshot


class Answer(StrEnum):
    """What the gate says of a block."""

    TRUST = "trust"
    LABEL = "label"
    BACKTRACK = "backtrack"
    REJECT = "reject"


@dataclass(frozen=True)
class Reason:
    """Why, in numbers and in words; stored with the question.

    `atom` is an index or -1; `value` and `limit` are in the unit of `cause`: eV/Å for 'uncertain', times the
    typical training distance for 'novel', Å, K or eV/atom for the physical ones.
    """

    cause: str
    atom: int
    element: str
    value: float
    limit: float
    text: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {k: getattr(self, k) for k in ("cause", "atom", "element", "value", "limit", "text")}


def atom_name(numbers: np.ndarray, atom: int) -> str:
    """'O4': symbol and index, as the conversation names atoms."""
    return f"{chemical_symbols[int(numbers[atom])]}{atom}" if atom >= 0 else "the structure"


_WORDS = {
    "uncertain": ("{who} uncertain, {value:.2f} eV/Å (limit {limit:.2f})", "eV/Å"),
    "novel": (
        "{who} in an environment {value:.1f} times the usual distance from those known (limit {limit:.1f})",
        "",
    ),
    "too_close": ("{who} too close to a neighbour, {value:.2f} Å (limit {limit:.2f})", "Å"),
    "too_hot": ("too hot, {value:.0f} K (limit {limit:.0f})", "K"),
    "energy_spike": ("energy up by {value:.2f} eV per atom (limit {limit:.2f})", "eV"),
    "not_finite": ("{who} has no finite force", ""),
}


def make_reason(cause: str, numbers: np.ndarray, atom: int, value: float, limit: float) -> Reason:
    """The reason in words."""
    who = atom_name(numbers, atom)
    element = chemical_symbols[int(numbers[atom])] if atom >= 0 else ""
    text = _WORDS[cause][0].format(who=who, value=value, limit=limit)
    return Reason(cause, atom, element, float(value), float(limit), text)


@dataclass(frozen=True)
class Judgement:
    """The gate's answer for one walker's block: what to ask about (None for trust and reject) and why."""

    answer: Answer
    reason: Reason | None = None
    moment: Snapshot | None = None


def last_sane(history: tuple[Snapshot, ...], limit: float) -> Snapshot | None:
    """The latest moment whose largest bound is below `limit`, or None."""
    for moment in reversed(history):
        if moment.bound is None or float(np.max(moment.bound)) < limit:
            return moment
    return None

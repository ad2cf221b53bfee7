"""What was found wrong with a set of labels, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from thalweg.models import RowKind
from thalweg.structure import FloatArray

NAMES = {RowKind.ENERGY: "energies", RowKind.FORCES: "forces", RowKind.VIRIAL: "stress"}
LISTED = 8
"""Labels that are named in a line."""


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold together.

    Attributes
    ----------
    about : tuple of RowKind
        The quantity that is wrong, or those that contradict each other where nothing says which is.
    how : str
        sign, unit, per atom, offset, order, virial, factor, unrelated, pressure, levels, constant, zero, identical, odd
    text : str
        In words, without the labels.
    places : tuple of int
        The labels that it is about, by their places; empty: all.
    data : mapping
        The same in numbers.
    """

    about: tuple[RowKind, ...]
    how: str
    text: str
    places: tuple[int, ...] = ()
    data: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """By which it is known again: what is said once is not said again."""
        return f"{'+'.join(str(kind) for kind in self.about)}: {self.how}"

    def words(self, numbers: Sequence[int], noun: str = "structure", *, weighed: bool = False) -> str:
        """The finding with its labels, by what they are called; `weighed`: labels that are odd count less."""
        if not self.places:
            return self.text
        consequence = ""
        if weighed and self.how == "odd":
            consequence = f"; {'it gets' if len(self.places) == 1 else 'they get'} a lower weight"
        named = [str(numbers[place]) for place in self.places[:LISTED]]
        more = len(self.places) - len(named)
        listed = ", ".join(named) + (f" and {more} more" if more else "")
        return f"{self.text} ({noun}{'' if len(self.places) == 1 else 's'} {listed}){consequence}"

    def to_json(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Plain data."""
        return {
            "about": [NAMES[kind] for kind in self.about],
            "how": self.how,
            "text": self.text,
            "labels": [int(numbers[place]) for place in self.places],
            **dict(self.data),
        }


@dataclass(frozen=True, eq=False)
class Coherence:
    """What a set of labels says of itself.

    Attributes
    ----------
    findings : tuple of Finding
    odd : mapping
        Of each quantity, how many times more than usual each label deviates from what the others say, shape
        (n_labels,); 1 where it is like the others, or where nothing can be said.
    doubted : frozenset of RowKind
        Quantities that are wrong beyond doubt, in all labels.
    confirmed : frozenset of pairs
        Quantities that confirm each other.
    pressure : float, eV/Å³
        Constant that the stress labels have in excess of what energies and forces, which agree, say; 0 unless all
        three say so beyond doubt.
    """

    findings: tuple[Finding, ...]
    odd: Mapping[RowKind, FloatArray]
    doubted: frozenset[RowKind] = frozenset()
    confirmed: frozenset[frozenset[RowKind]] = frozenset()
    pressure: float = 0.0

    def alone(self, kind: RowKind, place: int) -> bool:
        """Whether a label is odd by itself, and not one of those that another finding is about."""
        groups = [f.places for f in self.findings if f.how != "odd" and kind in f.about]
        return not any(place in places for places in groups)

    def moved(self, places: Sequence[int], n_labels: int) -> Coherence:
        """The same where these labels stand at `places` among `n_labels`, of which the others are not spoken."""
        odd = {kind: np.ones(n_labels) for kind in self.odd}
        for kind, size in self.odd.items():
            odd[kind][np.asarray(places, dtype=np.int64)] = size
        findings = tuple(replace(f, places=tuple(int(places[i]) for i in f.places)) for f in self.findings)
        return replace(self, findings=findings, odd=odd)

    def words(self, numbers: Sequence[int], *, weighed: bool = False) -> list[str]:
        """Every finding in words; `numbers` are what the labels are called."""
        return [finding.words(numbers, weighed=weighed) for finding in self.findings]

    @classmethod
    def unknown(cls, n_labels: int) -> Coherence:
        """Of labels too few to say anything."""
        return cls((), {kind: np.ones(n_labels) for kind in NAMES})

"""Structures that are twice in a training set, or in both training and test set: they test nothing.

Two structures are the same where their content is, or where atoms were only renumbered or moved together. The second
is looked for among those of equal composition, energy and cell: distances between atoms then agree one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thalweg.fitting.references import Labelled
from thalweg.label import Label
from thalweg.structure import FloatArray, Structure

SAME_ENERGY, SAME_LENGTH = 1e-5, 3e-4
"""eV/atom and Å: files round what they write, and sums in another order differ."""
LARGEST = 500
"""Atoms. Larger structures are compared by their content alone: they have too many distances."""
CANDIDATES, MET = 20, 200
"""Structures of the same energy that one is compared with, and that are looked at for it, at most."""


@dataclass(frozen=True)
class Overlap:
    """Pairs of places of structures that are the same.

    Attributes
    ----------
    tested : tuple of (int, int)
        A structure of the test set and the same of the training set.
    repeated : tuple of (int, int)
        A structure of the training set and the same that stands before it.
    contradicting : tuple of (int, int)
        Those of `repeated` whose labels have different energies.
    """

    tested: tuple[tuple[int, int], ...]
    repeated: tuple[tuple[int, int], ...]
    contradicting: tuple[tuple[int, int], ...]

    def warnings(self, n_test: int, train: Sequence[int], test: Sequence[int]) -> list[str]:
        """In words; `train` and `test` are what the structures are called."""
        found = []
        if self.tested:
            found.append(
                f"{len(self.tested)} of {n_test} test structures are in the training set: "
                f"{_listed(self.tested, test, train)} (test = training); leave them out, they test nothing"
            )
        if self.repeated:
            found.append(
                f"{len(self.repeated)} training structures are there more than once: "
                f"{_listed(self.repeated, train, train)}; held-out errors and bounds come out too small, leave them out"
            )
        if self.contradicting:
            found.append(
                f"{len(self.contradicting)} of these have another energy than the same structure before: "
                f"{_listed(self.contradicting, train, train)}; of one level of theory they would be equal"
            )
        return found

    def to_json(self, train: Sequence[int], test: Sequence[int]) -> dict[str, list[list[int]]]:
        """Plain data: pairs of what the structures are called."""
        return {
            "test_in_train": [[test[a], train[b]] for a, b in self.tested],
            "train_repeated": [[train[a], train[b]] for a, b in self.repeated],
            "contradicting": [[train[a], train[b]] for a, b in self.contradicting],
        }


def _listed(pairs: Sequence[tuple[int, int]], first: Sequence[int], second: Sequence[int]) -> str:
    some = ", ".join(f"{first[a]} = {second[b]}" for a, b in pairs[:6])
    return some + (", ..." if len(pairs) > 6 else "")


def find_overlap(train: Labelled, test: Labelled = ()) -> Overlap:
    """The structures that are twice in `train`, or in `test` and in `train`."""
    index = _Index()
    repeated = []
    for place, (structure, label) in enumerate(train):
        before = index.find(structure, label)
        if before is None:
            index.add(place, structure, label)
        else:
            repeated.append((place, before))
    tested = []
    for place, (structure, label) in enumerate(test):
        before = index.find(structure, label)
        if before is not None:
            tested.append((place, before))
    unlike = [(a, b) for a, b in repeated if _differ(train[a], train[b])]
    return Overlap(tuple(tested), tuple(repeated), tuple(unlike))


def _differ(one: tuple[Structure, Label], other: tuple[Structure, Label]) -> bool:
    return abs(one[1].energy - other[1].energy) > 10 * SAME_ENERGY * len(one[0])


@dataclass(frozen=True, eq=False)
class _Met:
    """A structure met before."""

    place: int
    structure: Structure
    energy: float

    @cached_property
    def means(self) -> FloatArray:
        """As `_means`; made where another structure has this energy."""
        return _means(_distances(self.structure)[1])


class _Index:
    """Structures met so far, by content and by composition and energy."""

    def __init__(self) -> None:
        self._by_content: dict[str, int] = {}
        self._by_energy: dict[tuple[bytes, int], list[_Met]] = {}

    def add(self, place: int, structure: Structure, label: Label) -> None:
        self._by_content.setdefault(structure.content_hash, place)
        if len(structure) <= LARGEST:
            key = _composition(structure), _step(structure, label)
            self._by_energy.setdefault(key, []).append(_Met(place, structure, label.energy))

    def find(self, structure: Structure, label: Label) -> int | None:
        """The place of the same structure, if there is one."""
        place = self._by_content.get(structure.content_hash)
        if place is not None or len(structure) > LARGEST:
            return place
        key, step = _composition(structure), _step(structure, label)
        near = [met for k in (-1, 0, 1) for met in self._by_energy.get((key, step + k), [])[:MET]]
        if not near:
            return None
        kinds, lengths = _distances(structure)
        means = _means(lengths)
        close = [met for met in near if np.abs(met.means - means).max() <= SAME_LENGTH]
        close.sort(key=lambda met: abs(met.energy - label.energy))
        for met in close[:CANDIDATES]:
            other_kinds, other_lengths = _distances(met.structure)
            if (
                _same_cell(structure, met.structure)
                and np.array_equal(kinds, other_kinds)
                and np.allclose(lengths, other_lengths, rtol=0, atol=SAME_LENGTH)
            ):
                return met.place
        return None


def _composition(structure: Structure) -> bytes:
    return np.sort(structure.numbers).tobytes() + structure.pbc.tobytes()


def _step(structure: Structure, label: Label) -> int:
    return round(label.energy / len(structure) / SAME_ENERGY)


def _same_cell(one: Structure, other: Structure) -> bool:
    periodic = one.pbc
    return bool(np.allclose(one.cell[periodic], other.cell[periodic], rtol=0, atol=SAME_LENGTH))


def _means(lengths: FloatArray) -> FloatArray:
    """Mean and root mean square: where all lengths differ by less than a tolerance, so do these."""
    if len(lengths) == 0:
        return np.zeros(2)
    return np.array([lengths.mean(), np.sqrt((lengths**2).mean())])


def _distances(structure: Structure) -> tuple[FloatArray, FloatArray]:
    """Kind and length (Å) of every pair of atoms, each to the nearest image along the cell vectors, in order."""
    i, j = np.triu_indices(len(structure), k=1)
    between = structure.positions[j] - structure.positions[i]
    if structure.pbc.any():
        cell = structure.padded_cell()
        fractional = between @ np.linalg.inv(cell)
        between = between - np.where(structure.pbc, np.round(fractional), 0.0) @ cell
    pair = np.sort(structure.numbers[np.stack([i, j])], axis=0)
    kinds, lengths = pair[0] * 1000.0 + pair[1], np.linalg.norm(between, axis=1)
    order = np.lexsort((lengths, kinds))
    return kinds[order], lengths[order]

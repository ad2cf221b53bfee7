"""Reference energies of a training set: those of isolated atoms where there are such, else fitted.

Notation
    E0_z     reference energy of element z, eV
    c_i      (sum_z n_z E0_z - E_i) / n_i, eV/atom: what binds the atoms of label i, as these references have it

An atom is isolated where nothing is within the cutoff of it, be its cell periodic or not: the model gives it E0 and
nothing else, so that its label decides E0 and teaches nothing beside. What binds atoms is between LEAST_BINDING and
MOST_BINDING. References that say otherwise are of another method (all electrons beside pseudopotentials, another
zero): they are named and set aside, since the features would have to make up for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.features.batch import species_of
from thalweg.label import Label
from thalweg.neighbours import pairs_within
from thalweg.structure import BoolArray, FloatArray, Structure

Labelled = Sequence[tuple[Structure, Label]]

LEAST_BINDING, MOST_BINDING = -2.0, 15.0
"""eV/atom. The strongest crystals have 9 (tungsten), with spherical atoms 13; squeezed ones fall below zero."""
FAR = 50.0
"""eV. Between an isolated atom's energy and a fitted one, where no label has isolated atoms for all its elements."""
OUTLYING, LEAST_SCATTER = 20.0, 0.01
"""Times the median deviation, eV/atom, beyond which a label has no say in fitted energies."""
FEWEST = 5
"""Labels below which none is left out."""
SAME = 1e-3
"""eV. Two labels of one isolated atom that differ by more are not of one calculation."""

Candidate = tuple[int, float]
"""The place of an isolated atom among the labels, and its energy in eV."""


def is_isolated_atom(structure: Structure, reach: float) -> bool:
    """One atom with nothing within `reach` (Å), not even an image of its own."""
    return len(structure) == 1 and (not structure.pbc.any() or len(pairs_within(structure, reach).d) == 0)


@dataclass(frozen=True, eq=False)
class References:
    """Reference energies, and what is to be known of them.

    Attributes
    ----------
    elements : tuple of str
    energies : float64 ndarray, shape (n_elements,), eV
    isolated : mapping
        Of each element whose energy is that of an isolated atom, the label's place.
    disagreeing, foreign : mapping
        Isolated atoms of one element with different energies; those of another method than the labels.
    undetermined : tuple of str
        Elements whose energies the compositions of the labels do not determine one by one.
    ions : tuple of int
        Places of lone atoms with a charge. A potential gives each lone atom of an element the same energy.
    """

    elements: tuple[str, ...]
    energies: FloatArray
    isolated: Mapping[str, int]
    disagreeing: Mapping[str, tuple[Candidate, ...]]
    foreign: Mapping[str, tuple[Candidate, ...]]
    undetermined: tuple[str, ...] = ()
    ions: tuple[int, ...] = ()

    @property
    def set_aside(self) -> frozenset[int]:
        """The places of isolated atoms of another method, and of ions."""
        return frozenset(place for own in self.foreign.values() for place, _ in own) | set(self.ions)

    @property
    def words(self) -> str:
        """Each element's energy and where it comes from, in one line."""
        words = {"isolated": "isolated atom", "fitted": "fitted", "undetermined": "undetermined"}
        line = ", ".join(
            f"{element} {energy:.6g} eV ({words[self._origin(element)]})"
            for element, energy in zip(self.elements, self.energies, strict=True)
        )
        if not self.undetermined:
            return line
        return (
            f"{line}: the labels have too few compositions to tell them apart, and energies of other compositions than "
            "these are arbitrary; isolated atoms determine them"
        )

    def warnings(self, numbers: Sequence[int]) -> list[str]:
        """What the user should know, in words; `numbers` are what the labels are called."""
        found = [
            f"isolated {element} has more than one energy: {_listed(own, numbers)}; the lowest that fits the labels is "
            "taken"
            for element, own in self.disagreeing.items()
        ]
        found += [
            f"isolated {element} is of another method than the labels: {_listed(own, numbers)}; atoms would be bound "
            f"by less than {LEAST_BINDING:g} or more than {MOST_BINDING:g} eV each. It is set aside; label it with the "
            "settings of the others"
            for element, own in self.foreign.items()
        ]
        if self.ions:
            places = ", ".join(str(numbers[place]) for place in self.ions)
            found.append(
                f"isolated atoms with a charge (structures {places}) give no reference energies, and no potential can "
                "tell them from neutral atoms: they are set aside"
            )
        return found

    def to_json(self) -> dict[str, dict[str, float | str]]:
        """For each element `energy` (eV) and `origin`: isolated, fitted or undetermined."""
        return {
            element: {"energy": float(energy), "origin": self._origin(element)}
            for element, energy in zip(self.elements, self.energies, strict=True)
        }

    def _origin(self, element: str) -> str:
        if element in self.isolated:
            return "isolated"
        return "undetermined" if element in self.undetermined else "fitted"


def _listed(candidates: Sequence[Candidate], numbers: Sequence[int]) -> str:
    return ", ".join(f"{energy:.6g} eV (structure {numbers[place]})" for place, energy in candidates)


def find_references(labelled: Labelled, elements: tuple[str, ...], reach: float) -> References:
    """The reference energies of labels; an atom with nothing within `reach` (Å) is isolated."""
    lone = [is_isolated_atom(structure, reach) for structure, _ in labelled]
    candidates: dict[str, list[Candidate]] = {}
    ions = tuple(place for place, (structure, _) in enumerate(labelled) if lone[place] and structure.charge)
    for place, (structure, label) in enumerate(labelled):
        if lone[place] and place not in ions:
            element = elements[species_of(structure, elements)[0]]
            candidates.setdefault(element, []).append((place, label.energy))
    others = [pair for pair, isolated in zip(labelled, lone, strict=True) if not isolated]
    disagreeing = {
        element: tuple(own)
        for element, own in candidates.items()
        if max(energy for _, energy in own) - min(energy for _, energy in own) > SAME
    }
    chosen, foreign = _fitting(others, elements, candidates)
    rest = others or [pair for place, pair in enumerate(labelled) if place not in ions]
    energies, undetermined = _complete(rest, elements, chosen)
    return References(
        elements,
        energies,
        {element: place for element, (place, _) in chosen.items()},
        disagreeing,
        {element: tuple(own) for element, own in foreign.items()},
        undetermined,
        ions,
    )


def _fitting(
    others: Labelled, elements: tuple[str, ...], candidates: Mapping[str, Sequence[Candidate]]
) -> tuple[dict[str, Candidate], dict[str, list[Candidate]]]:
    """Of each element the lowest isolated atom that goes with the labels, and those that do not."""
    left = {element: sorted(own, key=lambda one: one[1]) for element, own in candidates.items()}
    foreign: dict[str, list[Candidate]] = {}
    fractions, per_atom = _compositions(others, elements)
    while True:
        chosen = {element: own[0] for element, own in left.items() if own}
        wrong = _of_another_method(fractions, per_atom, elements, chosen) if len(others) else []
        if not wrong:
            return chosen, foreign
        for element in wrong:
            foreign.setdefault(element, []).append(left[element].pop(0))


def _compositions(labelled: Labelled, elements: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Fractions of the elements (n_labels, n_elements), and energies per atom in eV."""
    counts = [
        np.bincount(species_of(structure, elements), minlength=len(elements)) for structure, _ in labelled
    ]
    sizes = np.array([len(structure) for structure, _ in labelled], dtype=np.float64)
    energies = np.array([label.energy for _, label in labelled])
    fractions = np.array(counts, dtype=np.float64).reshape(-1, len(elements)) / sizes[:, None]
    return fractions, energies / sizes


def _of_another_method(
    fractions: FloatArray, per_atom: FloatArray, elements: tuple[str, ...], chosen: Mapping[str, Candidate]
) -> list[str]:
    """The elements whose isolated atoms cannot be of the labels' method."""
    known = np.array([element in chosen for element in elements])
    if not known.any():
        return []
    energies = np.array([chosen[element][1] if element in chosen else 0.0 for element in elements])
    fitted, rank = _least_squares(fractions, per_atom)
    off = np.where(known, energies - fitted, 0.0)
    covered = ~fractions[:, ~known].any(axis=1)
    if not covered.any():
        return (
            [e for e, x in zip(elements, off, strict=True) if abs(x) > FAR] if rank == len(elements) else []
        )
    binding = float(np.median(fractions[covered] @ energies - per_atom[covered]))
    if LEAST_BINDING <= binding <= MOST_BINDING:
        return []
    present = known & fractions[covered].any(axis=0)
    worst = [e for e, x, p in zip(elements, off, present, strict=True) if p and abs(x) > MOST_BINDING]
    return (
        worst if worst and rank == len(elements) else [e for e, p in zip(elements, present, strict=True) if p]
    )


def _complete(
    labelled: Labelled, elements: tuple[str, ...], chosen: Mapping[str, Candidate]
) -> tuple[FloatArray, tuple[str, ...]]:
    """Energies of isolated atoms and, of the other elements, the fitted ones; and those that are not determined."""
    known = np.array([element in chosen for element in elements])
    energies = np.array([chosen[element][1] if element in chosen else np.nan for element in elements])
    if known.all():
        return energies, ()
    fractions, per_atom = _compositions(labelled, elements)
    if not known.any():
        energies, rank = _least_squares(fractions, per_atom)
    else:
        rest = per_atom - fractions[:, known] @ energies[known]
        energies[~known], rank = _least_squares(fractions[:, ~known], rest)
    unknown = tuple(e for e, isolated in zip(elements, known, strict=True) if not isolated)
    return energies, unknown if rank < len(unknown) else ()


def _least_squares(fractions: FloatArray, per_atom: FloatArray) -> tuple[FloatArray, int]:
    """The solution of smallest norm, and how many numbers the compositions determine.

    Labels that are far from a fit by least absolute deviations, OUTLYING times as far as half of the labels, are left
    out: one wrong energy of a million eV must not decide. Without such it is plain least squares.
    """
    kept = _inlying(fractions, per_atom)
    solution, _, rank, _ = np.linalg.lstsq(fractions[kept], per_atom[kept], rcond=1e-10)
    return np.asarray(solution), int(rank)


def _inlying(fractions: FloatArray, per_atom: FloatArray) -> BoolArray:
    """Labels that are not far from a fit by least absolute deviations; all where any composition would be lost."""
    every = np.ones(len(per_atom), dtype=np.bool_)
    if len(per_atom) < FEWEST:
        return every
    weight, off = np.ones(len(per_atom)), np.zeros(len(per_atom))
    for _ in range(50):  # by reweighting
        solution = np.linalg.lstsq(fractions * weight[:, None], per_atom * weight, rcond=1e-10)[0]
        off = np.abs(per_atom - fractions @ solution)
        weight = 1.0 / np.sqrt(off + 1e-4)
    kept = off <= OUTLYING * max(float(np.median(off)), LEAST_SCATTER)
    whole = (
        np.linalg.matrix_rank(fractions[kept]) == np.linalg.matrix_rank(fractions) if kept.any() else False
    )
    return kept if whole else every

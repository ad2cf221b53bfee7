"""The bond graph of a structure: its fragments, and whether it has fallen apart.

Notation
    r_i          covalent radius of atom i, Å (Cordero et al., Dalton Trans. 2008, 2832, as in `ase.data`)
    bond         d_ij <= BOND (r_i + r_j)
    contact      d_ij <= r_i + r_j + REACH
    fragment     connected component of the bonds: a molecule, an ion, or a whole crystal
    piece        connected component of the contacts: fragments that still touch are one piece

A bond breaks and forms in every reaction; so what has left is told by the pieces. REACH is a little more than the
distance between van der Waals surfaces: a hydrogen bond, an ion on its molecule or a stretched bond of a transition
state hold a piece together; atoms beyond it hardly feel each other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, IntArray, Structure

BOND = 1.25
"""Of the sum of covalent radii: a longer bond counts as broken."""
REACH = 2.5
"""Å beyond the sum of covalent radii: farther apart, atoms do not touch."""

Group = tuple[int, ...]
"""Indices of atoms, rising."""


def fragments(structure: Structure) -> tuple[Group, ...]:
    """The fragments, in the order of their first atoms; periodic images of an atom are the same atom."""
    return _groups(fragment_of(structure))


def fragment_of(structure: Structure) -> IntArray:
    """Number of the fragment that each atom belongs to, (n_atoms,)."""
    radii = _radii(structure)
    i, j, _, d = pairs_within(structure, 2.0 * BOND * float(radii.max()))
    bonded = d <= BOND * (radii[i] + radii[j])
    return components(len(structure), i[bonded], j[bonded])


def pieces(structure: Structure) -> tuple[Group, ...]:
    """The pieces: fragments that do not touch each other."""
    radii = _radii(structure)
    i, j, _, d = pairs_within(structure, 2.0 * float(radii.max()) + REACH)
    touching = d <= radii[i] + radii[j] + REACH
    return _groups(components(len(structure), i[touching], j[touching]))


def formula(structure: Structure, group: Group) -> str:
    """Hill's formula of some of its atoms, for example CH3Cl."""
    import ase

    return str(ase.Atoms(numbers=structure.numbers[list(group)]).get_chemical_formula())


def named(structure: Structure, groups: tuple[Group, ...], most: int = 6) -> str:
    """Formulas of groups of atoms with their numbers, for example 'CH3Cl, 2 H2O'."""
    counts = Counter(formula(structure, group) for group in groups)
    words = [name if n == 1 else f"{n} {name}" for name, n in counts.items()]
    left = len(words) - most
    return ", ".join(words[:most]) + (f" and {left} others" if left > 0 else "")


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The fewest and shortest contacts that hold the pieces of a structure together: while all last, nothing has left.

    i, j : int64 (n_atoms - n_pieces,); offset : float64 (n, 3), Å, of the image of j; reach : float64 (n,), Å
    """

    i: IntArray
    j: IntArray
    offset: FloatArray
    reach: FloatArray

    @classmethod
    def of(cls, structure: Structure) -> Skeleton:
        """Of the structure as it is: a spanning forest of its contacts."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import minimum_spanning_tree

        radii = _radii(structure)
        i, j, D, d = pairs_within(structure, 2.0 * float(radii.max()) + REACH)
        touching = np.flatnonzero((d <= radii[i] + radii[j] + REACH) & (i < j))
        order = touching[np.lexsort((d[touching], j[touching], i[touching]))]
        _, nearest = np.unique(np.stack([i[order], j[order]]), axis=1, return_index=True)
        order = order[nearest]  # of several images the nearest
        n = len(structure)
        links = coo_array((d[order], (i[order], j[order])), shape=(n, n))
        forest = minimum_spanning_tree(links).tocoo()
        place = {(int(a), int(b)): k for a, b, k in zip(i[order], j[order], order, strict=True)}
        kept = np.array([place[int(a), int(b)] for a, b in zip(*forest.coords, strict=True)], dtype=np.int64)
        offset = D[kept] - (structure.positions[j[kept]] - structure.positions[i[kept]])
        return cls(i[kept], j[kept], offset, radii[i[kept]] + radii[j[kept]] + REACH)

    def holds(self, structure: Structure) -> bool:
        """Whether each of these contacts is one still; the cell must be that of the start."""
        D = structure.positions[self.j] - structure.positions[self.i] + self.offset
        return bool(((D * D).sum(axis=1) <= self.reach**2).all())


@dataclass(frozen=True)
class Departure:
    """A piece that left the others: its formula, and its distance from the nearest other atom, Å."""

    formula: str
    distance: float
    n_pieces: int
    n_before: int

    def describe(self) -> str:
        """In words, for example 'Cl has left, 4.6 Å from the rest'."""
        return f"{self.formula} has left, {self.distance:.1f} Å from the rest"


def departure(structure: Structure, n_before: int) -> Departure | None:
    """What has left, where the structure has more than `n_before` pieces; None where it holds together.

    Of several pieces the smallest is named.
    """
    groups = pieces(structure)
    if len(groups) <= n_before:
        return None
    left = min(groups, key=lambda group: (len(group), group))
    name = formula(structure, left)
    return Departure(name, _distance(structure, left), len(groups), n_before)


def _distance(structure: Structure, group: Group) -> float:
    """From a group to the nearest atom outside of it, Å; periodic images by the nearest one of each pair."""
    inside = np.zeros(len(structure), dtype=bool)
    inside[list(group)] = True
    D = structure.positions[~inside][None, :, :] - structure.positions[inside][:, None, :]
    from ase.geometry import find_mic

    _, d = find_mic(D.reshape(-1, 3), structure.padded_cell(), structure.pbc)
    return float(np.min(d))


def _radii(structure: Structure) -> FloatArray:
    radii: FloatArray = np.asarray(covalent_radii[structure.numbers], dtype=np.float64)
    return radii


def components(n: int, i: IntArray, j: IntArray) -> IntArray:
    """Number of the connected component of each of n atoms, (n,), where the pairs i, j are joined."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(i), dtype=np.int8), (i, j)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _groups(component: IntArray) -> tuple[Group, ...]:
    """The atoms of each component."""
    numbers = range(int(component.max()) + 1)
    return tuple(sorted(tuple(int(k) for k in np.flatnonzero(component == g)) for g in numbers))

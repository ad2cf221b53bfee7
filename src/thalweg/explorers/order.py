"""Whether a periodic structure is a crystal: only a solid has a shape that a barostat may be allowed to change.

In a crystal most atoms have a twin: another atom of their element with the same distances to its neighbours, or they
are the only atom of their element in the cell. In a liquid or a glass hardly any atom has one. A crystal caught in the
midst of hot dynamics looks like a liquid by this measure; that errs on the safe side.
"""

from __future__ import annotations

import numpy as np

from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, Structure

NEAREST = 8
"""Neighbours that are compared."""
ALIKE = 0.05
"""Å. Largest difference of a distance between twins."""
ORDERED = 0.5
"""Share of the atoms with a twin above which a structure is a crystal."""
_REACHES = (6.0, 12.0, 24.0)
"""Å, until every atom has enough neighbours."""


def is_crystal(structure: Structure) -> bool:
    """Whether it is periodic in three directions, and at least half of its atoms have a twin."""
    if not structure.pbc.all():
        return False
    nearest = _nearest_distances(structure)
    with_twin = 0
    for z in np.unique(structure.numbers):
        own = nearest[structure.numbers == z]
        if len(own) == 1:
            with_twin += 1
            continue
        with_twin += sum(_has_twin(own, k) for k in range(len(own)))
    return with_twin >= ORDERED * len(structure)


def _has_twin(nearest: FloatArray, k: int) -> bool:
    differences = np.abs(nearest - nearest[k]).max(axis=1)
    differences[k] = np.inf
    return bool(differences.min() <= ALIKE)


def _nearest_distances(structure: Structure) -> FloatArray:
    """(n_atoms, NEAREST), Å, rising; the longest reach where there are fewer neighbours."""
    nearest = np.full((len(structure), NEAREST), _REACHES[-1])
    for reach in _REACHES:
        i, _, _, d = pairs_within(structure, reach)
        counts = np.bincount(i, minlength=len(structure))
        if counts.min() >= NEAREST or reach == _REACHES[-1]:
            order = np.lexsort((d, i))
            first = np.concatenate([[0], np.cumsum(counts)[:-1]])
            for atom in range(len(structure)):
                n = min(NEAREST, int(counts[atom]))
                nearest[atom, :n] = d[order[first[atom] : first[atom] + n]]
            break
    return nearest

"""Filling a new cell with the atoms around the target, from the middle outwards.

What the target sees comes first and is never left out. Then units (atoms, or whole molecules) are taken in the order
of their gauge g, inside the Wigner-Seitz cell of the new lattice first, as long as they do not come too close, across
the new boundary, to what is there. Where thermal motion has carried both copies of an atom out of the cell, or both
in, this takes the one that fits; in a liquid it closes holes at the boundary with neighbours from just outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.carving.lattice import around, gauge, reduced
from thalweg.carving.surroundings import Surroundings
from thalweg.structure import FloatArray, IntArray

OUTERMOST = 1.25
"""Largest gauge from which a hole at the boundary is filled."""
OFF_CENTRE = np.array([3.1e-4, 1.7e-4, 2.3e-4])
"""Å. Shifts the Wigner-Seitz cell so that no atom of an ideal crystal lies on its face."""


@dataclass(frozen=True, eq=False)
class Rules:
    """What a filling must keep to.

    Attributes
    ----------
    keep : float, Å
        Everything nearer to the target stays, and nothing else comes nearer to it.
    apart : mapping (z, z') with z <= z' to Å
        Atoms of these elements may not be closer than this across the new boundary.
    max_atoms : int
    formula : mapping z to int, or None
        Elements of a formula unit; the filling then tends to a whole number of units.
    """

    keep: float
    apart: dict[tuple[int, int], float]
    max_atoms: int
    formula: dict[int, int] | None = None


def fill(near: Surroundings, vectors: FloatArray, rules: Rules, n_wanted: int | None = None) -> IntArray:
    """Which of the surroundings the cell with these lattice vectors (k, 3) takes, the target first; shape (n,).

    At most `n_wanted` atoms where that is given; a whole crystal fills itself.
    """
    neighbours = around(reduced(vectors))
    g = gauge(near.x - OFF_CENTRE, neighbours)
    limit = min(rules.max_atoms, n_wanted or rules.max_atoms)
    room = _room(near, g, limit, rules.formula)
    filling = _Filling(near, neighbours, rules)
    for unit in _order(near, g, rules.keep):
        core = bool((near.distance[unit] < rules.keep).any())
        counts = {z: int((near.numbers[unit] == z).sum()) for z in {int(z) for z in near.numbers[unit]}}
        fits = filling.n + len(unit) <= (rules.max_atoms if core else limit)
        if not fits or not (core or all(room.get(z, n) >= n for z, n in counts.items())):
            continue
        if filling.take(unit):
            room = {z: left - counts.get(z, 0) for z, left in room.items()}
    return filling.taken


def n_inside(near: Surroundings, vectors: FloatArray) -> int:
    """How many atoms lie in the Wigner-Seitz cell: what the parent's density gives the new cell."""
    return int((gauge(near.x - OFF_CENTRE, around(reduced(vectors))) <= 1.0).sum())


def _order(near: Surroundings, g: FloatArray, keep: float) -> list[IntArray]:
    """Units that may be taken, those that the target sees first, then by the gauge of their middle."""
    n_units = int(near.unit.max()) + 1
    size = np.bincount(near.unit, minlength=n_units)
    nearest = np.full(n_units, np.inf)
    np.minimum.at(nearest, near.unit, near.distance)
    middle = np.bincount(near.unit, weights=g, minlength=n_units) / np.maximum(size, 1)
    usable = np.zeros(n_units, dtype=bool)
    usable[near.unit] = near.whole
    seen = nearest < keep
    rank = np.where(seen & (middle <= OUTERMOST), nearest / max(keep, 1e-9) - 1e3, middle)
    order = np.argsort(rank, kind="stable")
    order = order[usable[order] & (size[order] > 0) & (middle[order] <= OUTERMOST)]
    members = np.argsort(near.unit, kind="stable")
    ends = np.cumsum(size)
    return [members[ends[u] - size[u] : ends[u]].astype(np.int64) for u in order]


def _room(near: Surroundings, g: FloatArray, limit: int, formula: dict[int, int] | None) -> dict[int, int]:
    """Atoms of each element that a whole number of formula units allows; empty where there is no formula."""
    if formula is None:
        return {}
    size = sum(formula.values())
    inside = min(int((g <= 1.0).sum()), limit)
    units = max(1, min(round(inside / size), limit // size))
    return {z: n * units for z, n in formula.items()}


class _Filling:
    """Atoms taken so far, and whether another unit fits beside them and their images."""

    def __init__(self, near: Surroundings, neighbours: FloatArray, rules: Rules) -> None:
        self._near, self._rules = near, rules
        self._images = np.vstack([np.zeros((1, 3)), neighbours])
        self.taken = np.zeros(0, dtype=np.int64)
        elements = sorted({int(z) for z in near.numbers})
        index = {z: k for k, z in enumerate(elements)}
        self._kind = np.array([index[int(z)] for z in near.numbers])
        self._apart = np.array([[rules.apart[min(a, b), max(a, b)] for b in elements] for a in elements])

    @property
    def n(self) -> int:
        """Atoms taken."""
        return len(self.taken)

    def take(self, unit: IntArray) -> bool:
        """Take a unit if it fits; whether it did."""
        if not (self._is_clear(unit, self.taken, self._images) and self._keeps_out(unit)):
            return False
        if len(unit) > 1 and not self._is_clear(unit, unit, self._images[1:]):
            return False
        self.taken = np.concatenate([self.taken, unit])
        return True

    def _is_clear(self, unit: IntArray, others: IntArray, images: FloatArray) -> bool:
        if not len(others):
            return True
        difference = self._near.x[unit][:, None] - self._near.x[others][None]
        square = ((difference[:, :, None] + images) ** 2).sum(axis=-1)
        apart = self._apart[self._kind[unit][:, None], self._kind[others][None]]
        return bool((square >= apart[:, :, None] ** 2).all())

    def _keeps_out(self, unit: IntArray) -> bool:
        """Whether no image of the unit comes into what the target sees; its own images are the lattice's matter."""
        if self.n == 0 or len(self._images) == 1:
            return True
        images = self._near.x[unit][:, None] + self._images[None, 1:]
        least = np.sqrt((images**2).sum(axis=-1)).min(axis=1)
        seen = self._near.distance[unit] < self._rules.keep
        return bool((least[~seen] >= self._rules.keep).all())

"""How small a periodic cell is: its shortest lattice vector, and the repeats that make it longer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from thalweg.structure import IntArray, Structure


def shortest_vector(structure: Structure, repeat: Sequence[int] = (1, 1, 1)) -> tuple[float, IntArray]:
    """The shortest lattice vector along periodic directions, Å, and its three whole coefficients.

    It is the distance of an atom from its own nearest image; infinity where nothing is periodic. `repeat` speaks of
    the cell repeated so often along its vectors.
    """
    periodic = np.flatnonzero(structure.pbc)
    if not len(periodic):
        return math.inf, np.zeros(3, dtype=np.int64)
    cell = structure.padded_cell() * np.asarray(repeat, dtype=np.float64)[:, None]
    heights = structure.heights() * np.asarray(repeat, dtype=np.float64)
    longest = min(float(np.linalg.norm(cell[k])) for k in periodic)
    most = [int(longest / heights[k] + 1e-9) if k in periodic else 0 for k in range(3)]
    steps = np.array(list(itertools.product(*(range(-m, m + 1) for m in most))), dtype=np.int64)
    steps = steps[np.any(steps != 0, axis=1)]
    lengths = np.linalg.norm(steps @ cell, axis=1)
    # of equal ones the first that has the fewest parts, so that rounding decides nothing
    best = min(range(len(steps)), key=lambda k: (round(float(lengths[k]), 6), int(np.abs(steps[k]).sum()), k))
    return float(lengths[best]), steps[best]


def repeats_to_reach(structure: Structure, distance: float) -> tuple[int, int, int]:
    """Repeats along the cell vectors after which no atom is nearer to its own image than `distance` (Å)."""
    repeat = [1, 1, 1]
    while True:
        length, step = shortest_vector(structure, repeat)
        if length >= distance - 1e-6:
            return repeat[0], repeat[1], repeat[2]
        sides = np.linalg.norm(structure.padded_cell(), axis=1) * repeat
        repeat[min(np.flatnonzero(step), key=lambda k: float(sides[k]))] += 1

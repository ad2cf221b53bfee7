"""Pairs of atoms within a cutoff, by the core's own neighbour list: whatever a Structure holds is listed or refused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from thalweg import _native
from thalweg.errors import core_refusals
from thalweg.structure import FloatArray, IntArray, Structure


class Pairs(NamedTuple):
    """Every pair from both its ends, sorted by i; an atom may neighbour its own images.

    i, j : int64 (n_pairs,)
    D : float64 (n_pairs, 3), Å, from i to j
    d : float64 (n_pairs,), Å, lengths of D
    """

    i: IntArray
    j: IntArray
    D: FloatArray
    d: FloatArray


def pairs_within(structure: Structure, cutoff: float) -> Pairs:
    """The pairs closer than `cutoff` (Å).

    Raises
    ------
    InputError
        Positions or a cell that no atoms have: beyond 1e7 Å, a cell so small that it holds millions of its images, or
        more than 10,000 neighbours of one atom.
    """
    n = len(structure)
    with core_refusals():
        first, j, offset = _native.build_pairs(
            np.array([0, n], dtype=np.int32),
            np.zeros(n, dtype=np.int32),
            structure.positions,
            structure.cell[None],
            structure.pbc.astype(np.uint8)[None],
            cutoff,
        )
    i = np.repeat(np.arange(n), np.diff(first))
    D = structure.positions[j] - structure.positions[i] + offset
    return Pairs(i, j.astype(np.int64), D, np.sqrt((D**2).sum(axis=1)))


def neighbour_counts(structure: Structure, cutoff: float) -> IntArray:
    """How many atoms each atom has closer than `cutoff` (Å), shape (n_atoms,); errors as in `pairs_within`."""
    return np.bincount(pairs_within(structure, cutoff).i, minlength=len(structure))

"""Pairs of atoms within a cutoff by going through all images: slow, and the same for every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.structure import FloatArray, IntArray, Structure


@dataclass(frozen=True)
class Edges:
    """Ordered pairs: atoms i and j (n_edges,), D = r_j - r_i (n_edges, 3) in Å, images of j included."""

    i: IntArray
    j: IntArray
    D: FloatArray


def edges_of(structure: Structure, r_cut: float) -> Edges:
    """Every ordered pair closer than `r_cut` (Å), an atom with its own images included."""
    shifts = _shifts(structure, r_cut)
    positions = structure.positions
    found_i, found_j, found_D = [], [], []
    for i in range(len(structure)):
        D = positions[None, :, :] + shifts[:, None, :] - positions[i]
        r = np.linalg.norm(D, axis=-1)
        shift, j = np.nonzero((r < r_cut) & (r > 0))
        found_i.append(np.full(len(j), i))
        found_j.append(j)
        found_D.append(D[shift, j])
    return Edges(np.concatenate(found_i), np.concatenate(found_j), np.concatenate(found_D))


def _shifts(structure: Structure, r_cut: float) -> FloatArray:
    """Lattice vectors (n, 3) whose images can lie within reach."""
    if not structure.pbc.any():
        return np.zeros((1, 3))
    cell = np.where(structure.pbc[:, None], structure.cell, 0.0)
    fractional = structure.positions @ np.linalg.pinv(cell)
    spread = np.ptp(fractional, axis=0)
    # Row k of the pseudo-inverse's transpose is the reciprocal vector: 1 / |b_k| is the distance of planes.
    heights = np.linalg.norm(np.linalg.pinv(cell), axis=0)
    counts = [int(np.ceil(r_cut * heights[k] + spread[k])) if structure.pbc[k] else 0 for k in range(3)]
    grid = np.meshgrid(*(np.arange(-c, c + 1) for c in counts), indexing="ij")
    return np.asarray(np.stack([axis.ravel() for axis in grid], axis=1) @ cell)

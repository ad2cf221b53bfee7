"""Telling structures apart cheaply, and picking different ones.

A fingerprint is a smoothed histogram of pair distances, one per pair of elements: invariant to translation,
rotation, permutation and choice of cell, the same length for all structures of the same elements.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.errors import check
from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, Structure

FINGERPRINT_CUTOFF = 5.0
"""Å."""
GRID_STEP = 0.1
"""Å; also the width of the Gaussian that each distance leaves on the grid."""


def distance_fingerprint(structure: Structure, elements: Sequence[int]) -> FloatArray:
    """Pair-distance histogram per pair of `elements` (atomic numbers), laid end to end.

    Each distance d below the cutoff adds a Gaussian of height (1 - (d/cutoff)²) / (n_atoms d²): far shells
    do not drown near ones, and none appears at once. Shape (n_pairs_of_elements * 50,).
    """
    i, j, _, d = pairs_within(structure, FINGERPRINT_CUTOFF)
    grid = np.arange(GRID_STEP / 2, FINGERPRINT_CUTOFF, GRID_STEP)
    lower = np.minimum(structure.numbers[i], structure.numbers[j])
    upper = np.maximum(structure.numbers[i], structure.numbers[j])
    weight = (1 - (d / FINGERPRINT_CUTOFF) ** 2) / (len(structure) * d**2)
    parts = []
    for a in sorted(elements):
        for b in sorted(z for z in elements if z >= a):
            own = (lower == a) & (upper == b)
            bumps = np.exp(-0.5 * ((grid - d[own, None]) / GRID_STEP) ** 2)
            parts.append(weight[own] @ bumps)
    return np.concatenate(parts)


def farthest_points(
    points: FloatArray, n: int, *, known: FloatArray | None = None
) -> tuple[list[int], list[float]]:
    """Greedy farthest-point selection (Gonzalez, Theor. Comput. Sci. 38, 293, 1985).

    Parameters
    ----------
    points : (n_points, n_features)
    known : (n_known, n_features), points taken already; without any, the first pick is farthest from the mean

    Returns
    -------
    order, distances
        Indices of the picks, and how far each was from all taken before it.
    """
    check(
        points.ndim == 2 and 0 <= n <= len(points),
        f"farthest points: cannot pick {n} of shape {points.shape}",
    )
    first_only = known is None or len(known) == 0
    taken = points.mean(axis=0)[None] if known is None or len(known) == 0 else known
    nearest = np.min([np.linalg.norm(points - q, axis=1) for q in taken], axis=0)
    order: list[int] = []
    distances: list[float] = []
    for _ in range(n):
        best = int(np.argmax(nearest))
        order.append(best)
        distances.append(float(nearest[best]))
        reached = np.linalg.norm(points - points[best], axis=1)
        # distances from the mean serve the first pick only
        nearest = reached if first_only else np.minimum(nearest, reached)
        first_only = False
        nearest[order] = -1.0
    return order, distances

"""Extrapolation grade of atomic environments (D-optimality).

Notation
    phi      features of one environment, shape (p,)
    A        active set: p environments of one element whose |det A| is (locally) largest, shape (p, p)
    C        phi @ inv(A) for all candidates, shape (n, p)
    grade    max_k |C_k|, dimensionless; <= 1 interpolates within the active set

The active set is found by MaxVol: start from the pivots of a QR factorisation, then swap a row for the
candidate with the largest |C_ik| while that exceeds 1 + tolerance; each swap multiplies |det A| by that much.
Where there are fewer environments than features, small multiples of unit vectors fill the set: directions
never seen then have huge grades, as they should.

References
    Lysogorskiy, Bochkarev, Mrovec, Drautz, arXiv:2212.08716 (grade for ACE)
    Goreinov et al., in Matrix Methods: Theory, Algorithms, Applications (2010) (MaxVol)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from thalweg.errors import check
from thalweg.structure import FloatArray

_FILLER = 1e-4
"""Size of the filling unit vectors over the rms of their feature (of all features, if it is never active)."""


@dataclass(frozen=True, eq=False)
class ActiveSets:
    """Inverse active sets, shape (n_elements, p, p)."""

    inverses: FloatArray

    def grade(self, phi: FloatArray, species: NDArray[np.integer]) -> FloatArray:
        """Grade per atom, shape (n_atoms,), from phi (n_atoms, p) and element indices (n_atoms,)."""
        p = self.inverses.shape[1]
        check(
            phi.shape == (len(species), p),
            f"active set: phi must be ({len(species)}, {p}), got {phi.shape}: rebuild it with this basis",
        )
        grades = np.empty(len(phi))
        for element in np.unique(species):
            atoms = species == element
            grades[atoms] = np.abs(phi[atoms] @ self.inverses[element]).max(axis=1)
        return grades


def find_active_sets(phi: FloatArray, species: NDArray[np.integer], n_elements: int) -> ActiveSets:
    """Active sets of training environments phi (n_atoms, p), one per element."""
    check(
        phi.ndim == 2 and len(phi) == len(species),
        f"active set: {len(species)} atoms, phi of shape {phi.shape}",
    )
    overall = float(np.sqrt(np.mean(phi**2))) or 1.0
    inverses = []
    for element in range(n_elements):
        own = phi[species == element]
        rms = np.sqrt(np.mean(own**2, axis=0)) if len(own) else np.zeros(phi.shape[1])
        filler = np.diag(_FILLER * np.where(rms > 0, rms, overall))
        inverses.append(maxvol_inverse(np.concatenate([own, filler])))
    return ActiveSets(np.stack(inverses))


def maxvol_inverse(candidates: FloatArray, *, tolerance: float = 1e-3, max_swaps: int = 10_000) -> FloatArray:
    """Inverse of the active set chosen from candidates (n, p) of full rank, shape (p, p)."""
    p = candidates.shape[1]
    # Grades do not change when a feature is rescaled; pivots and swaps are sounder when all are alike.
    scale = np.sqrt(np.mean(candidates**2, axis=0))
    scaled = candidates / scale
    _, pivots = qr(scaled.T, mode="r", pivoting=True)
    active = np.array(pivots[:p])
    C = np.linalg.solve(scaled[active].T, scaled.T).T
    for _ in range(max_swaps):
        i, k = np.unravel_index(np.argmax(np.abs(C)), C.shape)
        if abs(C[i, k]) <= 1.0 + tolerance:
            break
        # Row i enters in place of member k: a rank-one change of C.
        change = C[i].copy()
        change[k] -= 1.0
        C -= np.outer(C[:, k] / C[i, k], change)
        active[k] = i
    return np.asarray(np.linalg.inv(scaled[active]) / scale[:, None])

"""What lies around one atom of a large structure: atoms and their periodic images, molecules, usual distances.

Notation
    x_i    position of an atom or image relative to the target, Å; the target itself is at 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from ase.geometry import complete_cell
from scipy.spatial import cKDTree

from thalweg.bonds import BOND, components, fragment_of
from thalweg.errors import check
from thalweg.structure import BoolArray, FloatArray, IntArray, Structure

UNSEEN = 0.9
"""Shortest distance, over that sum, of two elements that are nowhere seen beside each other."""
_MOST_IMAGES = 100_000
"""Of the whole cell: some seconds."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Atoms and images within `radius` (Å) of the target, nearest first; the target is number 0.

    Attributes
    ----------
    parent : int64 ndarray, shape (n,)
        Which atom of the large structure each is (an image of).
    x : float64 ndarray, shape (n, 3), Å
    numbers : int64 ndarray, shape (n,)
    unit : int64 ndarray, shape (n,)
        Atoms of one number belong together and are taken or left together.
    whole : bool ndarray, shape (n,)
        Whether all of an atom's unit is here.
    """

    radius: float
    parent: IntArray
    x: FloatArray
    numbers: IntArray
    unit: IntArray
    whole: BoolArray

    @property
    def distance(self) -> FloatArray:
        """From the target, Å, shape (n,)."""
        return np.asarray(np.linalg.norm(self.x, axis=1))

    @property
    def is_molecular(self) -> bool:
        """Whether some unit has more than one atom."""
        return len(np.unique(self.unit)) < len(self.unit)


def surroundings(
    structure: Structure, atom: int, radius: float, molecule: IntArray | None = None
) -> Surroundings:
    """Atoms and images within `radius` Å of an atom; `molecule` (n_atoms,) says what is not to be cut."""
    parent, x = _images(structure, atom, radius)
    order = np.argsort(np.linalg.norm(x, axis=1), kind="stable")
    parent, x = parent[order], x[order]
    numbers = structure.numbers[parent]
    unit, whole = np.arange(len(x), dtype=np.int64), np.ones(len(x), dtype=np.bool_)
    if molecule is not None:
        unit = _components(x, numbers)
        size = np.bincount(molecule)[molecule[parent]]
        whole = np.bincount(unit)[unit] == size
    return Surroundings(radius, parent, x, numbers, unit, whole)


def _images(structure: Structure, atom: int, radius: float) -> tuple[IntArray, FloatArray]:
    cell = np.asarray(complete_cell(structure.cell), dtype=np.float64)
    x = structure.positions - structure.positions[atom]
    turns = np.rint(x @ np.linalg.inv(cell)) * structure.pbc
    x = x - turns @ cell
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = np.where(structure.pbc, np.ceil(radius / heights + 0.5), 0).astype(int)
    check(
        np.prod(2.0 * reach + 1) <= _MOST_IMAGES,
        f"the periodic cell is too small for a radius of {radius:g} Å; repeat it, or give it in Å",
    )
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    parents, vectors = [], []
    for shift in shifts.reshape(-1, 3) @ cell:
        moved = x + shift
        near = np.flatnonzero(np.einsum("ia,ia->i", moved, moved) <= radius**2)
        parents.append(near)
        vectors.append(moved[near])
    return np.concatenate(parents).astype(np.int64), np.concatenate(vectors)


def _components(x: FloatArray, numbers: IntArray) -> IntArray:
    """Number of the bonded component of each atom, without periodic images, shape (n,)."""
    radii = covalent_radii[numbers]
    pairs = cKDTree(x).query_pairs(2.0 * BOND * float(radii.max()), output_type="ndarray")
    distance = np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1)
    pairs = pairs[distance < BOND * (radii[pairs[:, 0]] + radii[pairs[:, 1]])]
    return components(len(x), pairs[:, 0], pairs[:, 1])


def molecules(structure: Structure, max_atoms: int) -> IntArray | None:
    """Which molecule each atom belongs to, shape (n_atoms,); None where atoms hang together without an end.

    A molecule is a component of the bond graph with more than one and at most `max_atoms` atoms. A network, a
    metal or a chain across the box is one component of everything; then nothing but single atoms can be cut.
    """
    molecule = fragment_of(structure)
    largest = int(np.bincount(molecule).max())
    return molecule if 1 < largest <= max_atoms else None


def first_shell(near: Surroundings) -> float:
    """Distance (Å) of the farthest atom bonded to the target, or of the nearest atom where none is bonded."""
    if len(near.x) < 2:
        return 0.0
    radii = covalent_radii[near.numbers]
    bonded = near.distance < BOND * (radii[0] + radii)
    bonded[0] = False
    return float(near.distance[bonded].max() if bonded.any() else near.distance[1])


def shortest_distances(near: Surroundings) -> dict[tuple[int, int], float]:
    """The shortest distance (Å) at which atoms of two elements are seen here, by pairs z <= z' of elements."""
    elements = sorted({int(z) for z in near.numbers})
    found = {}
    for a in elements:
        for b in (z for z in elements if z >= a):
            one, two = near.x[near.numbers == a], near.x[near.numbers == b]
            rank = 2 if a == b else 1  # the nearest of its own kind is the atom itself
            reach = BOND * 1.5 * float(covalent_radii[a] + covalent_radii[b])
            d = np.inf
            if len(two) >= rank:
                d = float(np.min(cKDTree(two).query(one, k=[rank], distance_upper_bound=reach)[0]))
            found[a, b] = d if np.isfinite(d) else UNSEEN * float(covalent_radii[a] + covalent_radii[b])
    return found

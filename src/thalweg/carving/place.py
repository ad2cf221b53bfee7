"""The place in a large structure that a cell is to stand for, with what the potential says of it there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thalweg.carving.surroundings import (
    Surroundings,
    first_shell,
    molecules,
    shortest_distances,
    surroundings,
)
from thalweg.errors import check
from thalweg.features.batch import species_of
from thalweg.potential import Potential
from thalweg.structure import BoolArray, FloatArray, IntArray, Structure

ATOMS_PER_CELL_ATOM = 6
"""Surroundings hold this many times the atoms that a cell may have: a compact cell's, and those from just outside."""
LATTICE_RADIUS = 16.0
"""Å, in which translations of a crystal are looked for, at least."""
MARGIN = 1e-3
"""Å, by which the kept sphere is larger than the cutoff."""
ORDINARY = 0.99
"""Quantile of the forces near the target that is taken as the largest ordinary one."""


@dataclass(frozen=True, eq=False)
class Place:
    """An atom of a large structure and its surroundings; `max_atoms` is what the oracle can afford."""

    structure: Structure
    potential: Potential
    atom: int
    max_atoms: int
    molecule: IntArray | None

    @classmethod
    def of(cls, structure: Structure, potential: Potential, atom: int, max_atoms: int) -> Place:
        """Raises InputError for an atom that is not there, or an element that the potential does not know."""
        n = len(structure)
        check(0 <= atom < n, f"carve: the structure has atoms 0 to {n - 1}, there is no atom {atom}")
        check(max_atoms >= 1, f"carve: a cell has at least one atom, got max_atoms = {max_atoms}")
        species_of(structure, potential.elements)
        return cls(structure, potential, atom, max_atoms, molecules(structure, max(1, max_atoms // 2)))

    @property
    def r_cut(self) -> float:
        """Å."""
        return self.potential.basis.r_cut

    @cached_property
    def near(self) -> Surroundings:
        """Atoms from which a cell is filled."""
        wanted = min(ATOMS_PER_CELL_ATOM * self.max_atoms, 10 * len(self.structure))
        radius = self.r_cut + 3.0
        while True:
            found = surroundings(self.structure, self.atom, radius, self.molecule)
            lonely = not self.structure.pbc.any() and len(found.x) == len(self.structure)
            if len(found.x) >= wanted or lonely or radius > 20.0 * self.r_cut:
                return found
            radius *= 1.15

    @cached_property
    def wide(self) -> Surroundings:
        """Atoms in which the crystal's translations are looked for."""
        return surroundings(self.structure, self.atom, max(LATTICE_RADIUS, self.near.radius))

    @cached_property
    def keeps(self) -> tuple[float, float]:
        """Radii (Å) of what is to be kept: the first shell's environments too, or at least the target's."""
        return self.r_cut + first_shell(self.near) + MARGIN, self.r_cut + MARGIN

    @cached_property
    def apart(self) -> dict[tuple[int, int], float]:
        """Shortest distances (Å) that are usual here, by pairs of elements."""
        return shortest_distances(self.near)

    @cached_property
    def formula(self) -> dict[int, int] | None:
        """The formula unit of the large structure, by atomic number; None for an element or no simple ratio."""
        elements, counts = np.unique(self.structure.numbers, return_counts=True)
        unit = counts // np.gcd.reduce(counts)
        if len(elements) == 1 or unit.sum() > self.max_atoms // 2:
            return None
        return {int(z): int(n) for z, n in zip(elements, unit, strict=True)}

    # ---- what the potential says there -----------------------------------------------------------------

    @cached_property
    def _cut_out(self) -> tuple[Structure, IntArray]:
        """The surroundings and what they see as one cluster, and which atoms of it are those of `near`.

        Wide enough that its innermost atoms, those of `near`, feel no surface.
        """
        ball = surroundings(self.structure, self.atom, self.near.radius + 2.0 * self.r_cut + MARGIN)
        inner = np.flatnonzero(ball.distance <= self.near.radius)
        cluster = Structure(ball.numbers, ball.x, np.zeros((3, 3)), np.zeros(3, dtype=np.bool_))
        return cluster, inner

    @cached_property
    def before(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None]:
        """Features, forces (eV/Å), bounds (eV/Å) and novelty of the atoms of `near`, in the large structure."""
        cluster, inner = self._cut_out
        prediction = self.potential.predict(cluster)
        phi = self.potential.features.phi([cluster])
        novelty = None if prediction.novelty is None else prediction.novelty[inner]
        return phi[inner], prediction.forces[inner], prediction.forces_bound[inner], novelty

    @property
    def ordinary_force(self) -> float:
        """Largest force (eV/Å) that is usual around the target."""
        return float(np.quantile(np.linalg.norm(self.before[1], axis=1), ORDINARY))

    def change(self, structure: Structure, taken: IntArray) -> FloatArray:
        """How far each atom's features are from what they were, over their usual size; shape (n_atoms,)."""
        phi = self.potential.features.phi([structure])
        mine = self.before[0]
        size = np.sqrt((mine**2).mean(axis=0)) + 1e-12
        return np.asarray(np.linalg.norm((phi - mine[taken]) / size, axis=1) / np.sqrt(len(size)))

    def reference(self, taken: IntArray) -> tuple[FloatArray, FloatArray | None]:
        """Bound and novelty beyond which an atom of the cell is more uncertain than target and itself were."""
        _, _, bound, novelty = self.before
        return (
            np.maximum(bound[taken], bound[0]),
            None if novelty is None else np.maximum(np.maximum(novelty[taken], novelty[0]), 1.0),
        )

    @property
    def across(self) -> BoolArray:
        """Periodic directions without vacuum, shape (3,)."""
        return self.structure.pbc & ~self.vacuum

    @cached_property
    def vacuum(self) -> BoolArray:
        """Periodic directions with a gap wider than the cutoff between one image and the next, shape (3,)."""
        cell, pbc = self.structure.cell, self.structure.pbc
        gaps = np.zeros(3, dtype=np.bool_)
        for k in np.flatnonzero(pbc):
            inverse = np.linalg.pinv(cell[pbc])
            along = np.sort((self.structure.positions @ inverse)[:, int(pbc[:k].sum())] % 1.0)
            height = 1.0 / np.linalg.norm(inverse[:, int(pbc[:k].sum())])
            widest = np.diff(np.append(along, along[0] + 1.0)).max()
            gaps[k] = widest * height > self.r_cut
        return gaps

"""What is watched on a malonaldehyde trajectory: bonds, and the proton between the two oxygens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from thalweg.structure import FloatArray, Structure

BONDED = 1.25
"""Bonds of the start: pairs nearer than this times the sum of covalent radii."""
BROKEN = 1.6
"""A bond longer than this times the sum of covalent radii is broken."""
IN_A_WELL = 0.3
"""Å; a proton counts as transferred when |d(O-H) - d(O'-H)| has passed this on the other side."""


@dataclass(frozen=True)
class Watch:
    """The two oxygens, the proton between them, and the bonds that are to last."""

    oxygens: tuple[int, int]
    proton: int
    bonds: tuple[tuple[int, int], ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, structure: Structure) -> Watch:
        """From the start structure: its bonds but the proton's, which may change partners."""
        numbers = structure.numbers
        first, second = (int(i) for i in np.flatnonzero(numbers == 8))
        d = np.linalg.norm(structure.positions[:, None] - structure.positions[None, :], axis=-1)
        hydrogens = np.flatnonzero(numbers == 1)
        proton = int(hydrogens[np.argmin(d[hydrogens, first] + d[hydrogens, second])])
        reach = BONDED * (covalent_radii[numbers][:, None] + covalent_radii[numbers][None, :])
        pairs = zip(*np.nonzero(np.triu(d < reach, k=1)), strict=True)
        bonds = tuple((int(i), int(j)) for i, j in pairs if proton not in (i, j))
        return cls((first, second), proton, bonds, tuple(int(z) for z in numbers))

    def transfer_coordinate(self, positions: FloatArray) -> FloatArray:
        """d(O-H) - d(O'-H) of frames (n, n_atoms, 3), shape (n,), Å."""
        one, other = (self._length(positions, o, self.proton) for o in self.oxygens)
        return one - other

    def transfers(self, positions: FloatArray) -> int:
        """How often the proton went over for good in consecutive frames (n, n_atoms, 3)."""
        q = self.transfer_coordinate(positions)
        sides = np.sign(q[np.abs(q) > IN_A_WELL])
        return int((sides[1:] != sides[:-1]).sum())

    def stretched(self, positions: FloatArray) -> dict[str, FloatArray]:
        """Length over the sum of covalent radii of each bond, of frames (n, n_atoms, 3), shape (n,) each.

        The proton's is that to the nearer oxygen.
        """
        found = {
            f"{self._name(i)}-{self._name(j)}": self._length(positions, i, j) / self._sum(i, j)
            for i, j in self.bonds
        }
        nearer = np.minimum(*(self._length(positions, o, self.proton) for o in self.oxygens))
        found[f"O-{self._name(self.proton)}"] = nearer / self._sum(self.oxygens[0], self.proton)
        return found

    def broken(self, positions: FloatArray) -> dict[int, str]:
        """Frames with a broken bond, and which."""
        found: dict[int, str] = {}
        for bond, length in self.stretched(positions).items():
            for frame in np.flatnonzero(~(length < BROKEN)):
                found.setdefault(int(frame), bond)
        return found

    def _length(self, positions: FloatArray, i: int, j: int) -> FloatArray:
        return np.asarray(np.linalg.norm(positions[:, i] - positions[:, j], axis=1))

    def _sum(self, i: int, j: int) -> float:
        return float(covalent_radii[self.numbers[i]] + covalent_radii[self.numbers[j]])

    def _name(self, i: int) -> str:
        return f"{chemical_symbols[self.numbers[i]]}{i}"

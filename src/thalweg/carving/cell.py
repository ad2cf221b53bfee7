"""What carving gives: a small cell, and how well it stands for the place that it was cut from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from thalweg.structure import BoolArray, FloatArray, IntArray, Structure

EXACT = 1e-6
"""Features that differ by less, relative to their size, are the same but for rounding."""
BESIDE = 2.0
"""Weight of the change beside the target against the boundary's excess."""
GRAIN = 0.05
"""Cells that differ by less in the sum of both are told apart by their number of atoms."""


class CellKind(StrEnum):
    """How a cell was made."""

    WHOLE = "whole"
    CRYSTAL = "crystal"
    PACKED = "packed"
    CLUSTER = "cluster"


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell for the oracle.

    Attributes
    ----------
    structure : Structure
    atom : int
        The uncertain atom in the large structure.
    target : int
        The same atom here.
    parent : int64 ndarray, shape (n_atoms,)
        Each atom's number in the large structure.
    change : float64 ndarray, shape (n_atoms,), dimensionless
        |phi - phi_parent| over the usual size of phi: 0 where an atom sees what it saw in the large structure.
    bound : float64 ndarray, shape (n_atoms,), eV/Å
    novelty : float64 ndarray, shape (n_atoms,), or None
    bound_before, novelty_before : float
        Of the target in the large structure; the novelty is NaN where the potential has none.
    excess : float
        Largest uncertainty (bound or novelty) of an atom whose surroundings changed, over the target's in the
        large structure: at most 1, where the oracle's label is spent on the target.
    moved : float, Å
        Farthest that an atom was moved to settle the boundary.
    kind : Kind
    """

    structure: Structure
    atom: int
    target: int
    parent: IntArray
    change: FloatArray
    bound: FloatArray
    novelty: FloatArray | None
    bound_before: float
    novelty_before: float
    excess: float
    moved: float
    kind: CellKind

    @property
    def kept(self) -> BoolArray:
        """Atoms that see exactly what they saw, shape (n_atoms,)."""
        return self.change < EXACT

    @property
    def target_change(self) -> float:
        """The target's change; 0 where its environment is kept."""
        value = float(self.change[self.target])
        return 0.0 if value < EXACT else value

    @property
    def name(self) -> str:
        """The uncertain atom, as in the large structure: Si812."""
        return f"{chemical_symbols[int(self.structure.numbers[self.target])]}{self.atom}"

    @property
    def score(self) -> tuple[float, float, int]:
        """Smaller is better: the target's environment before all; then a boundary no more uncertain than the target
        together with the environments of the atoms beside it; then the number of atoms."""
        worse = max(0.0, self.excess - 1.0)
        beside = float(np.mean(self.change[self._beside()])) if len(self.structure) > 1 else 0.0
        disturbed = round((worse + BESIDE * beside) / GRAIN) * GRAIN
        return (round(self.target_change, 4), disturbed, len(self.structure))

    def _beside(self) -> IntArray:
        from ase.geometry import find_mic

        away = self.structure.positions - self.structure.positions[self.target]
        distance = find_mic(away, self.structure.cell, self.structure.pbc)[1]
        distance[self.target] = np.inf
        return np.flatnonzero(distance < 1.3 * distance.min())

    def to_json(self) -> dict[str, Any]:
        """Plain data without arrays."""
        return {
            "atom": self.atom,
            "name": self.name,
            "target": self.target,
            "kind": str(self.kind),
            "n_atoms": len(self.structure),
            "formula": self.structure.to_atoms().get_chemical_formula(),
            "target_change": self.target_change,
            "n_kept": int(self.kept.sum()),
            "bound": self.bound_before,
            "bound_in_cell": float(self.bound[self.target]),
            "boundary_excess": self.excess,
            "moved": self.moved,
        }

"""What a walker is held against: pieces that leave its start, and a cell that flows under a barostat.

A structure has fallen apart when it has more pieces than its start (`thalweg.bonds`): a molecule, cluster or slab that
loses some of its atoms. Bonds that break and form inside are chemistry, and in a crystal or a liquid that fills its
cell nothing can leave. A cell whose shape the barostat may change has flowed when it is sheared or stretched farther
than a solid can bear: nothing in a fluid holds its shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from thalweg.bonds import Departure, Skeleton, departure
from thalweg.border import VACUUM, largest_gap
from thalweg.structure import Structure

LARGEST_STRETCH = 1.4
"""Longest over shortest principal stretch of the cell against the start's; solids yield long before."""
LARGEST_SWELLING = 2.0
"""Of the volume against the start's, or its reciprocal: beyond, a solid or liquid has become a gas, or collapsed."""


class Parting(StrEnum):
    """How a walker ceased to be like its start."""

    DISSOCIATED = "dissociated"
    FLOWED = "flowed"


@dataclass(frozen=True, eq=False)
class Origin:
    """What a walker is held against: its start, what holds its pieces together (None: none can leave), its shape."""

    structure: Structure
    skeleton: Skeleton | None
    holds_shape: bool = False

    @classmethod
    def of(cls, structure: Structure, *, holds_shape: bool) -> Origin:
        """Of a start structure."""
        return cls(structure, Skeleton.of(structure) if is_open(structure) else None, holds_shape)

    @property
    def n_pieces(self) -> int | None:
        """Pieces of the start; None where none can leave."""
        return None if self.skeleton is None else len(self.structure) - len(self.skeleton.i)

    def parting(self, structure: Structure) -> tuple[Parting, str] | None:
        """How `structure` is no longer like the start, in a word and in a sentence; None where it is."""
        if (left := self._departure(structure)) is not None:
            return Parting.DISSOCIATED, left.describe()
        if self.holds_shape and (words := self._flow(structure)) is not None:
            return Parting.FLOWED, words
        return None

    def _departure(self, structure: Structure) -> Departure | None:
        """Looked for in earnest only where a contact of the skeleton is gone: this is asked at every sample."""
        if self.skeleton is None or self.n_pieces is None:
            return None
        same_cell = np.array_equal(structure.cell, self.structure.cell)
        if same_cell and self.skeleton.holds(structure):
            return None
        return departure(structure, self.n_pieces)

    def _flow(self, structure: Structure) -> str | None:
        deformation = np.linalg.solve(self.structure.cell, structure.cell)
        stretch = np.linalg.svd(deformation, compute_uv=False)
        ratio, swelling = float(stretch.max() / stretch.min()), float(np.prod(stretch))
        if ratio > LARGEST_STRETCH:
            return f"its cell has lost its shape (stretched {ratio:.2f} times as much one way as another)"
        if not 1.0 / LARGEST_SWELLING < swelling < LARGEST_SWELLING:
            return f"its cell has {swelling:.2f} times the volume of the start's"
        return None


def is_open(structure: Structure) -> bool:
    """Whether its atoms have somewhere to go: it does not fill a cell that is periodic in three directions."""
    return not structure.pbc.all() or largest_gap(structure)[1] > VACUUM

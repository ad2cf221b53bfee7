"""Watches whether walkers hold together: pieces that leave, and cells that flow under a barostat.

A structure is held against the start of its walker. It has fallen apart when it has more pieces (`thalweg.bonds`): a
molecule, cluster or slab that loses some of its atoms. Bonds that break and form inside are chemistry, and in a crystal
or a liquid that fills its cell nothing can leave. A cell whose shape the barostat may change has flowed when it is
sheared or stretched farther than a solid can bear: nothing in a fluid holds its shape.

Where such walkers are not walked on, what they met from that moment on is neither asked about nor audited.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from thalweg.bonds import departure, pieces
from thalweg.explorers.base import Snapshot
from thalweg.explorers.limits import Finding, WalkEvent
from thalweg.explorers.visit import Visit
from thalweg.structure import Structure

LARGEST_STRETCH = 1.4
"""Longest over shortest principal stretch of the cell against the start's; solids yield long before."""
LARGEST_SWELLING = 2.0
"""Of the volume against the start's, or its reciprocal: beyond, a solid or liquid has become a gas, or collapsed."""


class Parting(StrEnum):
    """How a walker ceased to be like its start."""

    DISSOCIATED = "dissociated"
    FLOWED = "flowed"


@dataclass(frozen=True)
class Origin:
    """What a walker is held against: its start, the pieces of it (None: none can leave), perhaps its shape."""

    structure: Structure
    n_pieces: int | None
    holds_shape: bool = False

    @classmethod
    def of(cls, structure: Structure, *, can_leave: bool, holds_shape: bool) -> Origin:
        """Of a start structure."""
        return cls(structure, len(pieces(structure)) if can_leave else None, holds_shape)

    def parting(self, structure: Structure) -> tuple[Parting, str] | None:
        """How `structure` is no longer like the start, in a word and in a sentence; None where it is."""
        if self.n_pieces is not None and (left := departure(structure, self.n_pieces)) is not None:
            return Parting.DISSOCIATED, left.describe()
        if self.holds_shape and (words := self._flow(structure)) is not None:
            return Parting.FLOWED, words
        return None

    def _flow(self, structure: Structure) -> str | None:
        deformation = np.linalg.solve(self.structure.cell, structure.cell)
        stretch = np.linalg.svd(deformation, compute_uv=False)
        ratio, swelling = float(stretch.max() / stretch.min()), float(np.prod(stretch))
        if ratio > LARGEST_STRETCH:
            return f"its cell has lost its shape (stretched {ratio:.2f} times as much one way as another)"
        if not 1.0 / LARGEST_SWELLING < swelling < LARGEST_SWELLING:
            return f"its cell has {swelling:.2f} times the volume of the start's"
        return None


@dataclass(frozen=True, eq=False)
class Parted:
    """The first moment at which a walker was no longer like its start."""

    moment: Snapshot
    how: Parting
    text: str


@dataclass(frozen=True)
class Watch:
    """The origin of each walker, by its number; whether those that have parted are sent back (`stops`)."""

    origins: Sequence[Origin]
    stops: bool = True

    def parted(self, walker: int, before: Structure, visit: Visit[Any]) -> Parted | None:
        """Where this walker parted in its block, which began at `before`; None where it is like its start at the end.

        Looked for among the samples, back from the end. One that is walked on with is told of once, when it parts.
        """
        origin = self.origins[walker]
        if origin.parting(visit.last.structure) is None:
            return None
        if not self.stops and origin.parting(before) is not None:
            return None
        first = visit.last
        for k in reversed(range(len(visit.samples))):
            sample = visit.samples[k]
            if origin.parting(sample.structure) is None:
                break
            first = sample
        found = origin.parting(first.structure)
        assert found is not None
        return Parted(first, *found)


def cut_short(visit: Visit[Any], parted: Parted) -> Visit[Any]:
    """The block as it was before the walker parted: nothing later is asked about or audited."""
    step = parted.moment.step
    early = [
        one if one is not None and one.step < step else None for one in (visit.worst, visit.first_crossing)
    ]
    return dataclasses.replace(
        visit,
        verdict=Finding(WalkEvent.BLOCK_END),
        crossing=None if early == [None, None] else visit.crossing,
        worst=early[0],
        first_crossing=early[1],
        history=visit.history.before(step),
        samples=visit.samples.before(step),
    )

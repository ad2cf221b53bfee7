"""Watches whether walkers are still like their starts: whole, and with a cell that holds its shape.

Where walkers that are not are sent back, what they met from that moment on is neither asked about nor audited.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.explorers.base import Snapshot
from thalweg.explorers.limits import Finding, WalkEvent
from thalweg.explorers.origin import Origin, Parting
from thalweg.explorers.visit import Visit
from thalweg.structure import Structure


@dataclass(frozen=True, eq=False)
class Parted:
    """The first moment at which a walker was no longer like its start."""

    moment: Snapshot
    how: Parting
    text: str


@dataclass(frozen=True)
class Watch:
    """The origin of each walker, by its number; whether those that have parted are sent back (`stops`)."""

    origins: Mapping[int, Origin]
    stops: bool = True

    def parted(self, walker: int, before: Structure, visit: Visit[Any]) -> Parted | None:
        """Where this walker parted in its block, which began at `before`; None where it is like its start throughout.

        Told by the samples and the end. One that is walked on with is told of once, when it parts.
        """
        origin = self.origins[walker]
        if not self.stops and origin.parting(before) is not None:
            return None
        for moment in (*visit.samples, visit.last):
            if (found := origin.parting(moment.structure)) is not None:
                return Parted(moment, *found)
        return None

    def excludes(self, walker: int, structure: Structure) -> bool:
        """Whether nothing is to be asked about this structure, since its walker had parted."""
        return self.stops and self.origins[walker].parting(structure) is not None


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

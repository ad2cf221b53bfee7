"""Moments of fresh walkers for an audit made by hand, drawn by the clock alone.

New walkers, with random numbers never used in learning, start where the run's walkers are and forget where they came
from. With several starts they take these in turn, so that every start is audited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from thalweg.errors import StoreError
from thalweg.explorers.base import CoreField, Snapshot, Walker
from thalweg.explorers.limits import Limits
from thalweg.loop.deciding.ground import Stretch
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.ways import Ways
from thalweg.potential import Potential

FORGET_FS = 1000.0
"""Walked before the first look, so that a walker has forgotten where it started."""
APART_FS = 500.0
"""Between two looks at one walker."""
MOST_LOOKS = 4
"""Times as many looks as would do if no walk fell apart, after which it is enough."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What was drawn: the walker, its moment, and the start (from 0) that it walked from."""

    walker: Walker
    snapshot: Snapshot
    start: int


@dataclass
class Drawn:
    """What came of the walks: the moments, walks that ended at something unphysical, and what was walked."""

    moments: list[Moment] = field(default_factory=list)
    broken: int = 0
    stretches: list[Stretch] = field(default_factory=list)


def draw(setup: Setup, state: LoopState, potential: Potential, n: int, seed: int) -> Drawn:
    """`n` moments of fresh walkers.

    A walk that ended is sampled where it was last sane, once, and restarted. One that fell apart is not sampled, where
    the run does not walk on either.

    Raises
    ------
    StoreError
        Every walk fell apart.
    """
    walks = _Walks(setup, state, potential, seed)
    looks = math.ceil(n / len(walks.walkers))
    for look in range(MOST_LOOKS * looks):
        walks.look(look)
        if len(walks.drawn.moments) >= n:
            break
    if not walks.drawn.moments:
        raise StoreError("every fresh walk fell apart; there is nothing of the run's own kind to audit")
    del walks.drawn.moments[n:]
    return walks.drawn


class _Walks:
    """The fresh walkers and where they stand."""

    def __init__(self, setup: Setup, state: LoopState, potential: Potential, seed: int) -> None:
        self.setup, self.ways = setup, Ways(setup, state)
        self.field = CoreField(potential.elements, potential.force_field)
        self.rng = np.random.default_rng(seed)
        self.ways.know_starts()
        self.starts = list(state.starts)
        self.walkers: list[Walker] = [setup.explorer.fresh(w, seed, self.rng) for w in state.walkers]
        self.begun = [walker.structure for walker in self.walkers]
        self.drawn = Drawn()

    def look(self, number: int) -> None:
        """Walk on, draw a moment of each walker, and restart those that cannot go on."""
        moved = number > 0 and self._move_on()
        time_fs = FORGET_FS if moved or number == 0 else APART_FS
        explorer = self.setup.explorer
        steps = max(1, round(time_fs / explorer.step_fs))
        before = [walker.structure for walker in self.walkers]
        results = explorer.advance(self.field, self.walkers, steps, Limits(), sample_every=0)
        for k, result in enumerate(results):
            parted = self.ways.parted(k, self.starts[k], before[k], result)
            self.walkers[k] = result.state
            self.drawn.broken += result.event.is_insane
            walked = result.n_steps * explorer.step_fs
            stretch = Stretch(self.starts[k], result.state.temperature, walked)
            self.drawn.stretches.append(self.ways.with_parting(stretch, parted))
            if parted is None or not self.setup.sends_back:
                self.drawn.moments.append(Moment(result.state, result.last, self.starts[k]))
            if result.event.is_insane or (parted is not None and self.setup.sends_back):
                self.walkers[k] = explorer.restart(result.state, self.begun[k], self.rng)

    def _move_on(self) -> bool:
        """Each walker goes on from the next start, where there are several; whether it does."""
        n = self.ways.itinerary.n_starts
        if n == 1:
            return False
        for k, start in enumerate(self.starts):
            self.starts[k] = (start + 1) % n
            self.begun[k] = self.setup.start(k, self.starts[k])
            self.walkers[k] = self.setup.explorer.restart(
                self.walkers[k], self.begun[k], self.rng, stuck=True
            )
        return True

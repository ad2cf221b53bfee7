"""Which start each walker walks from in the present block, and what it is held against meanwhile."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from thalweg.explorers.origin import Origin
from thalweg.explorers.visit import Visit
from thalweg.loop.deciding.ground import Stretch
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.walking.exploration import Walk
from thalweg.loop.walking.itinerary import Itinerary
from thalweg.loop.walking.watch import Parted, Watch
from thalweg.structure import Structure


class Ways:
    """The walkers' ways over the starts. All that changes is in the state."""

    def __init__(self, setup: Setup, state: LoopState) -> None:
        self.setup, self.state = setup, state
        n = len(setup.structures) if setup.moves_on else 1
        self.itinerary = Itinerary.of(n, len(setup.temperatures), setup.rules.time_fs)
        self._origins: dict[tuple[int, int], Origin] = {}

    def begin_block(self) -> tuple[int, ...]:
        """Walkers whose leg is over begin the next one at another start; returns their numbers.

        Those that are held wait for the answer about where they stand.
        """
        state, walked = self.state, self.state.policy.walked_fs
        self.know_starts()
        moved = []
        for k in range(len(state.walkers)):
            leg = self.itinerary.leg(walked[k])
            if k in state.policy.held or leg <= state.legs[k]:
                continue
            state.legs[k] = leg
            start = self.itinerary.start(k, leg)
            if start != state.starts[k]:
                self._move(k, start)
                moved.append(k)
        return tuple(moved)

    def _move(self, walker: int, start: int) -> None:
        """The walker goes on where it had been on this start before, or begins there; the place that it leaves is kept.

        So nothing is audited that is colder than its temperature for having just begun.
        """
        state = self.state
        trusted = state.homes[walker].structure
        state.left_at[walker, state.starts[walker]] = (trusted.positions, trusted.cell)
        structure = self.setup.start(walker, start)
        if (place := state.left_at.pop((walker, start), None)) is not None:
            structure = dataclasses.replace(structure, positions=place[0], cell=place[1])
        state.starts[walker] = start
        moved = self.setup.explorer.restart(state.walkers[walker], structure, state.rng, stuck=True)
        state.walkers[walker] = state.homes[walker] = moved

    def know_starts(self) -> None:
        """Where walkers begin; their number may have changed since the last time."""
        n, state = len(self.setup.structures), self.state
        for k in range(len(state.starts), len(state.walkers)):
            state.starts.append(k % n)
            state.legs.append(0)
        state.left_at = {key: place for key, place in state.left_at.items() if key[0] < len(state.walkers)}
        del state.starts[len(state.walkers) :], state.legs[len(state.walkers) :]

    def starts(self) -> list[Structure]:
        """The start of each walker, as it is strained for it."""
        return [self.setup.start(k, start) for k, start in enumerate(self.state.starts)]

    def watch(self) -> Watch | None:
        """What each walker is held against; None for an explorer of the user's, which walks where it likes."""
        if not self.setup.moves_on:
            return None
        origins = {k: self._origin(k, start) for k, start in enumerate(self.state.starts)}
        return Watch(origins, stops=self.setup.sends_back)

    def _origin(self, walker: int, start: int) -> Origin:
        if (walker, start) not in self._origins:
            structure = self.setup.start(walker, start)
            self._origins[walker, start] = Origin.of(structure, holds_shape=self.setup.may_flow)
        return self._origins[walker, start]

    def stretches(self, walk: Walk, advanced_fs: Sequence[float]) -> tuple[Stretch, ...]:
        """What the walkers of a block have walked, each from its start and at its temperature."""
        state = self.state
        walkers = [judgement.walker for judgement in walk.judgements]
        return tuple(
            self.with_parting(
                Stretch(state.starts[k], state.walkers[k].temperature, advanced_fs[k]), walk.parted.get(k)
            )
            for k in walkers
        )

    def parted(self, walker: int, start: int, before: Structure, visit: Visit[Any]) -> Parted | None:
        """Where a walker from this start ceased to be like it; see `Watch`."""
        if not self.setup.moves_on:
            return None
        watch = Watch({walker: self._origin(walker, start)}, stops=self.setup.sends_back)
        return watch.parted(walker, before, visit)

    @staticmethod
    def with_parting(stretch: Stretch, parted: Parted | None) -> Stretch:
        """The stretch, with how its walker parted."""
        if parted is None:
            return stretch
        return dataclasses.replace(stretch, **{parted.how.value: 1})

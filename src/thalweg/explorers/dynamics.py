"""Molecular dynamics as an Explorer: the one that a configuration's `explore` section describes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.errors import InputError
from thalweg.explorers.base import NativeField, Snapshot
from thalweg.explorers.block import BlockResult
from thalweg.explorers.limits import Limits
from thalweg.explorers.md import MdSettings, advance
from thalweg.explorers.walker import WalkerState, initial_velocities
from thalweg.structure import Structure


@dataclass(frozen=True)
class MolecularDynamics:
    """Walkers inside the core; `n_threads` share them out."""

    settings: MdSettings = field(default_factory=MdSettings)
    n_threads: int = 1

    @property
    def step_fs(self) -> float:
        """The time step."""
        return self.settings.timestep_fs

    @property
    def sample_every(self) -> int:
        """`record_stride` of the settings."""
        return self.settings.record_stride

    def start(
        self, structures: Sequence[Structure], temperatures: Sequence[float], seed: int
    ) -> list[WalkerState]:
        """At step 0 with thermal velocities, each from `seed` and its number."""
        return [
            WalkerState.start(structure, temperature=temperature, seed=seed, walker_id=k)
            for k, (structure, temperature) in enumerate(zip(structures, temperatures, strict=True))
        ]

    def advance(
        self,
        field: NativeField,
        states: Sequence[WalkerState],
        n_steps: int,
        limits: Limits | Sequence[Limits],
        *,
        sample_every: int | None = None,
    ) -> list[BlockResult]:
        """See `thalweg.explorers.advance` for what it raises."""
        settings = self.settings
        if sample_every is not None:
            settings = dataclasses.replace(settings, record_stride=sample_every)
        if sample_every == 0:
            settings = dataclasses.replace(settings, history_stride=0)
        return advance(field, states, n_steps, settings, limits, n_threads=self.n_threads)

    def step_back(self, state: WalkerState, moment: Snapshot) -> WalkerState:
        """The step counter goes on, so that other random numbers lie ahead."""
        return dataclasses.replace(
            state,
            structure=moment.structure,
            velocities=moment.velocities,
            time_fs=moment.time_fs,
            step=state.step + 1,
            list_positions=None,
        )

    def restart(
        self, state: WalkerState, structure: Structure, rng: np.random.Generator, *, stuck: bool = False
    ) -> WalkerState:
        """With velocities drawn again. One that was stuck measures energy spikes anew.

        Its first energy may stem from a model that knew little. `structure` may have other atoms.
        """
        masses = structure.amu
        velocities = initial_velocities(structure, state.temperature, rng, masses=masses)
        return dataclasses.replace(
            state,
            structure=structure,
            velocities=velocities,
            masses=masses,
            step=state.step + 1,
            list_positions=None,
            list_cell=None,
            reference_energy=None if stuck else state.reference_energy,
        )

    def fresh(self, state: WalkerState, seed: int, rng: np.random.Generator) -> WalkerState:
        """At the same place, with new velocities and another seed."""
        return self.restart(dataclasses.replace(state, seed=seed), state.structure, rng)

    def redirect(self, state: WalkerState, wanted: WalkerState, rng: np.random.Generator) -> WalkerState:
        """With velocities for another temperature; `wanted` itself where the cell is another and cannot follow."""
        same_cell = np.array_equal(state.structure.cell, wanted.structure.cell)
        if self.settings.ensemble != "npt" and not same_cell:
            return wanted
        if state.temperature == wanted.temperature:
            return state
        warmer = dataclasses.replace(state, temperature=wanted.temperature)
        return self.restart(warmer, state.structure, rng)

    def state_from_dict(self, data: dict[str, Any]) -> WalkerState:
        """See `WalkerState.from_dict`."""
        if "explorer" in data:
            raise InputError(
                f"expected walkers of molecular dynamics, got those of the explorer {data['explorer']!r:.50}; go on "
                "with that explorer: learn(..., explorer=...)"
            )
        return WalkerState.from_dict(data)

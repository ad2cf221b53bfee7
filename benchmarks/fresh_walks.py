"""Fresh trajectories on a learned potential, with nothing to hold them back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from proton_watch import Watch

from thalweg.explorers import CoreField, Limits, MdSettings, WalkerState, WalkEvent, advance
from thalweg.explorers.block import BlockResult
from thalweg.label import Label
from thalweg.oracles import Oracle
from thalweg.potential import Potential
from thalweg.structure import FloatArray, Structure
from thalweg.units import kB

ENERGY_MARGIN = 5.0
"""Highest sane potential energy above the minimum, in units of its harmonic mean (3N - 6) kT / 2.

Thermal fluctuations of 9 atoms reach three times the mean once in a million independent moments.
"""


@dataclass(frozen=True)
class WalkPlan:
    """Walkers at `temperature` (K) for `time_ps` each; a frame every `frame_fs`."""

    temperature: float
    time_ps: float
    n_walkers: int
    seed: int
    timestep_fs: float
    frame_fs: float = 10.0


@dataclass(frozen=True, eq=False)
class Walks:
    """What came of a plan.

    `positions` holds (n_frames, n_atoms, 3) of each walker; energies are in eV, limits above the start's.
    """

    plan: WalkPlan
    start: Structure
    results: tuple[BlockResult, ...]
    start_energy: float
    energy_limit: float

    @property
    def temperature(self) -> float:
        return self.plan.temperature

    @property
    def asked_ps(self) -> float:
        return self.plan.time_ps * self.plan.n_walkers

    @property
    def time_ps(self) -> float:
        """Summed over the walkers."""
        return sum(result.n_steps for result in self.results) * self.plan.timestep_fs / 1000.0

    @property
    def complete(self) -> bool:
        """Whether every walker came to its end: positions and energies stayed finite."""
        return all(result.event is WalkEvent.BLOCK_END for result in self.results)

    @property
    def positions(self) -> list[FloatArray]:
        return [result.samples.positions for result in self.results]

    @property
    def mean_temperature(self) -> float:
        """Over all steps, K."""
        return float(np.mean([result.mean_temperature for result in self.results]))

    @property
    def highest_energy(self) -> float:
        """Above the start structure's, eV, over the frames."""
        highest = max(float(result.samples.potential_energy.max()) for result in self.results)
        return highest - self.start_energy

    def random_frames(self, n: int, rng: np.random.Generator) -> list[Structure]:
        """Without replacement, over all walkers."""
        frames = np.concatenate(self.positions)
        chosen = rng.choice(len(frames), size=n, replace=False)
        return [self.start.with_positions(frames[k]) for k in chosen]

    def describe(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "temperature": self.temperature,
            "seed": self.plan.seed,
            "time_ps": self.time_ps,
            "mean_temperature": [result.mean_temperature for result in self.results],
            "events": [result.event.value for result in self.results],
            "highest_energy": self.highest_energy,
        }


def walk(potential: Potential, start: Structure, plan: WalkPlan) -> Walks:
    """Walk without limits; the only thing that stops a walker is a number that is not finite."""
    n_elements = len(potential.elements)
    limits = Limits(temperature_max=math.inf, min_distance=np.zeros((n_elements, n_elements)))
    stride = max(1, round(plan.frame_fs / plan.timestep_fs))
    settings = MdSettings(timestep_fs=plan.timestep_fs, record_stride=stride, history_stride=0)
    states = [
        WalkerState.start(start, temperature=plan.temperature, seed=plan.seed, walker_id=k)
        for k in range(plan.n_walkers)
    ]
    n_steps = round(1000.0 * plan.time_ps / plan.timestep_fs)
    field = CoreField(potential.elements, potential.force_field)
    results = advance(field, states, n_steps, settings, limits, n_threads=2)
    harmonic = (3 * len(start) - 6) / 2 * kB * plan.temperature
    return Walks(plan, start, tuple(results), potential.predict(start).energy, ENERGY_MARGIN * harmonic)


def broken_against_oracle(walks: Walks, watch: Watch, oracle: Oracle, *, at_most: int = 50) -> int:
    """Frames with a broken bond whose energy the oracle finds out of thermal reach.

    Of many such frames `at_most`, evenly spread, are put to the oracle. One that it cannot label counts.
    """
    frames = np.concatenate(walks.positions)
    broken = sorted(watch.broken(frames))
    if not broken:
        return 0
    chosen = [broken[k] for k in np.unique(np.linspace(0, len(broken) - 1, at_most).astype(int))]
    reference = oracle.label(walks.start)
    lowest = reference.energy if isinstance(reference, Label) else math.nan
    count = 0
    for k in chosen:
        outcome = oracle.label(walks.start.with_positions(frames[k]))
        reachable = isinstance(outcome, Label) and outcome.energy - lowest <= walks.energy_limit
        count += not reachable
    return count

"""Molecular dynamics on a finished potential that stops where the potential should not be trusted."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

from thalweg.border import check_filled, check_input, check_temperature, check_timestep
from thalweg.config import automatic_timestep
from thalweg.errors import InputWarning, check
from thalweg.explorers import (
    CoreField,
    Finding,
    Limits,
    MdSettings,
    Snapshot,
    WalkerState,
    WalkEvent,
    advance,
)
from thalweg.explorers.block import BlockResult
from thalweg.explorers.limits import NOVELTY_BREAK
from thalweg.machine import available_cores
from thalweg.potential import Potential
from thalweg.structure import Structure
from thalweg.vocabulary import Coupling, Ensemble

_BLOCK_STEPS = 2000
"""Steps between two looks at the keyboard: Ctrl-C is heard there."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One walker's way.

    Attributes
    ----------
    snapshots : tuple of Snapshot
        The start, then one every `every_fs`; each with its error bounds and novelty.
    verdict : Verdict
        Why it ended; `Event.BLOCK_END` where the time was up.
    stopped_at : Snapshot or None
        The moment that was refused; None where the time was up or numbers were not finite.
    state : WalkerState
        Where it ended, the last moment within the limits.
    """

    snapshots: tuple[Snapshot, ...]
    verdict: Finding
    stopped_at: Snapshot | None
    state: WalkerState

    @property
    def finished(self) -> bool:
        """Whether it went all the way."""
        return self.verdict.event is WalkEvent.BLOCK_END

    @property
    def reason(self) -> str:
        """Why it ended, in words."""
        return "the time was up" if self.finished else self.verdict.describe(self.state.structure)


@dataclass(frozen=True)
class Dynamics:
    """How walkers move, and what is recorded.

    Attributes
    ----------
    ensemble : 'nvt' (Langevin), 'nve' or 'npt'; the cell is fixed in the first two
    pressure_gpa : float, GPa
        Pressure for 'npt'.
    coupling : 'isotropic', 'axes' or 'full'
        How 'npt' may change the cell: its volume, its lengths along x, y and z, or all six strains.
    timestep_fs : float or None, fs
        None: from the lightest atom, 0.5 with hydrogen, else 1 or 2.
    friction_per_fs : float, 1/fs
        Friction of the thermostat.
    every_fs : float, fs
        Time between snapshots.
    novelty_max : float or None
        Limit in units of the training set's reach; a finite one needs a potential with a novelty model. None: 5,
        as in a run, if the potential has such a model.
    seed : int
        Same seed, same trajectories.
    """

    ensemble: Ensemble = "nvt"
    pressure_gpa: float = 0.0
    coupling: Coupling = "isotropic"
    timestep_fs: float | None = None
    friction_per_fs: float = 0.01
    every_fs: float = 10.0
    novelty_max: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        check(self.every_fs > 0, f"dynamics: every_fs must be above 0 fs, got {self.every_fs}")


_USUAL = Dynamics()


def explore(
    potential: Potential,
    structure: Structure,
    *,
    temperature: float,
    time_ps: float,
    walkers: int = 1,
    bound_max: float = 0.5,
    dynamics: Dynamics = _USUAL,
) -> list[Trajectory]:
    """Run dynamics on the potential; each walker stops before the first step whose force error bound is too large.

    Parameters
    ----------
    temperature : K, for the start velocities and the thermostat
    time_ps : ps, for each walker
    walkers : number of walkers, each with its own random numbers
    bound_max : eV/Å; the largest accepted error bound of any atom; infinity: never stop for it
    dynamics : ensemble, time step, friction, what is recorded, seed

    Returns
    -------
    list of Trajectory
        One per walker. Atoms that are too close, a temperature beyond any fluctuation, and non-finite values
        also end a trajectory.

    Raises
    ------
    InputError
        An element that the potential does not know, an argument out of range, time steps too long for the lightest
        atom, or constant pressure on a cell with vacuum. What is merely odd is a Python warning (`InputWarning`).
    ModelError
        A limit on novelty, but a potential without a novelty model.
    """
    check(
        time_ps > 0 and walkers >= 1,
        f"explore: expected time_ps above 0 and walkers of 1 or more, got {time_ps} and {walkers}",
    )
    step = _checked_step(structure, temperature, dynamics)
    settings = MdSettings(
        timestep_fs=step,
        friction_per_fs=dynamics.friction_per_fs,
        ensemble=dynamics.ensemble,
        pressure_gpa=dynamics.pressure_gpa,
        coupling=dynamics.coupling,
        record_stride=max(1, round(dynamics.every_fs / step)),
        history_stride=0,
        history_length=0,
    )
    limits = Limits(
        bound_break=bound_max,
        novelty_break=_novelty_limit(potential) if dynamics.novelty_max is None else dynamics.novelty_max,
        species_factor=potential.bounds.factors.tolist(),
        species_floor=potential.bounds.floors.tolist(),
    )
    starts = [
        WalkerState.start(structure, temperature=temperature, seed=dynamics.seed, walker_id=k)
        for k in range(walkers)
    ]
    return _walk(potential, starts, max(1, round(1000.0 * time_ps / step)), settings, limits)


def _checked_step(structure: Structure, temperature: float, dynamics: Dynamics) -> float:
    """The time step, fs, where structure and settings go together; what is odd about them is a Python warning."""
    check_input(structure, "explore")
    step = automatic_timestep([structure]) if dynamics.timestep_fs is None else dynamics.timestep_fs
    if dynamics.ensemble == "npt" and structure.pbc.all():
        check_filled(structure, "explore: ensemble npt")
    for found in (
        check_temperature([temperature], "explore: temperature"),
        check_timestep([structure], step, "explore: timestep_fs"),
    ):
        if found is not None:
            warnings.warn(found, InputWarning, stacklevel=3)
    return step


def _novelty_limit(potential: Potential) -> float:
    return math.inf if potential.novelty is None else NOVELTY_BREAK


def _walk(
    potential: Potential, states: list[WalkerState], n_steps: int, settings: MdSettings, limits: Limits
) -> list[Trajectory]:
    """Advance all walkers block by block until each has its event or has done its steps."""
    field = CoreField(potential.elements, potential.force_field)
    states = list(states)
    results: list[BlockResult | None] = [None] * len(states)
    snapshots: list[list[Snapshot]] = [[] for _ in states]
    going, done = list(range(len(states))), 0
    while going and done < n_steps:
        block = min(_BLOCK_STEPS, n_steps - done)
        n_threads = min(len(going), available_cores())
        found = advance(field, [states[k] for k in going], block, settings, limits, n_threads=n_threads)
        for k, result in zip(going, found, strict=True):
            states[k], results[k] = result.state, result
            snapshots[k] += result.samples
        going = [k for k, result in zip(going, found, strict=True) if result.event is WalkEvent.BLOCK_END]
        done += block
    return [
        Trajectory(tuple(own), result.verdict, result.event_snapshot, result.state)
        for own, result in zip(snapshots, results, strict=True)
        if result is not None
    ]

"""MD steps per second: walkers inside the core beside ASE's own Langevin loop on the same potential.

Steps of all walkers together; the best and the median of `--repeats` blocks, after one to warm up. `ASE` is
`ase.md.langevin.Langevin(fixcm=False)` with ThalwegCalculator, which always computes the committee, the
novelty and the energy's uncertainty. With two threads, walkers are shared out over them.

    python benchmarks/explorer.py [--seconds 1.0] [--repeats 3]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ase.units
import numpy as np
from ase.md.langevin import Langevin
from common import parser, show, write
from systems import malonaldehyde, malonaldehyde_potential, silicon, silicon_potential

from thalweg import _native
from thalweg.calculator import ThalwegCalculator
from thalweg.explorers import CoreField, Limits, MdSettings, WalkerState, advance, initial_velocities
from thalweg.features.zbl import ZblBaseline
from thalweg.potential import Potential
from thalweg.structure import Structure


@dataclass(frozen=True)
class Task:
    """What is walked: timestep in fs, temperature in K."""

    name: str
    structure: Structure
    potential: Potential
    timestep_fs: float
    temperature: float


def malonaldehyde_task() -> Task:
    """A 9-atom molecule."""
    return Task("C3H4O2", malonaldehyde(), malonaldehyde_potential(), 0.5, 300.0)


def silicon_task() -> Task:
    """A 64-atom crystal."""
    return Task("Si64", silicon(64, rattle=0.02), silicon_potential(), 2.0, 300.0)


def plain_field(potential: Potential) -> CoreField:
    """The mean model alone, without committee and novelty."""
    cutoffs = potential.zbl
    zbl = None if cutoffs is None else ZblBaseline(potential.elements, cutoffs).native
    none = np.zeros((0, *potential.weights.shape))
    field = _native.LinearForceField(
        potential.features.native, potential.weights, none, potential.reference_energies, None, zbl
    )
    return CoreField(potential.elements, field)


def core_stepper(task: Task, field: CoreField, n_walkers: int, n_threads: int) -> Callable[[int], None]:
    """A function that takes n steps with every walker."""
    states = [
        WalkerState.start(task.structure, temperature=task.temperature, seed=1, walker_id=k)
        for k in range(n_walkers)
    ]
    settings = MdSettings(timestep_fs=task.timestep_fs)

    def step(n_steps: int) -> None:
        results = advance(field, states, n_steps, settings, Limits(), n_threads=n_threads)
        states[:] = [result.state for result in results]
        done = min(result.n_steps for result in results)
        if done < n_steps:
            raise RuntimeError(f"{task.name}: a walker stopped after {done} of {n_steps} steps")

    return step


def ase_stepper(task: Task, *, plain: bool = False) -> Callable[[int], None]:
    """The same with ASE's loop; `plain` without uncertainty."""
    atoms = task.structure.to_atoms()
    atoms.calc = ThalwegCalculator(task.potential, uncertainty=not plain)
    atoms.set_velocities(initial_velocities(task.structure, task.temperature, np.random.default_rng(1)))
    dynamics = Langevin(
        atoms,
        task.timestep_fs * ase.units.fs,
        temperature_K=task.temperature,
        friction=0.01 / ase.units.fs,
        fixcm=False,
        rng=np.random.default_rng(2),
    )

    def step(n_steps: int) -> None:
        dynamics.run(n_steps)

    return step


def steps_per_second(
    step: Callable[[int], None], n_walkers: int, seconds: float, repeats: int
) -> tuple[float, float]:
    """The best and the median over blocks of about `seconds`."""
    start = time.perf_counter()
    step(20)
    n_steps = max(20, int(20 * seconds / (time.perf_counter() - start)))
    step(n_steps // 4)
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        step(n_steps)
        rates.append(n_walkers * n_steps / (time.perf_counter() - start))
    return max(rates), statistics.median(rates)


def measure(task: Task, walkers: list[tuple[int, int]], seconds: float, repeats: int) -> list[dict[str, Any]]:
    """Rows for the core's walkers with and without uncertainty, and for ASE."""
    full = CoreField(task.potential.elements, task.potential.force_field)
    arms = [("core", plain_field(task.potential), "no"), ("core", full, "committee of 8, novelty")]
    rows = []

    def row(loop: str, step: Callable[[int], None], n_walkers: int, n_threads: int, extras: str) -> None:
        best, median = steps_per_second(step, n_walkers, seconds, repeats)
        rows.append(
            {
                "system": task.name,
                "loop": loop,
                "walkers": n_walkers,
                "threads": n_threads,
                "uncertainty": extras,
                "steps/s": best,
                "median": median,
                "µs/atom": 1e6 / best / len(task.structure),
                "ns/day": best * task.timestep_fs * 86400 / 1e6,
            }
        )

    for n_walkers, n_threads in walkers:
        for loop, field, extras in arms:
            row(loop, core_stepper(task, field, n_walkers, n_threads), n_walkers, n_threads, extras)
    row("ASE", ase_stepper(task), 1, 1, "committee of 8, novelty")
    return rows


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--seconds", type=float, default=1.0)
    made.add_argument("--repeats", type=int, default=3)
    options = made.parse_args()
    molecule, crystal = malonaldehyde_task(), silicon_task()
    rows = [
        *measure(molecule, [(1, 1), (4, 1), (4, 2)], options.seconds, options.repeats),
        *measure(crystal, [(1, 1), (4, 2)], options.seconds, options.repeats),
    ]
    show("Explorer: MD steps per second, all walkers together", rows)
    write("explorer", {"rows": rows}, options.output)


if __name__ == "__main__":
    main()

"""Independent test structures: molecular dynamics on the oracle itself, kept in benchmarks/results/.

Langevin dynamics with the centre of mass free (fixcm=False: ASE's default heats a small molecule by a third).
Every call of the oracle starts from a fresh guess, so the same numbers come out wherever it is run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import ase.units
import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.md.langevin import Langevin
from common import RESULTS

from thalweg.explorers import initial_velocities
from thalweg.label import Label
from thalweg.oracles import make_oracle
from thalweg.structure import FloatArray, Structure

TEMPERATURE_TOLERANCE = 0.05
"""Largest relative deviation of the mean kinetic temperature: some three standard errors of 10 ps."""


@dataclass(frozen=True)
class MdPlan:
    """`n_frames` structures every `spacing` steps after `warm_up` steps of `timestep_fs`."""

    temperature: float
    seed: int
    n_frames: int = 200
    spacing: int = 100
    warm_up: int = 4000
    timestep_fs: float = 0.5
    friction_per_fs: float = 0.01

    @property
    def name(self) -> str:
        """What the cached file is called after."""
        return f"{self.temperature:g}K-seed{self.seed}-{self.n_frames}x{self.spacing}-warm{self.warm_up}"


@dataclass(frozen=True, eq=False)
class OracleFrames:
    """Labelled structures of one oracle trajectory, and its mean kinetic temperature (K)."""

    labelled: tuple[tuple[Structure, Label], ...]
    mean_temperature: float


class OracleCalculator(Calculator):  # type: ignore[misc]  # ASE ships no types
    """An oracle as an ASE calculator; a failed call raises."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.oracle = make_oracle(spec)

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        outcome = self.oracle.label(Structure.from_atoms(self.atoms))
        if not isinstance(outcome, Label):
            raise RuntimeError(f"the oracle failed: {outcome.message}")
        self.results = {"energy": outcome.energy, "forces": np.array(outcome.forces)}


def oracle_frames(
    start: Structure, spec: Mapping[str, Any], plans: Sequence[MdPlan], system: str
) -> list[OracleFrames]:
    """Frames of each plan, from the cache where they are; missing ones are made side by side."""
    paths = [RESULTS / f"oracle-md-{system}-{plan.name}.npz" for plan in plans]
    missing = [(plan, path) for plan, path in zip(plans, paths, strict=True) if not path.exists()]
    if missing:
        RESULTS.mkdir(parents=True, exist_ok=True)
        kelvin = ", ".join(f"{plan.temperature:g} K" for plan, _ in missing)
        print(f"oracle MD of {system} at {kelvin}: once, then cached", file=sys.stderr)
        with ProcessPoolExecutor(max_workers=2) as pool:
            jobs = [pool.submit(generate, start, dict(spec), plan, path) for plan, path in missing]
            for job in jobs:
                job.result()
    return [_read(path, start) for path in paths]


def generate(start: Structure, spec: Mapping[str, Any], plan: MdPlan, path: Path) -> None:
    """Run one plan and write it."""
    began = time.perf_counter()
    atoms = start.to_atoms()
    atoms.calc = OracleCalculator(spec)
    rng = np.random.default_rng(plan.seed)
    atoms.set_velocities(initial_velocities(start, plan.temperature, rng))
    dynamics = Langevin(
        atoms,
        plan.timestep_fs * ase.units.fs,
        temperature_K=plan.temperature,
        friction=plan.friction_per_fs / ase.units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(plan.warm_up)
    kept: dict[str, list[Any]] = {"positions": [], "energy": [], "forces": []}
    temperatures: list[float] = []
    dynamics.attach(
        lambda: temperatures.append(2 * atoms.get_kinetic_energy() / (3 * len(atoms) * ase.units.kB))
    )
    for _ in range(plan.n_frames):
        dynamics.run(plan.spacing)
        kept["positions"].append(atoms.get_positions())
        kept["energy"].append(atoms.get_potential_energy())
        kept["forces"].append(atoms.get_forces())
    _check_temperature(float(np.mean(temperatures)), plan)
    np.savez(
        path,
        positions=np.array(kept["positions"]),
        energy=np.array(kept["energy"]),
        forces=np.array(kept["forces"]),
        temperature=np.array(np.mean(temperatures)),
        seconds=np.array(time.perf_counter() - began),
    )


def _check_temperature(mean: float, plan: MdPlan) -> None:
    # The mean's standard error is sqrt(2 / 3N) over the square root of the number of independent moments.
    if plan.n_frames * plan.spacing >= 10_000 and abs(mean / plan.temperature - 1) > TEMPERATURE_TOLERANCE:
        raise RuntimeError(
            f"oracle MD: the mean temperature is {mean:.1f} K, the thermostat's {plan.temperature:g} K"
        )


def _read(path: Path, start: Structure) -> OracleFrames:
    with np.load(path, allow_pickle=False) as data:
        positions, energies, forces = data["positions"], data["energy"], data["forces"]
        temperature = float(data["temperature"])
    labelled = tuple(
        (start.with_positions(r), _label(e, f)) for r, e, f in zip(positions, energies, forces, strict=True)
    )
    return OracleFrames(labelled, temperature)


def _label(energy: float, forces: FloatArray) -> Label:
    return Label(float(energy), forces)

"""Dynamics against theory and against ASE's own integrators, on one crystal and one potential."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase import units as ase_units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.velocitydistribution import Stationary
from scipy.optimize import brentq

from thalweg import _native
from thalweg.explorers import CoreField, Limits, MdSettings, WalkerState, advance
from thalweg.features.batch import pack
from thalweg.structure import Structure
from thalweg.units import GPa, fs, kB

pytestmark = pytest.mark.physics
FIELD = CoreField(
    ("C",),
    _native.MorseForceField(*[np.full((1, 1), x) for x in (0.5, 2.0, 2.5)], r_on=3.0, r_cut=4.5),
)
FREE = Limits(temperature_max=np.inf, min_distance=np.zeros((1, 1)))
TEMPERATURE, PRESSURE, N_WALKERS = 300.0, 5.0, 16
NVT = MdSettings(timestep_fs=1.0, friction_per_fs=0.01, record_stride=0, history_stride=0, log_stride=5)


class MorseCalculator(Calculator):
    """The same energy, forces and stress for ASE."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        packed = pack([Structure.from_atoms(self.atoms)], FIELD.elements)
        energies, forces, virials = FIELD.native.compute(*packed.arrays)
        stress = (virials[0] / self.atoms.get_volume())[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        self.results = {"energy": float(energies[0]), "forces": forces, "stress": stress}


def crystal(volume_per_cell: float) -> Atoms:
    """32 atoms, face-centred cubic."""
    return bulk("C", "fcc", a=volume_per_cell ** (1 / 3), cubic=True).repeat(2)


def logs(volume: float, settings: MdSettings, n_steps: int, n: int = N_WALKERS):
    structure = Structure.from_atoms(crystal(volume / 8))
    states = [WalkerState.start(structure, temperature=TEMPERATURE, seed=1, walker_id=k) for k in range(n)]
    warm = [one.state for one in advance(FIELD, states, 2000, settings, FREE, n_threads=2)]
    return [one.log for one in advance(FIELD, warm, n_steps, settings, FREE, n_threads=2)]


def configurational_pressure(log) -> float:
    """GPa, with the mean of the kinetic part in place of its fluctuations."""
    virial = np.trace(log.stress, axis1=1, axis2=2) * log.volume + 3 * 32 * kB * log.temperature
    return float(((32 * kB * TEMPERATURE - virial / 3) / log.volume).mean() / GPa)


@pytest.fixture(scope="module")
def equation_of_state() -> tuple[float, float]:
    """Volume (Å³) at PRESSURE and isothermal bulk modulus (GPa), from pressures at constant volume."""
    volumes = 326.0 * np.array([0.97, 0.985, 1.0, 1.015, 1.03])
    pressures = [np.mean([configurational_pressure(log) for log in logs(v, NVT, 10000)]) for v in volumes]
    cubic = np.polyfit(volumes, pressures, 3)
    at = brentq(lambda v: np.polyval(cubic, v) - PRESSURE, volumes[0], volumes[-1])
    return float(at), float(-at * np.polyval(np.polyder(cubic), at))


def spread(values) -> float:
    """Standard error of the mean over walkers."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize("coupling", ["isotropic", "axes", "full"])
def test_constant_pressure_samples_its_ensemble(coupling, equation_of_state) -> None:
    """Volume and its fluctuations against the equation of state; <V (P - P0)> = -kT along each strain, which
    is the integral of a total derivative and holds for any potential.
    """
    volume, modulus = equation_of_state
    settings = replace(
        NVT,
        ensemble="npt",
        coupling=coupling,
        pressure_gpa=PRESSURE,
        bulk_modulus_gpa=modulus,
        barostat_fs=100.0,
    )
    found = logs(volume, settings, 40000)
    means = np.array([log.volume.mean() for log in found])
    variances = np.array([log.volume.var() for log in found])
    # 32 atoms are few: strains that fluctuate move the mean by terms of the order kT / modulus, some 0.2 Å³.
    assert abs(means.mean() - volume) < 4 * spread(means) + 0.001 * volume
    expected = kB * TEMPERATURE * volume / (modulus * GPa)
    assert variances.mean() == pytest.approx(expected, rel=0.08)
    temperatures = [log.temperature.mean() for log in found]
    assert np.mean(temperatures) == pytest.approx(TEMPERATURE, rel=0.01)
    kT, N = kB * TEMPERATURE, 32
    excess = []
    for log in found:
        kinetic = N * kB * log.temperature[:, None, None] * np.eye(3)
        virial = (
            log.stress * log.volume[:, None, None] + kinetic
        )  # but for the kinetic part's direction: mean only
        work = N * kT * np.eye(3) - virial - PRESSURE * GPa * log.volume[:, None, None] * np.eye(3)
        excess.append(np.trace(work.mean(axis=0)) / 3 / kT)
    assert abs(np.mean(excess) + 1.0) < 4 * spread(excess)
    assert abs(means.mean() - 1.01 * volume) > 20 * spread(means)  # the control


def test_langevin_agrees_with_ases(equation_of_state) -> None:
    volume, _ = equation_of_state
    ours = [log.potential_energy.mean() for log in logs(volume, NVT, 20000)]
    atoms = crystal(volume / 8)
    atoms.calc = MorseCalculator()
    rng = np.random.default_rng(5)
    atoms.set_velocities(np.sqrt(kB * TEMPERATURE / 12.011) * rng.standard_normal((32, 3)))
    dynamics = Langevin(
        atoms, 1.0 * ase_units.fs, temperature_K=TEMPERATURE, friction=0.01 / fs, fixcm=False, rng=rng
    )
    dynamics.run(2000)
    theirs, temperatures = [], []
    for _ in range(1000):
        dynamics.run(20)
        theirs.append(atoms.get_potential_energy())
        temperatures.append(atoms.get_kinetic_energy() / (1.5 * 32 * kB))
    blocks = np.mean(np.reshape(theirs, (20, -1)), axis=1)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * np.hypot(spread(ours), spread(blocks))
    assert np.mean(temperatures) == pytest.approx(TEMPERATURE, rel=0.03)
    equipartition = 1.5 * 31 * kB * TEMPERATURE
    static = crystal(volume / 8)
    static.calc = MorseCalculator()
    assert np.mean(ours) - static.get_potential_energy() == pytest.approx(equipartition, rel=0.1)


def test_constant_pressure_agrees_with_ases_nose_hoover_chains(equation_of_state) -> None:
    """Another barostat altogether (Martyna-Tobias-Klein), the same mean and fluctuations of the volume."""
    volume, modulus = equation_of_state
    atoms = crystal(volume / 8)
    atoms.calc = MorseCalculator()
    atoms.set_velocities(
        np.sqrt(kB * TEMPERATURE / 12.011) * np.random.default_rng(5).standard_normal((32, 3))
    )
    Stationary(atoms)  # the chains keep the whole's momentum, and it would count as pressure
    dynamics = IsotropicMTKNPT(
        atoms, 1.0 * ase_units.fs, temperature_K=TEMPERATURE, pressure_au=PRESSURE * GPa,
        tdamp=50 * ase_units.fs, pdamp=200 * ase_units.fs,
    )  # fmt: skip
    dynamics.run(3000)
    theirs = []
    for _ in range(6000):
        dynamics.run(5)
        theirs.append(atoms.get_volume())
    settings = replace(
        NVT, ensemble="npt", pressure_gpa=PRESSURE, bulk_modulus_gpa=modulus, barostat_fs=100.0
    )
    ours = [log.volume for log in logs(volume, settings, 20000)]
    means = [one.mean() for one in ours]
    assert abs(np.mean(means) - np.mean(theirs)) < 4 * spread(means) + 0.001 * volume
    # chains on a crystal as stiff as this are not quite ergodic
    assert np.var(theirs) == pytest.approx(np.mean([one.var() for one in ours]), rel=0.45)


def test_energy_is_conserved_to_second_order_over_10_ps(equation_of_state) -> None:
    structure = Structure.from_atoms(crystal(equation_of_state[0] / 8))
    state = WalkerState.start(structure, temperature=600.0, seed=1, walker_id=0)
    deviations, slopes = [], []
    for timestep in (2.0, 1.0):
        settings = replace(NVT, ensemble="nve", timestep_fs=timestep, log_stride=1)
        log = advance(FIELD, [state], round(10000 / timestep), settings, FREE)[0].log
        total = log.potential_energy + 1.5 * 32 * kB * log.temperature
        deviations.append(total.std())
        slopes.append(np.polyfit(log.time_fs / 1000, total, 1)[0])
        assert log.potential_energy.std() > 0.1
    assert 3.3 < deviations[0] / deviations[1] < 4.7
    assert abs(slopes[1]) * 10 < 0.01 * log.potential_energy.std()

"""Molecular dynamics: against ASE, conservation laws, sampling against theory, exact repeatability."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import units as ase_units
from ase.md.verlet import VelocityVerlet
from fields import NO_LIMITS, MorseCalculator, crystal, ethanol, morse, walkers

from thalweg.errors import InputError
from thalweg.explorers import BlockResult, MdSettings, WalkerState, advance
from thalweg.structure import FloatArray, Structure
from thalweg.units import kB

NVE = MdSettings(timestep_fs=0.5, ensemble="nve", record_stride=10)
NVT = MdSettings(timestep_fs=0.5, friction_per_fs=0.01, record_stride=10, history_stride=5, history_length=4)


def energy_drift(timestep_fs: float) -> float:
    """Standard deviation of the total energy over 100 fs of NVE."""
    settings = MdSettings(timestep_fs=timestep_fs, ensemble="nve", record_stride=1, history_stride=0)
    state = WalkerState.start(ethanol(), temperature=300, seed=1, walker_id=0)
    samples = advance(morse(), [state], round(100 / timestep_fs), settings, NO_LIMITS)[0].samples
    total = samples.potential_energy + 1.5 * len(state.structure) * kB * samples.temperature
    return float(total.std())


def test_nve_conserves_energy_to_second_order() -> None:
    coarse, fine, finest = (energy_drift(timestep) for timestep in (0.2, 0.1, 0.05))
    assert finest < 0.01  # eV; the potential energy itself moves by more than 1 eV
    assert 3.5 < coarse / fine < 4.5
    assert 3.5 < fine / finest < 4.5


@pytest.mark.parametrize("structure", [ethanol(), crystal()], ids=["molecule", "crystal"])
def test_nve_follows_ase(structure: Structure) -> None:
    field = morse()
    state = WalkerState.start(structure, temperature=300, seed=3, walker_id=0)
    atoms = structure.to_atoms()
    atoms.set_masses(state.masses)
    atoms.set_velocities(state.velocities)
    atoms.calc = MorseCalculator(field)
    VelocityVerlet(atoms, timestep=0.5 * ase_units.fs).run(100)
    after = advance(field, [state], 100, NVE, NO_LIMITS)[0]
    assert np.abs(after.state.structure.positions - atoms.positions).max() < 1e-9
    assert np.abs(after.state.velocities - atoms.get_velocities()).max() < 1e-9
    assert np.abs(atoms.positions - structure.positions).max() > 0.05
    assert after.last.potential_energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert after.last.temperature == pytest.approx(atoms.get_kinetic_energy() / (1.5 * len(atoms) * kB))
    assert after.state.time_fs == 50.0


def mean_dimer_energy(temperature: float) -> float:
    """Canonical mean energy of a bound Morse C-O dimer by quadrature, weight r² exp(-E / kT)."""
    r = np.linspace(1.0, 2.2, 4001)
    u = np.exp(-2.0 * (r - 1.4))
    energy = 4.0 * (u * u - 2 * u)
    weight = r**2 * np.exp(-(energy - energy.min()) / (kB * temperature))
    return float((energy * weight).sum() / weight.sum())


def test_langevin_samples_the_canonical_ensemble() -> None:
    """BAOAB at a long timestep: configurations are canonical to high order (Leimkuhler & Matthews 2013)."""
    temperature, n = 800.0, 128
    dimer = Structure(
        np.array([6, 8]), np.array([[0, 0, 0], [1.4, 0, 0]]), np.zeros((3, 3)), np.zeros(3, bool)
    )
    settings = MdSettings(timestep_fs=2.0, friction_per_fs=0.02, record_stride=5, history_stride=0)
    states = [WalkerState.start(dimer, temperature=temperature, seed=11, walker_id=k) for k in range(n)]
    warm = advance(morse(), states, 500, settings, NO_LIMITS)
    results = advance(morse(), [one.state for one in warm], 4000, settings, NO_LIMITS)
    energies = np.array([one.samples.potential_energy.mean() for one in results])
    error = energies.std() / np.sqrt(n)
    assert abs(energies.mean() - mean_dimer_energy(temperature)) < 5 * error
    assert abs(energies.mean() - mean_dimer_energy(1.1 * temperature)) > 10 * error  # the control
    temperatures = np.array([one.mean_temperature for one in results])
    # The velocities' own error at this timestep: a (omega dt)² effect below 2 %.
    assert temperatures.mean() == pytest.approx(temperature, rel=0.02)


def test_free_atoms_take_the_thermostats_temperature() -> None:
    """Far apart no force acts, and every mass has kT in each direction."""
    atoms = Structure(
        np.array([1, 8]), np.array([[0, 0, 0], [50.0, 0, 0]]), np.zeros((3, 3)), np.zeros(3, bool)
    )
    settings = MdSettings(timestep_fs=5.0, friction_per_fs=0.05, record_stride=20, history_stride=0)
    states = [WalkerState.start(atoms, temperature=0, seed=5, walker_id=k) for k in range(64)]
    states = [WalkerState.from_dict({**one.to_dict(), "temperature": 500.0}) for one in states]
    results = advance(
        morse(),
        [one.state for one in advance(morse(), states, 200, settings, NO_LIMITS)],
        8000,
        settings,
        NO_LIMITS,
    )
    velocities = np.concatenate([one.samples.velocities for one in results])
    kT = (velocities**2).mean(axis=(0, 2)) * states[0].masses
    assert kT == pytest.approx(kB * 500, rel=0.03)


def positions(results: list[BlockResult]) -> list[FloatArray]:
    return [np.concatenate([one.state.structure.positions, one.state.velocities]) for one in results]


def same(a: list[BlockResult], b: list[BlockResult]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(positions(a), positions(b), strict=True))


def test_trajectories_do_not_depend_on_threads_or_company() -> None:
    field, states = morse(), walkers(7)
    together = advance(field, states, 300, NVT, NO_LIMITS, n_threads=1)
    assert same(together, advance(field, states, 300, NVT, NO_LIMITS, n_threads=2))
    assert same(together, [advance(field, [one], 300, NVT, NO_LIMITS)[0] for one in states])
    assert same(together[::-1], advance(field, states[::-1], 300, NVT, NO_LIMITS, n_threads=3))
    other = [WalkerState.from_dict({**one.to_dict(), "seed": 8}) for one in states]
    assert not any(
        np.array_equal(x, y)
        for x, y in zip(
            positions(together), positions(advance(field, other, 300, NVT, NO_LIMITS)), strict=True
        )
    )


@pytest.mark.parametrize("cuts", [(300,), (150, 150), (1, 7, 292), (299, 1)])
def test_blocks_and_checkpoints_change_nothing(cuts: tuple[int, ...]) -> None:
    """However a run is cut, and whether its states went through JSON in between, the bits are the same."""
    field, states = morse(), walkers(4, temperature=900)
    whole = advance(field, states, 300, NVT, NO_LIMITS)
    for n_steps in cuts:
        results = advance(field, states, n_steps, NVT, NO_LIMITS)
        states = [WalkerState.from_dict(json.loads(json.dumps(one.state.to_dict()))) for one in results]
    assert same(whole, results)
    assert [one.state.step for one in results] == [300] * 4
    lists = [one.state.list_positions for one in whole]
    assert any(
        not np.array_equal(a, b.structure.positions) for a, b in zip(lists, walkers(4, 900), strict=True)
    )


def test_the_skin_changes_nothing_but_rounding() -> None:
    field, states = morse(), walkers(4)
    thin = advance(field, states, 100, MdSettings(skin=0.0), NO_LIMITS)
    thick = advance(field, states, 100, MdSettings(skin=1.0), NO_LIMITS)
    assert max(np.abs(a - b).max() for a, b in zip(positions(thin), positions(thick), strict=True)) < 1e-9


def test_samples_and_history_are_the_trajectory() -> None:
    field, states = morse(), walkers(1)
    result = advance(field, states, 95, NVT, NO_LIMITS)[0]
    assert result.samples.step.tolist() == list(range(10, 100, 10))
    assert result.history.step.tolist() == [80, 85, 90, 95]
    assert result.samples.time_fs == pytest.approx(0.5 * result.samples.step)
    to_fifty = advance(field, states, 50, NVT, NO_LIMITS)[0]
    snapshot = result.samples[4]
    assert snapshot.step == 50
    assert np.array_equal(snapshot.structure.positions, to_fifty.state.structure.positions)
    assert np.array_equal(snapshot.velocities, to_fifty.last.velocities)
    assert snapshot.potential_energy == to_fifty.last.potential_energy
    assert snapshot.bound is not None
    assert to_fifty.last.bound is not None
    assert np.array_equal(snapshot.bound, to_fifty.last.bound)


def test_averages_equal_those_of_the_samples() -> None:
    settings = MdSettings(record_stride=1)
    result = advance(morse(), walkers(1), 60, settings, NO_LIMITS)[0]
    bound = result.samples.bound
    assert bound is not None
    assert result.bound_mean == pytest.approx(bound.mean(axis=0))
    assert result.bound_rms == pytest.approx(np.sqrt((bound**2).mean(axis=0)))
    assert result.mean_temperature == pytest.approx(result.samples.temperature.mean())
    assert result.worst is not None
    assert result.worst.bound_max == bound.max()


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="timestep"):
        MdSettings(timestep_fs=0)
    with pytest.raises(InputError, match="ensemble='nve'"):
        MdSettings(friction_per_fs=0)
    with pytest.raises(InputError, match="one for all or one each"):
        advance(morse(), walkers(3), 1, NVT, [NO_LIMITS] * 2)
    nitrogen = Structure(np.array([7]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    state = WalkerState.start(nitrogen, temperature=1, seed=0, walker_id=0)
    with pytest.raises(InputError, match="contains N"):
        advance(morse(), [state], 1, NVT, NO_LIMITS)
    with pytest.raises(InputError, match="saved walker state"):
        WalkerState.from_dict({"numbers": [1]})

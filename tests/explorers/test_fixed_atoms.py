"""Walkers whose atoms are partly held, and those with masses of their own: against ASE, and in distribution."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from ase import units as ase_units
from ase.md.verlet import VelocityVerlet
from fields import NO_LIMITS, MorseCalculator, crystal, ethanol, morse

from thalweg import _native
from thalweg.errors import InputError
from thalweg.explorers import MdSettings, WalkerState, advance
from thalweg.explorers.seeding import harmonic_ensemble, seed_structures
from thalweg.units import kB

NVE = MdSettings(timestep_fs=0.5, ensemble="nve", record_stride=10)
NVT = MdSettings(timestep_fs=0.5, friction_per_fs=0.02, record_stride=10)


def held():
    """Ethanol: two atoms stand still, a third moves along x and y alone."""
    structure = ethanol()
    fixed = np.zeros((len(structure), 3), bool)
    fixed[[0, 4]] = True
    fixed[2, 2] = True
    return dataclasses.replace(structure, fixed=fixed)


def heavy():
    structure = ethanol()
    return dataclasses.replace(structure, masses=np.where(structure.numbers == 1, 2.014, structure.amu))


def test_nve_with_held_atoms_follows_ase():
    field, state = morse(), WalkerState.start(held(), temperature=400, seed=3, walker_id=0)
    atoms = state.structure.to_atoms()
    atoms.set_momenta(state.masses[:, None] * state.velocities)
    atoms.calc = MorseCalculator(field)
    VelocityVerlet(atoms, timestep=0.5 * ase_units.fs).run(100)
    after = advance(field, [state], 100, NVE, NO_LIMITS)[0]
    assert np.abs(after.state.structure.positions - atoms.positions).max() < 1e-9
    free = ~state.structure.fixed
    moved = np.abs(after.state.structure.positions - state.structure.positions)
    assert moved[state.structure.fixed].max() == 0.0
    assert moved[free].max() > 0.05
    kinetic = atoms.get_kinetic_energy()
    assert after.last.temperature == pytest.approx(2 * kinetic / (free.sum() * kB))


def test_nve_with_other_masses_follows_ase():
    field, state = morse(), WalkerState.start(heavy(), temperature=400, seed=3, walker_id=0)
    atoms = state.structure.to_atoms()
    assert atoms.get_masses().max() < 17
    assert (atoms.get_masses() == 2.014).sum() == 6
    atoms.set_velocities(state.velocities)
    atoms.calc = MorseCalculator(field)
    VelocityVerlet(atoms, timestep=0.5 * ase_units.fs).run(100)
    after = advance(field, [state], 100, NVE, NO_LIMITS)[0]
    assert np.abs(after.state.structure.positions - atoms.positions).max() < 1e-9
    light = WalkerState.start(ethanol(), temperature=400, seed=3, walker_id=0)
    other = advance(field, [light], 100, NVE, NO_LIMITS)[0]
    assert np.abs(other.state.structure.positions - atoms.positions).max() > 0.01


def test_the_thermostat_gives_what_moves_its_temperature():
    states = [WalkerState.start(held(), temperature=300, seed=7, walker_id=k) for k in range(48)]
    warm = [one.state for one in advance(morse(), states, 1000, NVT, NO_LIMITS)]
    results = advance(morse(), warm, 4000, NVT, NO_LIMITS)
    temperatures = np.array([one.mean_temperature for one in results])
    error = temperatures.std() / np.sqrt(len(temperatures))
    assert abs(temperatures.mean() - 300) < max(5 * error, 6)
    n = len(held())
    over_all = temperatures.mean() * held().n_free / (3 * n)  # what a count of all components would have said
    assert abs(over_all - 300) > 10 * error
    assert all(np.array_equal(one.state.structure.fixed, held().fixed) for one in results)


def test_a_state_with_held_atoms_survives_json_and_goes_on_bit_for_bit():
    field, state = morse(), WalkerState.start(held(), temperature=300, seed=2, walker_id=0)
    state = dataclasses.replace(state, structure=dataclasses.replace(state.structure, charge=-1))
    first = advance(field, [state], 40, NVT, NO_LIMITS)[0].state
    again = WalkerState.from_dict(json.loads(json.dumps(first.to_dict())))
    assert again.structure.content_hash == first.structure.content_hash
    assert again.structure.charge == -1
    one, other = (advance(field, [s], 40, NVT, NO_LIMITS)[0].state for s in (first, again))
    assert np.array_equal(one.structure.positions, other.structure.positions)
    old = first.to_dict()
    del old["particulars"]  # as an older Thalweg wrote it
    assert WalkerState.from_dict(old).structure.particulars == {}


def test_a_group_whose_members_leave_keeps_who_is_held():
    """The walkers before it in its group stop early, and the arrays are moved together."""
    field = morse()
    hot = [WalkerState.start(ethanol(), temperature=5000, seed=1, walker_id=k) for k in range(2)]
    alone = WalkerState.start(held(), temperature=300, seed=9, walker_id=5)
    early = dataclasses.replace(NO_LIMITS, temperature_max=3000.0)
    limits = [early, early, NO_LIMITS]
    results = advance(field, [*hot, alone], 200, NVT, limits)
    assert all(one.event.is_insane for one in results[:2])
    expected = advance(field, [alone], 200, NVT, NO_LIMITS)[0]
    assert np.array_equal(results[2].state.structure.positions, expected.state.structure.positions)


def test_constant_pressure_is_refused():
    structure = crystal()
    fixed = np.zeros((len(structure), 3), bool)
    fixed[0] = True
    state = WalkerState.start(
        dataclasses.replace(structure, fixed=fixed), temperature=300, seed=1, walker_id=0
    )
    with pytest.raises(InputError, match="'npt' moves every atom with the cell, and some are fixed"):
        advance(morse(), [state], 10, MdSettings(ensemble="npt"), NO_LIMITS)
    native = state.to_native(("H", "C", "O"))
    with pytest.raises(Exception, match="some are fixed"):
        _native.advance(
            morse().native,
            [native],
            MdSettings(ensemble="npt").to_native(),
            [NO_LIMITS.to_native(("H", "C", "O"), 300, 3)],
            n_steps=1,
            stop_on_label=False,
            n_threads=1,
        )


def test_a_held_atom_with_a_velocity_is_refused():
    state = WalkerState.start(held(), temperature=300, seed=1, walker_id=0)
    with pytest.raises(InputError, match="fixed has a velocity"):
        dataclasses.replace(state, velocities=np.ones_like(state.velocities))


def test_seeds_leave_held_atoms_where_they_are():
    structure = held()
    assert len(harmonic_ensemble(structure).omega) == structure.n_free
    seeds = seed_structures([structure], 6, [300.0], np.random.default_rng(0))
    moved = np.array([np.abs(seed.positions - structure.positions) for seed in seeds[1:]])
    assert moved[:, structure.fixed].max() < 1e-12
    assert moved[:, ~structure.fixed].max() > 0.02
    assert all(np.array_equal(seed.fixed, structure.fixed) for seed in seeds)

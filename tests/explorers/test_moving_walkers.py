"""Molecular dynamics as an explorer: what is its own beside the contract (test_contract.py)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fields import NO_LIMITS, crystal, ethanol, morse, walkers

from thalweg.errors import InputError
from thalweg.explorers import MdSettings, MolecularDynamics, WalkerState, advance
from thalweg.units import kB

NVT = MdSettings(timestep_fs=0.5, record_stride=10, history_stride=5, history_length=4)
MD = MolecularDynamics(NVT)


def walked() -> WalkerState:
    return MD.advance(morse(), walkers(1), 20, NO_LIMITS)[0].state


def test_it_is_advance_with_its_settings() -> None:
    one, other = (
        MD.advance(morse(), walkers(3), 20, NO_LIMITS),
        advance(morse(), walkers(3), 20, NVT, NO_LIMITS),
    )
    for a, b in zip(one, other, strict=True):
        assert a.state.to_dict() == b.state.to_dict()
        assert list(a.samples.step) == list(b.samples.step) == [10, 20]
        assert len(a.history) == 4
    (bare,) = MD.advance(morse(), walkers(1), 20, NO_LIMITS, sample_every=0)
    assert (len(bare.samples), len(bare.history)) == (0, 0)
    assert bare.state.to_dict() == one[0].state.to_dict()


def test_walkers_start_with_velocities_of_their_own() -> None:
    states = MD.start([ethanol(), ethanol()], [300.0, 300.0], seed=3)
    expected = WalkerState.start(ethanol(), temperature=300.0, seed=3, walker_id=1)
    assert states[1].to_dict() == expected.to_dict()
    assert not np.array_equal(states[0].velocities, states[1].velocities)


def test_stepping_back_takes_place_speed_and_time_of_the_moment_but_new_random_numbers() -> None:
    (result,) = MD.advance(morse(), walkers(1), 20, NO_LIMITS)
    state, moment = result.state, result.samples[0]
    after = MD.step_back(state, moment)
    assert after.structure is moment.structure
    assert np.array_equal(after.velocities, moment.velocities)
    assert (after.time_fs, moment.step) == (moment.time_fs, 10)
    assert after.step == 21  # not 10: those random numbers led astray
    assert (state.list_positions is None, after.list_positions) == (False, None)
    assert (after.reference_energy, after.temperature) == (state.reference_energy, state.temperature)


def test_a_restart_draws_velocities_at_the_walkers_temperature() -> None:
    state, home = dataclasses.replace(walked(), temperature=500.0), ethanol(5)
    after = MD.restart(state, home, np.random.default_rng(0))
    assert after.structure is home
    assert (after.step, after.time_fs) == (state.step + 1, state.time_fs)
    assert not np.array_equal(after.velocities, state.velocities)
    draws = [MD.restart(state, home, np.random.default_rng(k)).velocities for k in range(200)]
    kinetic = 0.5 * (state.masses[:, None] * np.square(draws)).sum(axis=(1, 2))
    expected = 1.5 * len(home) * kB * 500.0
    error = kinetic.std() / np.sqrt(len(draws))
    assert abs(kinetic.mean() - expected) < 5 * error
    assert abs(kinetic.mean() - 1.2 * expected) > 10 * error  # the control


def test_one_that_was_stuck_measures_its_energy_anew() -> None:
    state, rng = walked(), np.random.default_rng(0)
    assert state.reference_energy is not None
    assert MD.restart(state, ethanol(), rng).reference_energy == state.reference_energy
    assert MD.restart(state, ethanol(), rng, stuck=True).reference_energy is None


def test_only_walkers_whose_temperature_changed_get_new_velocities() -> None:
    state, rng = walked(), np.random.default_rng(0)
    start = walkers(1)[0]
    assert MD.redirect(state, start, rng) is state
    hotter = MD.redirect(state, dataclasses.replace(start, temperature=600.0), rng)
    assert hotter.temperature == 600.0
    assert hotter.structure is state.structure
    assert not np.array_equal(hotter.velocities, state.velocities)


def test_a_walker_whose_cell_cannot_follow_begins_anew() -> None:
    state, wanted = (MD.start([crystal(k)], [300.0], seed=1)[0] for k in range(2))
    strained = dataclasses.replace(
        wanted.structure, cell=1.01 * wanted.structure.cell, positions=1.01 * wanted.structure.positions
    )
    wanted = dataclasses.replace(wanted, structure=strained)
    rng = np.random.default_rng(0)
    assert MD.redirect(state, wanted, rng) is wanted
    npt = MolecularDynamics(dataclasses.replace(NVT, ensemble="npt"))
    assert npt.redirect(state, wanted, rng) is state


def test_a_walker_says_where_it_is() -> None:
    (result,) = MD.advance(morse(), walkers(1), 20, NO_LIMITS)
    assert result.state.where(result.last) == "walker 0, 10 fs, 400 K"
    assert result.state.where(dataclasses.replace(result.last, time_fs=13400.0)) == "walker 0, 13.4 ps, 400 K"


def test_walkers_of_another_explorer_are_refused_with_the_cure() -> None:
    with pytest.raises(
        InputError, match=r"explorer 'replay'; go on with that explorer: learn\(..., explorer="
    ):
        MD.state_from_dict({"explorer": "replay", "track": 0})
    with pytest.raises(InputError, match="not a saved walker state"):
        MD.state_from_dict({"step": 0})

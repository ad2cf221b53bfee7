"""Walkers on a linear ACE potential report what the potential predicts, and their dynamics is exact."""

from __future__ import annotations

import numpy as np
import pytest

from small_potentials import ethanol, random_potential, silicon
from thalweg.explorers import CoreField, Limits, MdSettings, WalkerState, advance
from thalweg.potential import Potential
from thalweg.structure import Structure
from thalweg.units import kB

HOT = Limits(temperature_max=np.inf)
"""Random coefficients make no equilibrium: the structure falls and heats up."""


def potentials() -> dict[str, tuple[Potential, list[Structure]]]:
    molecules, crystals = [ethanol(k) for k in range(6)], [silicon(k) for k in range(6)]
    return {
        "molecule": (random_potential("H", "C", "O", train=molecules), molecules),
        "crystal": (random_potential("Si", train=crystals), crystals),
    }


POTENTIALS = potentials()


def field_and_states(name: str, n: int) -> tuple[Potential, CoreField, list[WalkerState]]:
    potential, structures = POTENTIALS[name]
    states = [WalkerState.start(structures[k], temperature=100.0, seed=1, walker_id=k) for k in range(n)]
    return potential, CoreField(potential.elements, potential.force_field), states


@pytest.mark.parametrize("name", POTENTIALS)
def test_walkers_report_what_the_potential_predicts(name: str) -> None:
    potential, field, states = field_and_states(name, 3)
    bounds = Limits(
        temperature_max=np.inf, species_factor=potential.bounds.factors, species_floor=potential.bounds.floors
    )
    for result in advance(field, states, 20, MdSettings(timestep_fs=0.1, record_stride=5), bounds):
        assert len(result.samples) == 4
        for snapshot in result.samples:
            expected = potential.predict(snapshot.structure)
            assert snapshot.potential_energy == pytest.approx(expected.energy, abs=1e-9)
            assert snapshot.bound == pytest.approx(expected.forces_bound, abs=1e-9)
            assert snapshot.novelty == pytest.approx(expected.novelty, abs=1e-9)


@pytest.mark.parametrize("name", POTENTIALS)
def test_energy_is_conserved_to_second_order(name: str) -> None:
    _, field, states = field_and_states(name, 1)

    def spread(timestep_fs: float) -> float:
        settings = MdSettings(timestep_fs=timestep_fs, ensemble="nve", record_stride=1, skin=0.2)
        samples = advance(field, states, round(10 / timestep_fs), settings, HOT)[0].samples
        n_atoms = len(states[0].structure)
        assert samples.potential_energy.std() > 0.5
        return float((samples.potential_energy + 1.5 * n_atoms * kB * samples.temperature).std())

    assert 3.5 < spread(0.1) / spread(0.05) < 4.5


@pytest.mark.parametrize("name", POTENTIALS)
def test_threads_company_and_cuts_change_no_bit(name: str) -> None:
    _, field, states = field_and_states(name, 5)
    settings = MdSettings(timestep_fs=0.5, skin=0.1)
    whole = advance(field, states, 60, settings, HOT, n_threads=2)
    alone = [advance(field, [state], 60, settings, HOT)[0] for state in states]
    halves = advance(
        field, [one.state for one in advance(field, states, 25, settings, HOT)], 35, settings, HOT
    )
    for result, single, resumed, state in zip(whole, alone, halves, states, strict=True):
        for other in (single, resumed):
            assert np.array_equal(result.state.structure.positions, other.state.structure.positions)
            assert np.array_equal(result.state.velocities, other.state.velocities)
        moved = result.state.structure.positions - state.structure.positions
        assert np.abs(moved).max() > 0.05  # half the skin: lists were rebuilt on the way

"""Constant pressure: the ensemble against closed forms, exact repeatability, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from fields import ELEMENTS, NO_LIMITS, crystal, ethanol, morse
from fields import walkers as mixed_walkers

from thalweg import _native
from thalweg.errors import InputError
from thalweg.explorers import BlockResult, CoreField, MdSettings, WalkerState, WalkEvent, advance
from thalweg.features.batch import pack
from thalweg.structure import Structure
from thalweg.units import GPa, kB

NPT = MdSettings(
    timestep_fs=1.0, ensemble="npt", coupling="full", pressure_gpa=2.0, bulk_modulus_gpa=200.0, barostat_fs=100.0,
    friction_per_fs=0.01, record_stride=5, history_stride=0, log_stride=5, skin=0.3,
)  # fmt: skip
COUPLINGS = ("isotropic", "axes", "full")


def walkers(n: int = 3, temperature: float = 300.0) -> list[WalkerState]:
    return [WalkerState.start(crystal(k), temperature=temperature, seed=7, walker_id=k) for k in range(n)]


def no_forces() -> CoreField:
    return CoreField(
        ELEMENTS, _native.MorseForceField(np.zeros((3, 3)), *[np.ones((3, 3))] * 2, r_on=0.5, r_cut=1.0)
    )


def test_the_volume_of_an_ideal_gas_is_gamma_distributed() -> None:
    """Density V^N exp(-P V / kT): P V / kT has mean and variance N + 1."""
    n_atoms, n, temperature, pressure = 4, 48, 600.0, 0.05
    unit = kB * temperature / (pressure * GPa)
    edge = ((n_atoms + 1) * unit) ** (1 / 3)
    rng = np.random.default_rng(0)
    gas = [
        Structure(np.full(n_atoms, 6), edge * rng.random((n_atoms, 3)), edge * np.eye(3), np.ones(3, bool))
        for _ in range(n)
    ]
    settings = MdSettings(
        timestep_fs=2.0, ensemble="npt", pressure_gpa=pressure, bulk_modulus_gpa=pressure, barostat_fs=400.0,
        record_stride=0, history_stride=0, log_stride=20, score_stride=0,
    )  # fmt: skip
    states = [
        WalkerState.start(one, temperature=temperature, seed=3, walker_id=k) for k, one in enumerate(gas)
    ]
    warm = [one.state for one in advance(no_forces(), states, 1000, settings, NO_LIMITS)]
    logs = [one.log for one in advance(no_forces(), warm, 10000, settings, NO_LIMITS)]
    v = np.array([log.volume for log in logs]) / unit
    mean, variance = v.mean(axis=1), ((v - (n_atoms + 1)) ** 2).mean(axis=1)
    error = mean.std() / np.sqrt(n)
    assert error < 0.2  # so that N and N + 2 are far away
    assert abs(mean.mean() - (n_atoms + 1)) < 4 * error
    assert abs(variance.mean() - (n_atoms + 1)) < 4 * variance.std() / np.sqrt(n)
    pressures = np.array([log.pressure.mean() for log in logs]) / GPa
    assert pressures.mean() == pytest.approx(pressure, rel=0.1)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_only_what_is_coupled_moves(coupling: str) -> None:
    state = walkers(1)[0]
    after = advance(morse(), [state], 200, replace(NPT, coupling=coupling), NO_LIMITS)[0].state.structure
    change = np.linalg.solve(state.structure.cell, after.cell)
    assert np.abs(change - np.eye(3)).max() > 1e-3
    off_diagonal = change - np.diag(np.diag(change))
    assert (np.abs(off_diagonal).max() > 1e-4) == (coupling == "full")
    assert (np.ptp(np.diag(change)) > 1e-4) == (coupling != "isotropic")
    # lattice vectors and atoms take part in the same strain
    assert np.abs(after.positions - state.structure.positions @ change).max() < 1.0


def same(a: list[BlockResult], b: list[BlockResult]) -> bool:
    def parts(one: BlockResult) -> list[np.ndarray]:
        return [one.state.structure.positions, one.state.structure.cell, one.state.velocities]

    return all(
        np.array_equal(x, y)
        for one, other in zip(a, b, strict=True)
        for x, y in zip(parts(one), parts(other), strict=True)
    )


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_threads_company_cuts_and_checkpoints_change_no_bit(coupling: str) -> None:
    field, settings = morse(), replace(NPT, coupling=coupling)
    states = walkers(5, temperature=900)
    whole = advance(field, states, 300, settings, NO_LIMITS)
    assert same(whole, advance(field, states, 300, settings, NO_LIMITS, n_threads=3))
    assert same(whole, [advance(field, [one], 300, settings, NO_LIMITS)[0] for one in states])
    for n_steps in (1, 7, 142, 150):
        results = advance(field, states, n_steps, settings, NO_LIMITS)
        states = [WalkerState.from_dict(json.loads(json.dumps(one.state.to_dict()))) for one in results]
    assert same(whole, results)
    moved = [
        one.state.list_positions - s.structure.positions
        for one, s in zip(whole, walkers(5, 900), strict=True)
    ]
    assert all(np.abs(d).max() > 0.1 for d in moved)  # lists were rebuilt on the way
    # ... and served while the cell changed
    assert any(not np.array_equal(one.state.list_cell, one.state.structure.cell) for one in whole)


def test_a_list_that_follows_the_cell_misses_no_pair() -> None:
    """Every moment's energy equals one that is computed from nothing."""
    field = morse()
    settings = replace(NPT, bulk_modulus_gpa=50.0, barostat_fs=20.0, record_stride=1, skin=0.6)
    result = advance(field, walkers(1, 600)[:1], 300, settings, NO_LIMITS)[0]
    volumes = np.abs(np.linalg.det(result.samples.cells))
    assert volumes.max() / volumes.min() > 1.05
    for snapshot in result.samples:
        energy = field.native.compute(*pack([snapshot.structure], ELEMENTS).arrays)[0]
        assert snapshot.potential_energy == pytest.approx(float(energy[0]), abs=1e-9)


def test_stress_is_the_energys_slope_and_the_kinetic_part() -> None:
    field, state = morse(), walkers(1)[0]
    log = advance(field, [state], 0, NPT, NO_LIMITS)[0].log
    assert log.step.tolist() == [0]
    structure, h = state.structure, 1e-5
    kinetic = (state.masses[:, None, None] * state.velocities[:, :, None] * state.velocities[:, None, :]).sum(
        axis=0
    )
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h / 2
            strain[b, a] += sign * h / 2
            deformed = Structure(
                structure.numbers, structure.positions @ strain, structure.cell @ strain, structure.pbc
            )
            energies.append(float(field.native.compute(*pack([deformed], ELEMENTS).arrays)[0][0]))
        slope = (energies[0] - energies[1]) / (2 * h)
        assert abs(slope) > 0.01
        assert log.stress[0, a, b] * structure.volume == pytest.approx(slope - kinetic[a, b], abs=1e-6)
    assert log.pressure[0] == pytest.approx(-np.trace(log.stress[0]) / 3)


def test_an_event_hands_back_the_cell_before_it() -> None:
    field = morse()
    free = advance(field, walkers(1), 200, replace(NPT, record_stride=1), NO_LIMITS)[0]
    assert free.samples.bound is not None
    bounds = free.samples.bound.max(axis=1)
    step = int(bounds[20:].argmax()) + 21
    limit = 0.5 * (np.sort(bounds)[-1] + bounds[: step - 1].max())
    result = advance(
        field, walkers(1), 200, replace(NPT, record_stride=1), replace(NO_LIMITS, bound_break=limit)
    )[0]
    assert result.event is WalkEvent.BREAK_UNCERTAIN
    assert result.event_step == int(np.argmax(bounds > limit)) + 1
    assert np.array_equal(result.state.structure.cell, free.samples.cells[result.state.step - 1])
    assert result.event_snapshot is not None
    assert np.array_equal(result.event_snapshot.structure.cell, free.samples.cells[result.event_step - 1])


def test_a_cell_that_collapses_ends_the_walk() -> None:
    result = advance(morse(), walkers(1), 1000, replace(NPT, pressure_gpa=1e7), NO_LIMITS)[0]
    assert result.event is WalkEvent.NOT_FINITE
    assert np.isfinite(result.state.structure.cell).all()
    assert result.state.structure.volume > 0.1 * crystal().volume


def test_molecules_have_no_pressure() -> None:
    state = WalkerState.start(ethanol(), temperature=300, seed=1, walker_id=0)
    with pytest.raises(InputError, match="periodic in three directions"):
        advance(morse(), [*walkers(1), state], 1, NPT, NO_LIMITS)
    log = advance(morse(), mixed_walkers(2), 10, MdSettings(log_stride=5), NO_LIMITS)
    assert np.isnan(log[0].log.stress).all()
    assert np.isfinite(log[1].log.stress).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coupling": "cubic"}, "coupling"),
        ({"pressure_gpa": float("nan")}, "finite pressure"),
        ({"bulk_modulus_gpa": 0.0}, "bulk modulus"),
        ({"barostat_fs": 5.0}, "at least 20 time steps"),
        ({"friction_per_fs": 0.0}, "friction"),
        ({"ensemble": "nph"}, "ensemble"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(NPT, **change)  # type: ignore[arg-type]

"""Events: each fires for its own reason, hands back the right state, and silence has a control."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fields import NO_LIMITS, crystal, ethanol, morse, walkers

from thalweg.errors import InputError, ModelError
from thalweg.explorers import BlockResult, Limits, MdSettings, WalkerState, WalkEvent, advance
from thalweg.explorers.limits import hottest_plausible, shortest_distances
from thalweg.structure import Structure
from thalweg.units import kB

SETTINGS = MdSettings(timestep_fs=0.5, record_stride=1, history_stride=5, history_length=8)


def ethanol_walker(temperature: float = 300.0) -> WalkerState:
    return WalkerState.start(ethanol(), temperature=temperature, seed=2, walker_id=4)


def run(limits: Limits, n_steps: int = 200, stop_on_label: bool = False) -> BlockResult:
    return advance(morse(), [ethanol_walker()], n_steps, SETTINGS, limits, stop_on_label=stop_on_label)[0]


FREE = run(NO_LIMITS)
"""The trajectory that nothing stops: what every event is compared with."""

BOUNDS = FREE.samples.bound.max(axis=1) if FREE.samples.bound is not None else np.zeros(0)
NOVELTIES = FREE.samples.novelty.max(axis=1) if FREE.samples.novelty is not None else np.zeros(0)


def first_above(values: np.ndarray, limit: float) -> int:
    """The step at which a series recorded from step 1 on first passes the limit."""
    return int(np.argmax(values > limit)) + 1


def between(values: np.ndarray) -> float:
    """A limit that the series passes for the first time at its last record, well after the start."""
    records = np.maximum.accumulate(values)
    last = int(np.flatnonzero(np.diff(records))[-1])
    assert last > 3
    return float(records[last])


def check_stopped_before(result: BlockResult, step: int) -> None:
    assert result.event_step == step
    assert result.state.step == step - 1
    assert np.array_equal(result.state.structure.positions, FREE.samples.positions[step - 2])
    assert np.array_equal(result.state.velocities, FREE.samples.velocities[step - 2])
    assert result.last.potential_energy == FREE.samples.potential_energy[step - 2]
    assert result.event_snapshot is not None
    assert np.array_equal(result.event_snapshot.structure.positions, FREE.samples.positions[step - 1])
    assert result.n_steps == step - 1


def test_nothing_fires_without_limits() -> None:
    assert FREE.event is WalkEvent.BLOCK_END
    assert FREE.crossing is None
    assert FREE.first_crossing is None
    assert FREE.event_snapshot is None
    assert FREE.fraction_over_label == 0.0
    assert FREE.n_steps == FREE.state.step == FREE.event_step == 200
    assert len(BOUNDS) == 200


@pytest.mark.parametrize("kind", ["uncertain", "novel"])
def test_break_stops_before_the_moment(kind: str) -> None:
    series = BOUNDS if kind == "uncertain" else NOVELTIES
    limit = between(series)
    limits = replace(NO_LIMITS, **{"bound_break" if kind == "uncertain" else "novelty_break": limit})
    result = run(limits)
    step = first_above(series, limit)
    check_stopped_before(result, step)
    assert result.event is (WalkEvent.BREAK_UNCERTAIN if kind == "uncertain" else WalkEvent.BREAK_NOVEL)
    assert result.event.is_break
    assert result.verdict.value == series[step - 1] > result.verdict.limit == limit
    assert result.event_snapshot is not None
    peak = result.event_snapshot.bound_atom if kind == "uncertain" else result.event_snapshot.novelty_atom
    assert result.verdict.atom == peak


@pytest.mark.parametrize("kind", ["uncertain", "novel"])
def test_label_stops_at_the_moment_when_asked(kind: str) -> None:
    series = BOUNDS if kind == "uncertain" else NOVELTIES
    limit = between(series)
    limits = replace(NO_LIMITS, **{"bound_label" if kind == "uncertain" else "novelty_label": limit})
    result = run(limits, stop_on_label=True)
    step = first_above(series, limit)
    assert result.event is (WalkEvent.LABEL_UNCERTAIN if kind == "uncertain" else WalkEvent.LABEL_NOVEL)
    assert result.event_step == result.state.step == result.n_steps == step
    assert np.array_equal(result.state.structure.positions, FREE.samples.positions[step - 1])
    assert result.crossing == result.verdict


def test_label_is_remembered_when_not_asked_to_stop() -> None:
    limit = between(BOUNDS)
    result = run(replace(NO_LIMITS, bound_label=limit))
    assert result.event is WalkEvent.BLOCK_END
    assert np.array_equal(result.state.structure.positions, FREE.state.structure.positions)
    assert result.crossing is not None
    assert result.crossing.event is WalkEvent.LABEL_UNCERTAIN
    assert result.first_crossing is not None
    assert result.first_crossing.step == first_above(BOUNDS, limit)
    assert result.worst is not None
    assert result.worst.step == int(BOUNDS.argmax()) + 1
    assert result.worst.bound_max == BOUNDS.max()
    assert result.fraction_over_label == pytest.approx((limit < BOUNDS).mean())
    assert 0 < result.fraction_over_label < 1


def test_species_factors_and_floors_make_the_bound() -> None:
    result = run(replace(NO_LIMITS, species_factor=(2.0, 1.0, 0.5), species_floor=(0.0, 0.25, 1.0)))
    assert result.samples.bound is not None
    assert FREE.samples.bound is not None
    factors = np.array([{1: 2.0, 6: 1.0, 8: 0.5}[z] for z in ethanol().numbers])
    floors = np.array([{1: 0.0, 6: 0.25, 8: 1.0}[z] for z in ethanol().numbers])
    assert np.array_equal(result.samples.bound, FREE.samples.bound * factors + floors)


def test_too_hot() -> None:
    limit = between(FREE.samples.temperature)
    result = run(replace(NO_LIMITS, temperature_max=limit))
    check_stopped_before(result, first_above(FREE.samples.temperature, limit))
    assert result.event is WalkEvent.TOO_HOT
    assert result.verdict.limit == pytest.approx(limit)
    assert result.verdict.value == pytest.approx(result.event_snapshot.temperature)  # type: ignore[union-attr]


def test_energy_spike() -> None:
    """From the bottom of the well on: cooled down, warmed up again, measured from the cold."""
    cold = MdSettings(timestep_fs=0.5, friction_per_fs=0.1)
    low = advance(morse(), [ethanol_walker(temperature=0)], 2000, cold, NO_LIMITS)[0].last
    state = WalkerState.start(low.structure, temperature=300, seed=2, walker_id=4)
    start = advance(morse(), [state], 0, SETTINGS, NO_LIMITS)[0].state
    assert start.reference_energy == pytest.approx(low.potential_energy)
    free = advance(morse(), [start], 100, SETTINGS, NO_LIMITS)[0].samples
    rise = (free.potential_energy - low.potential_energy) / 9
    limit = between(rise)
    result = advance(morse(), [start], 100, SETTINGS, replace(NO_LIMITS, energy_rise_max=limit))[0]
    assert result.event is WalkEvent.ENERGY_SPIKE
    assert result.event_step == first_above(rise, limit)
    assert result.verdict.value == pytest.approx(rise[result.event_step - 1])
    assert np.array_equal(result.state.structure.positions, free.positions[result.event_step - 2])


@pytest.mark.parametrize("structure", [ethanol(), crystal()], ids=["molecule", "crystal"])
def test_too_close_names_the_pair(structure: Structure) -> None:
    shortest = np.zeros((3, 3))
    state = WalkerState.start(structure, temperature=300, seed=1, walker_id=0)
    c = int(np.flatnonzero(structure.numbers == 6)[-1])
    o = int(np.flatnonzero(structure.numbers == 8)[0])
    atoms = structure.to_atoms()
    distance = atoms.get_distance(c, o, mic=True)
    shortest[1, 2] = shortest[2, 1] = distance + 1e-3
    result = advance(morse(), [state], 10, SETTINGS, replace(NO_LIMITS, min_distance=shortest))[0]
    assert result.event is WalkEvent.TOO_CLOSE
    assert {result.verdict.atom, result.verdict.partner} == {c, o}
    assert result.verdict.value == pytest.approx(distance)
    assert result.n_steps == 0
    shortest[1, 2] = shortest[2, 1] = distance - 1e-3
    result = advance(morse(), [state], 0, SETTINGS, replace(NO_LIMITS, min_distance=shortest))[0]
    assert result.event is WalkEvent.BLOCK_END


def test_a_crystals_own_images_count_as_close() -> None:
    shortest = np.zeros((3, 3))
    shortest[1, 1] = 3.1  # the first cell vector is 3.007 Å long
    state = WalkerState.start(crystal(), temperature=300, seed=1, walker_id=0)
    result = advance(morse(), [state], 5, SETTINGS, replace(NO_LIMITS, min_distance=shortest))[0]
    assert result.event is WalkEvent.TOO_CLOSE
    assert result.verdict.atom == result.verdict.partner


def test_runaway_positions_are_caught_before_they_do_harm() -> None:
    state = ethanol_walker()
    data = state.to_dict()
    data["velocities"][0] = [1e200, 0.0, 0.0]
    settings = MdSettings(timestep_fs=0.5, ensemble="nve")
    calm = walkers(3)
    results = advance(morse(), [calm[0], WalkerState.from_dict(data), calm[2]], 50, settings, NO_LIMITS)
    assert results[1].event is WalkEvent.NOT_FINITE
    assert results[1].event.is_insane
    assert results[1].event_snapshot is None
    assert np.array_equal(results[1].state.structure.positions, state.structure.positions)
    alone = advance(morse(), [calm[0], calm[2]], 50, settings, NO_LIMITS)
    for result, other in zip((results[0], results[2]), alone, strict=True):
        assert result.event is WalkEvent.BLOCK_END
        assert np.array_equal(result.state.structure.positions, other.state.structure.positions)


def test_one_walker_stops_and_the_others_go_on_unchanged() -> None:
    states = walkers(6)
    free = advance(morse(), states, 100, SETTINGS, NO_LIMITS)
    each = [replace(NO_LIMITS, bound_break=1e-3) if k in (1, 4) else NO_LIMITS for k in range(6)]
    results = advance(morse(), states, 100, SETTINGS, each)
    for k, (result, other) in enumerate(zip(results, free, strict=True)):
        if k in (1, 4):
            assert result.event is WalkEvent.BREAK_UNCERTAIN
        else:
            assert result.event is WalkEvent.BLOCK_END
            assert np.array_equal(result.state.structure.positions, other.state.structure.positions)
            assert np.array_equal(result.bound_mean, other.bound_mean)


def test_sanity_speaks_before_uncertainty() -> None:
    result = run(replace(NO_LIMITS, bound_label=0.0, bound_break=0.0, temperature_max=0.0))
    assert result.event is WalkEvent.TOO_HOT
    assert run(replace(NO_LIMITS, bound_label=0.0, bound_break=0.0)).event is WalkEvent.BREAK_UNCERTAIN


def test_history_leads_back_to_the_last_sane_state() -> None:
    limit = between(BOUNDS)
    result = run(replace(NO_LIMITS, bound_break=limit))
    sane = result.last_sane(limit)
    assert sane is not None
    assert sane.step == result.state.step
    lower = float(np.sort([one.bound_max for one in result.history])[0])  # type: ignore[type-var]
    back = result.last_sane(lower)
    assert back is not None
    assert back.bound_max == lower
    assert back.step < result.event_step
    assert result.last_sane(0.0) is None


def test_default_limits_hold_at_equilibrium_and_catch_a_blow_up() -> None:
    settings = MdSettings(timestep_fs=0.5, friction_per_fs=0.05)
    warm = advance(morse(), [ethanol_walker()], 500, settings, NO_LIMITS)[0].state
    assert advance(morse(), [warm], 2000, settings, Limits())[0].event is WalkEvent.BLOCK_END
    wild = advance(morse(), [warm], 2000, MdSettings(timestep_fs=20.0, ensemble="nve"), Limits())[0]
    assert wild.event.is_insane


def test_default_tables() -> None:
    assert shortest_distances(("H", "C"))[0, 1] == pytest.approx(0.5 * (0.31 + 0.76))
    assert 1500 < hottest_plausible(300, 27) < 5000
    assert hottest_plausible(300, 3000) < hottest_plausible(300, 27)
    assert hottest_plausible(0, 27) == np.inf


def test_limits_without_scores_are_refused() -> None:
    bare = morse(spread=0.0, novelty_scale=0.0)
    with pytest.raises(ModelError, match="committee"):
        advance(bare, [ethanol_walker()], 1, SETTINGS, replace(NO_LIMITS, bound_label=0.1))
    with pytest.raises(ModelError, match="novelty"):
        advance(bare, [ethanol_walker()], 1, SETTINGS, replace(NO_LIMITS, novelty_break=0.1))
    result = advance(bare, [ethanol_walker()], 5, SETTINGS, NO_LIMITS)[0]
    assert result.last.bound is None
    assert result.last.novelty is None
    assert result.bound_mean is None
    assert result.worst is None


def test_bad_limits_are_refused() -> None:
    with pytest.raises(InputError, match="label <= break"):
        Limits(bound_label=0.5, bound_break=0.2)
    with pytest.raises(InputError, match="bound_label"):
        Limits(bound_label=float("nan"))
    with pytest.raises(InputError, match="min_distance"):
        advance(morse(), [ethanol_walker()], 1, SETTINGS, Limits(min_distance=np.zeros((2, 2))))


def test_reasons_in_words() -> None:
    result = run(replace(NO_LIMITS, bound_break=between(BOUNDS)))
    words = result.verdict.describe(ethanol())
    assert "uncertain" in words
    assert f"limit {result.verdict.limit:.3g}" in words
    assert words[0] in "HCO"
    hot = run(replace(NO_LIMITS, temperature_max=1.0))
    assert hot.verdict.describe(ethanol()).startswith("too hot")
    assert hot.verdict.value == pytest.approx(hot.event_snapshot.temperature)  # type: ignore[union-attr]
    assert kB * hot.verdict.limit < 1.0

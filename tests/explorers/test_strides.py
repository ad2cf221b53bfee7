"""What is computed now and then: scores, log, and a look at whether to go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fields import NO_LIMITS, morse, walkers

from thalweg.errors import InputError
from thalweg.explorers import MdSettings, WalkerState, WalkEvent, advance
from thalweg.units import kB

EVERY = MdSettings(timestep_fs=0.5, record_stride=1, history_stride=0, log_stride=1)
SOMETIMES = replace(EVERY, record_stride=12, score_stride=5, log_stride=4)


def test_scores_are_computed_where_they_are_due() -> None:
    field, states = morse(), walkers(2)
    each, some = (advance(field, states, 60, settings, NO_LIMITS)[0] for settings in (EVERY, SOMETIMES))
    assert np.array_equal(each.state.structure.positions, some.state.structure.positions)
    assert some.samples.step.tolist() == [12, 24, 36, 48, 60]
    due = [k for k in range(1, 61) if k % 5 == 0 or k % 12 == 0]
    bounds, all_bounds = some.samples.bound, each.samples.bound
    assert bounds is not None
    assert all_bounds is not None
    assert np.array_equal(bounds, all_bounds[11::12])
    assert some.worst is not None
    assert some.worst.step in due
    at_due = all_bounds[np.array(due) - 1]
    assert some.worst.bound_max == at_due.max()
    assert some.bound_mean == pytest.approx(at_due.mean(axis=0))
    assert some.bound_rms == pytest.approx(np.sqrt((at_due**2).mean(axis=0)))


def test_a_limit_is_looked_at_where_scores_are() -> None:
    field, state = morse(), walkers(1)
    free = advance(field, state, 200, EVERY, NO_LIMITS)[0].samples
    assert free.bound is not None
    bounds = free.bound.max(axis=1)
    settings = replace(SOMETIMES, record_stride=0, score_stride=7)
    limit = float(np.quantile(bounds[6::7], 0.9))
    result = advance(field, state, 200, settings, replace(NO_LIMITS, bound_break=limit))[0]
    first_due = 7 * (int(np.argmax(bounds[6::7] > limit)) + 1)
    assert int(np.argmax(bounds > limit)) + 1 < first_due  # it passed the limit unseen
    assert (result.event, result.event_step) == (WalkEvent.BREAK_UNCERTAIN, first_due)
    assert result.state.step == first_due - 1
    assert result.last.bound is None  # nobody asked at the step before
    assert result.event_snapshot is not None
    assert result.event_snapshot.bound_max == bounds[first_due - 1]


def test_sanity_is_looked_at_in_every_step() -> None:
    field, state = morse(), walkers(1)
    temperatures = advance(field, state, 200, EVERY, NO_LIMITS)[0].samples.temperature
    limit = float(np.sort(temperatures)[-2])
    never = replace(EVERY, score_stride=0, record_stride=0)
    result = advance(field, state, 200, never, replace(NO_LIMITS, temperature_max=limit))[0]
    assert result.event is WalkEvent.TOO_HOT
    assert result.event_step == int(temperatures.argmax()) + 1
    assert result.worst is None
    assert result.bound_mean is None
    with pytest.raises(InputError, match="score_stride"):
        advance(field, state, 1, never, replace(NO_LIMITS, bound_break=1.0))


def test_the_log_is_the_trajectory_in_numbers() -> None:
    field, states = morse(), walkers(2)
    for result, state in zip(advance(field, states, 40, EVERY, NO_LIMITS), states, strict=True):
        log, samples = result.log, result.samples
        assert log.step.tolist() == samples.step.tolist() == list(range(1, 41))
        assert np.array_equal(log.potential_energy, samples.potential_energy)
        assert np.array_equal(log.temperature, samples.temperature)
        assert samples.bound is not None
        assert np.array_equal(log.bound, samples.bound.max(axis=1))
        assert np.array_equal(log.cells[0], state.structure.cell)
        kinetic = 0.5 * (state.masses[:, None] * samples.velocities**2).sum(axis=(1, 2))
        assert log.temperature == pytest.approx(kinetic / (1.5 * len(state.masses) * kB))
    some = advance(field, states, 40, SOMETIMES, NO_LIMITS)[0].log
    assert some.step.tolist() == list(range(4, 41, 4))
    due = (some.step % 5 == 0) | (some.step % 12 == 0)
    assert np.array_equal(np.isfinite(some.bound), due)
    assert len(advance(field, states, 0, replace(EVERY, log_stride=0), NO_LIMITS)[0].log) == 0


def test_cuts_and_company_change_no_bit_whatever_the_strides() -> None:
    """Walkers at different steps, so that they are due at different times."""
    field = morse()
    states = [one.state for one in advance(field, walkers(4), 3, SOMETIMES, NO_LIMITS)[:2]]
    states += walkers(4)[2:]
    whole = advance(field, states, 50, SOMETIMES, NO_LIMITS)
    alone = [advance(field, [one], 50, SOMETIMES, NO_LIMITS)[0] for one in states]
    halves = [one.state for one in advance(field, states, 21, SOMETIMES, NO_LIMITS)]
    rest = advance(field, halves, 29, SOMETIMES, NO_LIMITS)
    for one, other, third in zip(whole, alone, rest, strict=True):
        assert np.array_equal(one.state.structure.positions, other.state.structure.positions)
        assert np.array_equal(one.state.structure.positions, third.state.structure.positions)
        assert one.log.step.tolist() == other.log.step.tolist()
        assert np.array_equal(one.log.bound, other.log.bound, equal_nan=True)


def test_a_look_ends_the_block_where_it_stands() -> None:
    field, states = morse(), walkers(3)
    looks: list[int] = []

    def poll(done: int) -> bool:
        looks.append(done)
        return len(looks) == 2

    quiet = replace(EVERY, record_stride=0, log_stride=0)
    results = advance(field, states, 10**7, quiet, NO_LIMITS, poll=poll)
    assert len(looks) == 2
    assert 0 < looks[0] < looks[1]
    for result, state in zip(results, states, strict=True):
        assert result.event is WalkEvent.BLOCK_END
        assert result.n_steps == result.state.step == looks[1]
        again = advance(field, [state], looks[1], quiet, NO_LIMITS)[0]
        assert np.array_equal(result.state.structure.positions, again.state.structure.positions)


def test_an_error_in_a_look_comes_back_and_leaves_nothing_running() -> None:
    def poll(_: int) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advance(
            morse(),
            walkers(3),
            10**7,
            replace(EVERY, record_stride=0, log_stride=0),
            NO_LIMITS,
            n_threads=2,
            poll=poll,
        )


def test_large_walkers_do_not_depend_on_threads() -> None:
    """Enough atoms for several tasks of the pool, in one walker."""
    from ase.build import bulk

    from thalweg.features import set_num_threads
    from thalweg.structure import Structure

    atoms = bulk("C", cubic=True, a=3.6).repeat(9)
    state = WalkerState.start(Structure.from_atoms(atoms), temperature=300, seed=1, walker_id=0)
    settings = MdSettings(
        timestep_fs=0.5,
        ensemble="npt",
        coupling="full",
        record_stride=0,
        history_stride=0,
        score_stride=4,
        log_stride=2,
    )
    results = []
    for n_threads in (1, 3):
        set_num_threads(n_threads)
        results.append(advance(morse(depth=0.5), [state], 8, settings, NO_LIMITS)[0])
    set_num_threads(1)
    assert len(state.structure) == 5832
    for name in ("positions", "cell"):
        assert np.array_equal(*(getattr(one.state.structure, name) for one in results))
    assert np.array_equal(results[0].log.temperature, results[1].log.temperature)
    assert np.abs(results[0].state.structure.positions - state.structure.positions).max() > 0.01

"""The screened committee against the whole one: the same walks, the same decisions or a step or two later."""

from __future__ import annotations

import numpy as np
import pytest

from small_potentials import random_potential, silicon
from thalweg.errors import InputError
from thalweg.explorers import Limits, MdSettings, WalkerState, WalkEvent, advance, initial_velocities
from thalweg.explorers.base import CoreField
from thalweg.potential import Potential


@pytest.fixture(scope="module")
def potential() -> Potential:
    return random_potential("Si", train=[silicon(k) for k in range(4)])


def starts(n: int) -> list[WalkerState]:
    structure = silicon(0)
    masses, rng = structure.to_atoms().get_masses(), np.random.default_rng(5)
    return [
        WalkerState(structure, initial_velocities(structure, 150.0, rng), masses, 150.0, 3, k)
        for k in range(n)
    ]


def walk(potential: Potential, committee: str, limit: float, n_steps: int = 60, record: int = 0):  # type: ignore[no-untyped-def]
    how = MdSettings(timestep_fs=0.5, record_stride=record, history_stride=0, committee=committee)  # type: ignore[arg-type]
    limits = Limits(bound_label=limit, temperature_max=np.inf, min_distance=np.zeros((1, 1)))
    return advance(
        CoreField(potential.elements, potential.force_field),
        starts(12),
        n_steps,
        how,
        limits,
        stop_on_label=True,
    )


def test_walkers_stop_where_the_whole_committee_stops_them(potential: Potential) -> None:
    peaks = sorted(r.worst.bound_max for r in walk(potential, "whole", np.inf))
    limit = peaks[6]
    whole, screened = walk(potential, "whole", limit), walk(potential, "screened", limit)
    fired = [r.event is WalkEvent.LABEL_UNCERTAIN for r in whole]
    assert 3 <= sum(fired) < 12
    for a, b in zip(whole, screened, strict=True):
        assert b.event_step >= a.event_step
        if b.event is WalkEvent.LABEL_UNCERTAIN:
            # What stops a walker is the whole committee's word.
            assert a.event is WalkEvent.LABEL_UNCERTAIN
            assert b.verdict.value > limit
            assert b.event_step - a.event_step <= 8
    agree = sum(a.event is b.event for a, b in zip(whole, screened, strict=True))
    assert agree >= 11


def test_samples_carry_the_whole_committees_bounds(potential: Potential) -> None:
    a = walk(potential, "whole", np.inf, 40, record=10)
    b = walk(potential, "screened", np.inf, 40, record=10)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(other.samples.positions, one.samples.positions, atol=1e-12)
        np.testing.assert_allclose(other.samples.bound, one.samples.bound, rtol=1e-9)
    # Between samples they are estimates.
    assert not np.allclose(a[0].bound_mean, b[0].bound_mean, rtol=1e-3)
    assert np.allclose(a[0].bound_mean, b[0].bound_mean, rtol=0.6)


def test_blocks_do_not_change_a_screened_walk(potential: Potential) -> None:
    how = MdSettings(timestep_fs=0.5, record_stride=7, history_stride=0, committee="screened")
    limits = Limits(temperature_max=np.inf, min_distance=np.zeros((1, 1)))
    field = CoreField(potential.elements, potential.force_field)
    (whole,) = advance(field, starts(1), 30, how, limits)
    (first,) = advance(field, starts(1), 13, how, limits)
    (second,) = advance(field, [first.state], 17, how, limits)
    np.testing.assert_array_equal(whole.state.structure.positions, second.state.structure.positions)
    np.testing.assert_array_equal(whole.last.bound, second.last.bound)


def test_an_unknown_committee_is_refused() -> None:
    with pytest.raises(InputError, match="'whole' or 'screened'"):
        MdSettings(committee="half")  # type: ignore[arg-type]

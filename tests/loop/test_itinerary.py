"""Every start is walked, and at every temperature where there is time for it."""

import math

import pytest

from thalweg.loop.walking.itinerary import LATE, LEAST_LEG, Itinerary


def walked(one, until):
    """(walker, start) of every leg that begins before `until` times the asked-for time."""
    places, fs = set(), 0.0
    while fs < until * one.time_fs:
        for k in range(one.n_walkers):
            places.add((k, one.start(k, one.leg(fs))))
        fs += one.time_fs / 1000
    return places


def test_with_one_start_there_is_one_leg():
    one = Itinerary.of(1, 4, 1000.0)
    assert {one.leg(fs) for fs in (0.0, 999.0, 1e9)} == {0}
    assert [one.start(k, 0) for k in range(4)] == [0] * 4


@pytest.mark.parametrize("n_walkers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n_starts", [2, 3, 4, 5, 6, 9])
def test_all_starts_are_walked_within_the_time_however_short_it_is(n_starts, n_walkers):
    one = Itinerary.of(n_starts, n_walkers, 0.1 * LEAST_LEG)
    assert {start for _, start in walked(one, 1.0)} == set(range(n_starts))


@pytest.mark.parametrize("n_walkers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n_starts", [2, 3, 4, 5, 6, 9])
def test_with_time_enough_every_walker_meets_every_start(n_starts, n_walkers):
    one = Itinerary.of(n_starts, n_walkers, 20 * LEAST_LEG)
    assert len(walked(one, 1.0)) == n_starts * n_walkers


def test_the_first_leg_takes_starts_in_turn():
    one = Itinerary.of(3, 4, 9000.0)
    assert [one.start(k, 0) for k in range(4)] == [0, 1, 2, 0]


def test_beyond_the_time_legs_are_short_so_that_a_window_of_audits_sees_many_starts():
    one = Itinerary.of(2, 2, 10_000.0)
    assert (one.leg(4999.0), one.leg(5000.0), one.leg(9999.0)) == (0, 1, 1)
    assert [one.leg(10_000.0 + k * 10_000.0 / LATE) for k in range(3)] == [2, 3, 4]


def test_a_leg_that_is_over_to_rounding_is_over():
    one = Itinerary.of(3, 3, 3000.0)
    assert one.leg(math.nextafter(1000.0, 0.0)) == 1

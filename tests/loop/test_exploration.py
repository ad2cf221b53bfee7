"""A block of every walker: limits and slack, where to go on from, audits by the clock, the control arm."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from blocks import LIMITS, block, frames, moment, walk_of, walker_at

from thalweg.calibration import BoundMap
from thalweg.explorers.dynamics import MolecularDynamics
from thalweg.explorers.limits import NOVELTY_BREAK, WalkEvent
from thalweg.explorers.md import MdSettings
from thalweg.loop.events import Explore
from thalweg.loop.walking import exploration
from thalweg.loop.walking.exploration import (
    SLACK,
    Walk,
    at_random,
    draw_audits,
    next_walkers,
)
from thalweg.loop.walking.gate import GateAnswer

ACTION = Explore(block_fs=100.0, limit=0.2, break_limit=0.6)


class Calibrated:
    """Errors are twice the deviation, and three times at 900 K."""

    bounds = BoundMap(0.95, (2.0, 0.01), scales=((300.0, 1.0), (900.0, 1.5)))


def walk_over(results, taught, action=ACTION, walkers=None):
    """`walk` with the explorer's part replaced by finished blocks; also what it was given."""
    given = SimpleNamespace()

    class Given(MolecularDynamics):
        def advance(self, field, walkers, n_steps, limits, *, sample_every=None):
            given.walkers, given.n_steps, given.every, given.limits = walkers, n_steps, sample_every, limits
            return results

    walk = exploration.walk(
        Given(MdSettings(timestep_fs=2.0, record_stride=100)),
        SimpleNamespace(elements=("Cu",)),
        walkers or [walker_at(moment(0), k) for k in range(len(results))],
        action,
        Calibrated,
        taught=taught,
    )
    return walk, given


def standing(event=WalkEvent.ENERGY_SPIKE):
    """A block that ended before its first step."""
    return dataclasses.replace(block([moment(0, 0.1)], event=event), n_steps=0)


def test_a_taught_walker_has_slack_and_no_other_has():
    results = [block([moment(1)]), block([moment(1)]), block([moment(1)])]
    _, given = walk_over(results, taught={1: 0.5, 2: 0.1})
    assert [one.bound_break for one in given.limits] == [0.6, pytest.approx(SLACK * 0.5), 0.6]
    assert [one.novelty_break for one in given.limits] == [NOVELTY_BREAK, math.inf, math.inf]
    assert all(one.bound_label == 0.2 for one in given.limits)
    assert given.limits[0].species_factor == (2.0,)
    assert given.limits[0].species_floor == (0.01,)


def test_each_walker_is_held_against_the_bounds_of_its_temperature():
    walkers = [walker_at(moment(0), k, temperature) for k, temperature in enumerate((300.0, 900.0))]
    _, given = walk_over([block([moment(1)])] * 2, taught={}, walkers=walkers)
    assert [one.species_factor for one in given.limits] == [(2.0,), (3.0,)]
    assert [one.species_floor for one in given.limits] == [(0.01,), (0.015,)]


def test_short_blocks_give_samples_too():
    _, given = walk_over([block([moment(1)])], taught={})
    assert (given.n_steps, given.every) == (50, 12)
    _, given = walk_over([block([moment(1)])], {}, Explore(2.0, 0.2, 0.6))
    assert (given.n_steps, given.every) == (1, 1)


def test_a_taught_walker_that_cannot_make_a_step_is_rejected_instead_of_asked_about_again():
    walk, _ = walk_over([standing(), standing()], taught={1: 0.1})
    assert [j.answer for j in walk.judgements] == [GateAnswer.BACKTRACK, GateAnswer.REJECT]
    assert walk.judgements[1].moment is None
    assert walk.judgements[1].reason == walk.judgements[0].reason


def test_steps_of_all_walkers_add_up():
    assert walk_of(block([moment(1), moment(2)]), block([moment(1)])).steps == 3


def test_walkers_go_on_step_back_or_restart_and_homes_move_only_with_trust():
    results = [
        block([moment(1), moment(2)]),
        block([moment(1), moment(2, 0.4)]),
        block([moment(1), moment(2, 0.55)], event=WalkEvent.BREAK_UNCERTAIN),
        block([moment(2, 0.55)], event=WalkEvent.TOO_HOT),
    ]
    homes = [walker_at(moment(0), k) for k in range(4)]
    walkers, trusted = next_walkers(
        MolecularDynamics(), walk_of(*results), homes, homes, np.random.default_rng(0)
    )
    assert walkers[0] is trusted[0] is results[0].state
    assert walkers[1] is results[1].state
    assert walkers[2].structure.content_hash == moment(1).structure.content_hash
    assert walkers[3].structure is homes[3].structure
    assert trusted[1:] == homes[1:]
    assert walkers[3].reference_energy == homes[3].reference_energy


def test_a_walker_that_is_held_stands_and_the_others_keep_their_names():
    results = [block([moment(1), moment(2)]), block([moment(1), moment(2, 0.4)])]
    walkers = [walker_at(moment(0), k) for k in range(3)]
    action = dataclasses.replace(ACTION, held=(1,))
    walk, given = walk_over(results, taught={2: 0.5}, action=action, walkers=walkers)
    assert [walker.walker_id for walker in given.walkers] == [0, 2]
    assert [one.bound_break for one in given.limits] == [0.6, pytest.approx(SLACK * 0.5)]
    assert [judgement.walker for judgement in walk.judgements] == [0, 2]
    assert (walk.result_of(0), walk.result_of(1), walk.result_of(2)) == (results[0], None, results[1])
    after, homes = next_walkers(MolecularDynamics(), walk, walkers, walkers, np.random.default_rng(0))
    assert after == [results[0].state, walkers[1], results[1].state]
    assert homes == [results[0].state, walkers[1], walkers[2]]
    drawn = draw_audits(walk, 2, np.random.default_rng(0))
    assert sorted(walker for walker, _ in drawn) == [0, 2]


def test_a_walker_that_could_not_leave_its_home_measures_its_energy_anew():
    walk = walk_of(standing())
    rejected = Walk(walk.results, (exploration.Judgement(0, GateAnswer.REJECT, walk.judgements[0].reason),))
    start = [walker_at(moment(0))]
    walkers, _ = next_walkers(MolecularDynamics(), rejected, start, start, np.random.default_rng(0))
    assert walkers[0].reference_energy is None


def test_audits_are_spread_over_walkers_and_even_over_time():
    trajectory = [moment(k, bound=0.1 if k < 9 else 0.19) for k in range(10)]
    walk = walk_of(*(block(trajectory, walker_id=k) for k in range(3)))
    rng = np.random.default_rng(2)
    steps = np.zeros(10)
    for _ in range(2000):
        drawn = draw_audits(walk, 3, rng)
        assert sorted(walker for walker, _ in drawn) == [0, 1, 2]
        for _, one in drawn:
            steps[one.step] += 1
    # 6000 draws over ten moments, the uncertain one among them: five standard deviations of a binomial
    assert np.abs(steps - 600).max() < 5 * math.sqrt(6000 * 0.1 * 0.9)


def test_audits_beyond_the_number_of_walkers_go_round_and_walkers_without_samples_give_none():
    full = block([moment(1), moment(2)])
    empty = dataclasses.replace(full, samples=frames([]))
    drawn = draw_audits(walk_of(full, empty), 4, np.random.default_rng(0))
    assert [walker for walker, _ in drawn] == [0, 0]
    assert draw_audits(walk_of(full), 0, np.random.default_rng(0)) == []


def test_the_control_arm_changes_what_is_asked_and_not_who_asks():
    trusted = block([moment(1), moment(2)])
    uncertain = block([moment(1), moment(2, 0.4), moment(3)])
    broken = block([moment(1), moment(2, 0.4)], event=WalkEvent.BREAK_UNCERTAIN)
    rejected = block([moment(1, 0.55)], event=WalkEvent.TOO_HOT)
    walk = walk_of(trusted, uncertain, broken, rejected)
    rng = np.random.default_rng(1)
    asked = [at_random(walk, rng).judgements for _ in range(60)]
    assert all(judgements[0] == walk.judgements[0] for judgements in asked)
    expected = [GateAnswer.TRUST, GateAnswer.LABEL, GateAnswer.BACKTRACK, GateAnswer.BACKTRACK]
    assert all([j.answer for j in judgements] == expected for judgements in asked)
    assert {judgements[1].moment.step for judgements in asked} == {1, 2, 3}
    assert asked[0][1].reason.cause == "random"
    assert walk.judgements[1].moment.step == 2


def test_the_limits_of_a_block_are_those_decided():
    limits = exploration.gate_limits(Explore(100.0, LIMITS.label, LIMITS.break_))
    assert (limits.label, limits.break_) == (LIMITS.label, LIMITS.break_)


def test_frames_before_a_step_are_the_first_ones():
    cut = frames([moment(k) for k in (2, 4, 6)]).before(5)
    assert [one.step for one in cut] == [2, 4]
    assert (len(cut.bound), len(cut.positions)) == (2, 2)
    assert len(cut.before(0)) == 0

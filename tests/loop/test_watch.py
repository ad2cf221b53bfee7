"""Walkers that part: from which moment on nothing counts, where they go, and what is counted."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from blocks import block, dimer, moment, walker_at

from thalweg.explorers.dynamics import MolecularDynamics
from thalweg.explorers.limits import WalkEvent
from thalweg.explorers.md import MdSettings
from thalweg.explorers.origin import Origin, Parting
from thalweg.loop.events import Explore
from thalweg.loop.walking import exploration
from thalweg.loop.walking.exploration import draw_audits, next_walkers
from thalweg.loop.walking.gate import GateAnswer
from thalweg.loop.walking.watch import Watch

ACTION = Explore(block_fs=100.0, limit=0.2, break_limit=0.6)
APART = 8.0
ORIGIN = Origin.of(dimer(), holds_shape=False)


def at(step, distance, bound=0.1):
    return dataclasses.replace(moment(step, bound), structure=dimer(distance))


def walk_with(moments, *, stops=True, before=2.5, event=WalkEvent.BLOCK_END):
    """A walk of one walker over these moments, held against the dimer."""
    return walk_over(block(moments, event=event), stops=stops, before=before)


def walk_over(result, *, stops=True, before=2.5):
    class Given(MolecularDynamics):
        def advance(self, *args, **kwargs):
            return [result]

    return exploration.walk(
        Given(MdSettings(timestep_fs=2.0, record_stride=100)),
        SimpleNamespace(elements=("Cu",)),
        [walker_at(at(0, before))],
        ACTION,
        SimpleNamespace(
            bounds=SimpleNamespace(lines=lambda numbers, temperature: (np.array([2.0]), np.array([0.01])))
        ),
        taught={},
        watch=Watch({0: ORIGIN}, stops=stops),
    )


LEAVING = [at(1, 2.5), at(2, 3.0), at(3, APART), at(4, APART + 1)]


def test_a_walker_that_parted_is_neither_audited_nor_asked_about_from_then_on():
    walk = walk_with([*LEAVING[:3], at(4, APART + 1, bound=0.5)])
    assert walk.parted[0].moment.step == 3
    assert walk.parted[0].how is Parting.DISSOCIATED
    assert list(walk.results[0].samples.step) == [1, 2]
    assert walk.judgements[0].answer is GateAnswer.TRUST
    drawn = [draw_audits(walk, 1, np.random.default_rng(k)) for k in range(20)]
    assert {one.step for ((_, one),) in drawn} == {1, 2}


def test_what_was_uncertain_before_it_parted_is_still_asked_about():
    walk = walk_with([at(1, 2.5), at(2, 3.0, bound=0.3), at(3, APART), at(4, APART)])
    assert walk.judgements[0].answer is GateAnswer.LABEL
    assert walk.judgements[0].moment.step == 2


def test_it_goes_back_to_its_start_with_the_time_walked_until_then():
    walk = walk_with(LEAVING)
    walkers = [walker_at(at(0, 2.5))]
    start = dimer(2.2)
    after, homes = next_walkers(
        MolecularDynamics(), walk, walkers, walkers, np.random.default_rng(0), [start]
    )
    assert after[0] is homes[0]
    assert after[0].structure is start
    assert after[0].time_fs == LEAVING[2].time_fs
    assert after[0].step > walkers[0].step


def test_a_walker_that_holds_together_goes_on():
    walk = walk_with([at(1, 2.5), at(2, 3.0)])
    assert walk.parted == {}
    walkers = [walker_at(at(0, 2.5))]
    after, _ = next_walkers(MolecularDynamics(), walk, walkers, walkers, np.random.default_rng(0), [dimer()])
    assert after[0] is walk.results[0].state


def test_one_that_came_back_within_the_block_has_parted_too():
    assert walk_with([at(1, 2.5), at(2, APART), at(3, 2.6)]).parted[0].moment.step == 2


def test_nothing_is_asked_about_a_moment_between_samples_at_which_it_was_apart():
    whole = [at(1, 2.5), at(3, 2.6)]
    between = at(2, APART, bound=0.5)
    result = dataclasses.replace(block([*whole, at(4, 2.6, bound=0.3)]), worst=between)
    assert walk_over(result).judgements[0].answer is GateAnswer.TRUST
    near = dataclasses.replace(result, worst=at(2, 2.7, bound=0.5))
    assert walk_over(near).judgements[0].answer is GateAnswer.LABEL


def test_walked_on_with_it_is_told_of_once_and_everything_counts():
    walk = walk_with(LEAVING, stops=False)
    assert walk.parted[0].moment.step == 3
    assert walk.goes_back(0) is None
    assert list(walk.results[0].samples.step) == [1, 2, 3, 4]
    walkers = [walker_at(at(0, 2.5))]
    after, _ = next_walkers(MolecularDynamics(), walk, walkers, walkers, np.random.default_rng(0))
    assert after[0] is walk.results[0].state
    assert walk_with(LEAVING[2:], stops=False, before=APART).parted == {}


@pytest.mark.parametrize("event", [WalkEvent.BREAK_UNCERTAIN, WalkEvent.TOO_HOT])
def test_a_break_beyond_the_parting_is_none(event):
    walk = walk_with(LEAVING, event=event)
    assert walk.judgements[0].answer is GateAnswer.TRUST
    assert walk.goes_back(0) is not None
    whole = walk_with([at(1, 2.5), at(2, 3.0)], event=event)
    assert whole.judgements[0].answer is GateAnswer.BACKTRACK

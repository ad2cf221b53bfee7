"""Walkers that are brought in step walk on as each would alone, and no random number comes twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from small_potentials import random_potential, silicon
from thalweg.explorers import Limits, MdSettings, WalkerState, advance
from thalweg.explorers.base import CoreField
from thalweg.explorers.walker import in_step
from thalweg.potential import Potential

STEPS = (40, 7, 40, 12)


@pytest.fixture(scope="module")
def potential() -> Potential:
    return random_potential("Si", train=[silicon(k) for k in range(4)])


@pytest.fixture
def walkers() -> list[WalkerState]:
    return [
        replace(WalkerState.start(silicon(k), temperature=200.0, seed=3, walker_id=k), step=step)
        for k, step in enumerate(STEPS)
    ]


def walked(potential: Potential, states: list[WalkerState]) -> list[WalkerState]:
    how = MdSettings(timestep_fs=0.5, record_stride=0, history_stride=0, committee="screened")
    limits = Limits(temperature_max=np.inf, min_distance=np.zeros((1, 1)))
    field = CoreField(potential.elements, potential.force_field)
    return [result.state for result in advance(field, states, 20, how, limits)]


def test_counters_go_to_the_largest_and_nothing_else_changes(walkers: list[WalkerState]) -> None:
    brought = in_step(walkers)
    assert [walker.step for walker in brought] == [40] * 4
    for before, after in zip(walkers, brought, strict=True):
        assert replace(after, step=before.step).to_dict() == before.to_dict()
        assert after.step >= before.step, "a step back would draw the same numbers again"
    assert brought[0] is walkers[0]
    assert in_step([]) == []


def test_states_of_other_explorers_are_left_alone(walkers: list[WalkerState]) -> None:
    other = object()
    assert in_step([walkers[1], other, walkers[0]])[1] is other


def test_each_walks_as_it_would_alone(potential: Potential, walkers: list[WalkerState]) -> None:
    brought = in_step(walkers)
    together = walked(potential, brought)
    alone = [walked(potential, [walker])[0] for walker in brought]
    for a, b in zip(together, alone, strict=True):
        assert np.array_equal(a.structure.positions, b.structure.positions)
    moved = walked(potential, [walkers[1]])[0]  # the control: the step decides the random numbers
    assert not np.array_equal(moved.structure.positions, alone[1].structure.positions)

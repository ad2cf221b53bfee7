"""The ladder of sizes: each fit begins near the best one below, and the best is taken."""

from dataclasses import replace

import numpy as np
import pytest

from labelled_shells import shells
from thalweg.fitting import FitSettings, climb, make_baseline
from thalweg.fitting.assembly import Assembly, Fitted
from thalweg.fitting.choice import silent
from thalweg.fitting.data import Spread
from thalweg.fitting.screening import Screen, ScreeningSetup

LADDER = ((3, 1), (4, 2), (5, 2), (6, 3))
SETUP = ScreeningSetup(4.5)


@pytest.fixture(autouse=True)
def ladder(monkeypatch):
    monkeypatch.setitem(climb.SIZES, 1, {1: LADDER})


@pytest.fixture
def screen():
    labelled = shells(24, peak=2.6)
    return Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings(), {1: (4, 2)})


def test_every_fit_begins_near_the_best_below(screen, monkeypatch):
    near, anew, made = Assembly.near, Assembly.anew, []

    def watched_near(assembly, start):
        made.append((near(assembly, start), start))
        return made[-1][0]

    def watched_anew(assembly):
        made.append((anew(assembly), None))
        return made[-1][0]

    of_sample = screen.fit(SETUP).start
    monkeypatch.setattr(Assembly, "near", watched_near)
    monkeypatch.setattr(Assembly, "anew", watched_anew)
    fitted, size = climb.choose_size(screen, Spread.alike(24), SETUP, silent)
    assert np.array_equal(made[0][1].x, of_sample.x)
    best, below = made[0][0], -np.inf
    for k in range(1, len(made)):
        one, start = made[k]
        if start is None:  # once more: on the first rung, or where too little was gained
            assert one.basis == made[k - 1][0].basis
            assert made[k - 1][0].score() > below - climb.GAIN
        else:
            below = best.score()
            assert np.array_equal(start.x, best.start.x)
        best = min(best, one, key=Fitted.score)
    assert fitted is best
    assert len(size.tried) == len({one.basis for one, _ in made}) < len(made)


def test_a_search_that_ends_badly_is_begun_again(screen, monkeypatch):
    near, lost = Assembly.near, []

    def loses_its_way(assembly, start):
        fitted = near(assembly, start)
        if assembly.basis.max_degree != LADDER[1]:
            return fitted
        lost.append(fitted)
        return replace(fitted, examined=replace(fitted.held_out, energy=fitted.held_out.energy + 1.0))

    screen.fit(SETUP)
    monkeypatch.setattr(Assembly, "near", loses_its_way)
    _, size = climb.choose_size(screen, Spread.alike(24), SETUP, silent)
    assert len(lost) == 1
    assert size.tried[1]["error"] < 1.0


def test_a_size_passed_by_that_is_the_best_is_taken(screen, monkeypatch):
    scores = dict(zip(LADDER, (0.0, -1.0, -0.9, -0.8), strict=True))
    monkeypatch.setattr(Fitted, "score", lambda one: scores.get(one.basis.max_degree, 0.0))
    fitted, size = climb.choose_size(screen, Spread.alike(24), SETUP, silent)
    assert tuple(size.chosen) == LADDER[1] == fitted.basis.max_degree
    assert len(size.tried) == 4
    assert "less than" in size.why


def test_the_ladder_goes_on_after_one_miss(screen, monkeypatch):
    scores = dict(zip(LADDER, (0.0, -1.0, -0.9, -2.0), strict=True))
    monkeypatch.setattr(Fitted, "score", lambda one: scores.get(one.basis.max_degree, 0.0))
    fitted, size = climb.choose_size(screen, Spread.alike(24), SETUP, silent)
    assert fitted.basis.max_degree == LADDER[3]
    assert "largest" in size.why

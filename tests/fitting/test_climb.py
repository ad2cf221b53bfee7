"""The ladder of sizes: each fit begins near the best below, none is made whose forecast gain is not worth its work."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from labelled_shells import shells
from thalweg.fitting import FitSettings, climb, make_baseline
from thalweg.fitting.assembly import Assembly, Fitted
from thalweg.fitting.choice import silent
from thalweg.fitting.data import Spread
from thalweg.fitting.screening import Screen, ScreeningSetup

LADDER = ((3, 1), (4, 2), (6, 3), (8, 5), (10, 7))
SETUP = ScreeningSetup(4.5)
PLENTY = 1e15


@pytest.fixture(autouse=True)
def ladder(monkeypatch):
    monkeypatch.setitem(climb.SIZES, 1, {1: LADDER})


@pytest.fixture(scope="module")
def labelled():
    return shells(40, peak=2.6)


def screen_of(labelled, settings=None):
    return Screen(labelled, make_baseline(labelled, ("Cu",)), settings or FitSettings(), {1: (4, 2)})


def test_every_fit_begins_near_the_best_below(labelled, monkeypatch):
    screen, near, made = screen_of(labelled), Assembly.near, []

    def watched(assembly, start):
        made.append((near(assembly, start), start))
        return made[-1][0]

    of_sample = screen.fit(SETUP).start
    monkeypatch.setattr(Assembly, "near", watched)
    monkeypatch.setattr(climb, "MOSTLY", 2.0)
    fitted, size = climb.choose_size(screen, Spread.alike(40), SETUP, silent)
    assert np.array_equal(made[0][1].x, of_sample.x)
    best = made[0][0]
    for one, start in made[1:]:
        assert np.array_equal(start.x, best.start.x)
        best = min(best, one, key=Fitted.score)
    assert fitted is best
    assert len(size.tried) == len(made) > 1


def test_the_first_basis_is_one_that_the_labels_determine(labelled, monkeypatch):
    bases = [climb.basis_of(("Cu",), SETUP, degrees) for degrees in LADDER]
    assert climb._first(bases, labelled) == climb.SCREENED == 1
    monkeypatch.setattr(climb, "AMPLY", 1e3)
    assert climb._first(bases, labelled) == 0


# --- the rule alone, with scores that are known beforehand ------------------------------------------------


@dataclass
class Known:
    """What stands for a fit."""

    basis: object
    value: float
    start: str = "some"

    def score(self):
        return self.value


def climbed(monkeypatch, labelled, scores, effort=1.0, work=PLENTY, n_labels=20):
    """The places that were fitted, in order, the best basis, and why it ended there."""
    stood, by_degrees = [], dict(zip(LADDER, scores, strict=True))

    def assemble(labels, basis, *_):
        stood.append(LADDER.index(basis.max_degree))
        made = Known(basis, by_degrees[basis.max_degree])
        return SimpleNamespace(near=lambda start: made, anew=lambda: made)

    monkeypatch.setattr(climb, "assemble", assemble)
    screen = SimpleNamespace(
        all=labelled,
        baseline=SimpleNamespace(elements=("Cu",)),
        settings=FitSettings(effort=effort),
        work=work,
        n_labels=n_labels,
        basis=lambda setup: climb.basis_of(("Cu",), setup, LADDER[1]),
        fit=lambda setup: SimpleNamespace(start="the sample's", score=scores[1]),
    )
    best, choice = climb.choose_size(screen, Spread.alike(40), SETUP, silent)
    return stood, best.basis.max_degree, choice.why


def test_a_step_is_left_out_where_the_one_after_it_pays_as_well(monkeypatch, labelled):
    stood, best, why = climbed(monkeypatch, labelled, (0.0, -1.0, -2.0, -3.0, -4.0))
    assert stood == [1, 3, 4]
    assert best == LADDER[4]
    assert "largest of the ladder" in why


def test_what_was_left_out_is_looked_at_where_the_leap_failed(monkeypatch, labelled):
    stood, best, why = climbed(monkeypatch, labelled, (0.0, -1.0, -1.5, -0.9, -4.0))
    assert stood == [1, 3, 2]
    assert best == LADDER[2]
    assert "no gain by forecast" in why


def test_no_step_is_made_whose_forecast_is_not_worth_its_work(monkeypatch, labelled):
    scores = (0.0, -1.0, -1.01, -1.02, -1.03)
    assert climbed(monkeypatch, labelled, scores)[0] == [
        1,
        3,
        4,
    ]  # work so far was so much that it costs nothing
    monkeypatch.setattr(climb, "LITTLE", 1.0)
    stood, best, why = climbed(monkeypatch, labelled, scores, work=1e7)
    assert stood[-1] < 4
    assert best == LADDER[stood[-1]]
    assert "times all work so far for a forecast" in why
    assert climbed(monkeypatch, labelled, scores, effort=1e3, work=1e7)[0][-1] == 4


def test_the_first_step_is_judged_by_an_ordinary_slope(monkeypatch, labelled):
    monkeypatch.setattr(climb, "LITTLE", 1.0)
    monkeypatch.setattr(climb, "FIRST_SLOPE", 1e-6)
    stood, best, why = climbed(monkeypatch, labelled, (0.0, -1.0, -2.0, -3.0, -4.0), work=1.0)
    assert (stood, best) == ([1], LADDER[1])
    assert "would cost" in why


def test_the_word_of_nearly_all_labels_is_enough_for_the_first_basis(monkeypatch, labelled):
    stood, _, why = climbed(monkeypatch, labelled, (0.0, -1.0, -2.0, -3.0, -4.0), n_labels=39)
    assert stood == [3, 4]
    assert "features 1.00" in why
    stood, best, _ = climbed(monkeypatch, labelled, (0.0, -1.0, -0.5, -0.4, -4.0), n_labels=39)
    assert stood == [3, 2, 1]  # it has the least error: so it is fitted to all of them
    assert best == LADDER[1]

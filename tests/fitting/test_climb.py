"""The ladder of sizes: each fit begins near the one below, and what is said of it is what was done."""

import numpy as np
import pytest

from labelled_shells import shells
from thalweg import api
from thalweg.config import ModelConfig
from thalweg.fitting import FitSettings, choosing, climb, make_baseline
from thalweg.fitting.choice import silent
from thalweg.fitting.held_out import HeldOutErrors
from thalweg.fitting.screening import Screen
from thalweg.fitting.spread import Law

LADDER = ((3, 1), (4, 2), (5, 2), (6, 3))


@pytest.fixture(autouse=True)
def ladder(monkeypatch):
    monkeypatch.setitem(climb.SIZES, 1, LADDER)


def chosen_of(labelled, *, fixed):
    screen = Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings())
    return climb.choose_size(screen, screen.spread(), 4.5, fixed, silent), screen


def test_every_fit_but_the_first_begins_near_another(monkeypatch):
    starts, fit = [], climb.fit_basis

    def watched(labelled, basis, baseline, spread, settings, start):
        starts.append((basis, start))
        return fit(labelled, basis, baseline, spread, settings, start)

    monkeypatch.setattr(climb, "fit_basis", watched)
    chosen_of(shells(24, peak=2.6), fixed=False)
    (_, first), *others = starts
    assert first is None
    assert all(start is not None for _, start in others)
    # those beside the second rung begin where it began
    second = [start.basis.max_degree for basis, start in others if basis.max_degree == LADDER[1]]
    assert len(second) > 2
    assert set(second) == {LADDER[0]}


def test_a_size_passed_by_that_turns_out_the_best_is_taken(monkeypatch):
    scores = {1: [0.0], 2: [0.0, -1.0], 3: [0.0, -1.0, -1.1], 4: [0.0, -2.0, -1.1, -1.0]}

    def score(one, rung):
        return scores[max(1, len(one.rungs))][: len(one.rungs)][LADDER.index(rung.basis.max_degree)]

    monkeypatch.setattr(climb._Climb, "fit", quietly(climb._Climb.fit))
    monkeypatch.setattr(climb._Climb, "score", score)
    (fitted, (size,)), _ = chosen_of(shells(24, peak=2.6), fixed=True)
    assert len(size.tried) == 4
    assert tuple(size.chosen) == LADDER[1] == fitted.basis.max_degree


def quietly(fit):
    """Without a word on the score, which a rung has only when stood upon."""

    def fitted(one, basis):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(climb._Climb, "score", lambda *_: 0.0)
            return fit(one, basis)

    return fitted


@pytest.mark.parametrize("newest", [False, True])
def test_the_laws_of_noise_left_in_force_are_those_of_the_fit(monkeypatch, newest):
    laws = iter([Law(0.1 * k) for k in range(1, 20)])

    def learn(screen, _):
        screen.laws = (next(laws), Law())

    monkeypatch.setattr(Screen, "_learn_laws", learn)
    with_newest = climb._with_newest_noise
    fits = []

    def settle(fitted, spread, settings):
        fits.append(fitted)
        monkeypatch.setattr(HeldOutErrors, "score", lambda *_: 0.0)  # a tie goes to the newest
        return with_newest(fitted, spread, settings) if newest else fitted

    monkeypatch.setattr(climb, "_with_newest_noise", settle)
    (fitted, _), screen = chosen_of(shells(24, peak=2.6), fixed=True)
    assert (fitted is fits[0]) != newest
    assert np.array_equal(screen.spread().energy, fitted.spread.energy)
    assert np.ptp(fitted.spread.energy) > 0


def test_the_noise_that_is_told_is_that_learned_last(monkeypatch):
    choose_size = choosing.choose_size

    def chosen(screen, *args):
        fitted, choices = choose_size(screen, *args)
        screen.laws = (Law(5.0), Law())
        return fitted, choices

    monkeypatch.setattr(choosing, "choose_size", chosen)
    result = api.fit(shells(22, peak=2.6), options=ModelConfig(r_cut=4.5))
    assert [choice.setting for choice in result.fitted.choices] == ["radial_exponent", "noise", "max_degree"]
    assert result.fitted.choices[1].chosen == {"energy": 5.0, "forces": None}

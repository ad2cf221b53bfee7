"""A basis' neighbours are compared with it within an allowance, and what is fixed stays."""

import numpy as np
import pytest

from labelled_shells import shells
from thalweg.errors import InputError
from thalweg.features.defaults import default_basis
from thalweg.fitting import FitSettings, Wanted, make_baseline, nearby
from thalweg.fitting.assembly import fit_basis
from thalweg.fitting.data import Spread
from thalweg.fitting.nearby import Present, choose_nearby, least_work
from thalweg.fitting.work import Extent, work_of

AMPLE = 1e13
SIZED = Wanted(max_degree=(6, 4))


def small(r_cut=4.2, exponent=3):
    return default_basis(("Cu",), True, r_cut, max_degree=(6, 4), radial_exponent=exponent)


def near(labelled, present, allowance=AMPLE, tell=lambda line: None):
    return choose_nearby(labelled, present, make_baseline(labelled, ("Cu",)), FitSettings(), allowance, tell)


@pytest.fixture(scope="module")
def labelled():
    return shells(24, peak=4.6, width=0.3)


@pytest.fixture(scope="module")
def found(labelled):
    told = []
    return near(labelled, Present(small(), wanted=SIZED), tell=told.append), told


def test_a_cutoff_too_short_is_made_longer(found):
    best, told = found
    assert best.fitted.basis.r_cut > 4.6
    assert best.gain > 0.1
    assert best.gain == pytest.approx(1.0 - np.exp(best.fitted.score() - best.before))
    assert any(line.startswith("r_cut: ") and "1.0" in line for line in told)


def test_the_present_basis_is_judged_on_the_same_folds(labelled, found):
    baseline, spread = make_baseline(labelled, ("Cu",)), Spread.alike(len(labelled))
    alone = fit_basis(labelled, small(), baseline, spread, FitSettings(), None, nearby.ANEW_STEPS)
    assert found[0].before == alone.score()


def test_the_same_question_has_the_same_answer(labelled, found):
    again = near(labelled, Present(small(), wanted=SIZED))
    assert again.fitted.basis == found[0].fitted.basis
    assert np.array_equal(again.fitted.start.x, found[0].fitted.start.x)
    assert again.work == found[0].work


def test_what_is_fixed_is_not_turned(labelled):
    fixed = Wanted(r_cut=4.2, max_degree=(6, 4))
    best = near(labelled, Present(small(), wanted=fixed))
    assert (best.fitted.basis.r_cut, best.fitted.basis.max_degree) == (4.2, (6, 4))
    assert {choice.setting for choice in best.choices} == {"radial_exponent"}


def test_work_stays_within_the_allowance(labelled, found):
    present = Present(small(), wanted=SIZED)
    least = least_work(labelled, present)
    assert near(labelled, present, 0.99 * least) is None
    few = near(labelled, present, 2.0 * least)
    assert least / 2 < few.work <= 2.0 * least < found[0].work


def test_nothing_is_turned_where_all_is_well(labelled, found):
    settled = near(labelled, Present(found[0].fitted.basis, found[0].fitted.start, SIZED))
    assert settled.fitted.basis.r_cut == found[0].fitted.basis.r_cut
    assert settled.gain < 0.02


def test_a_larger_basis_must_be_worth_its_time_per_step(labelled, monkeypatch):
    basis = default_basis(("Cu",), True, 5.0, max_degree=(12, 10, 8, 8))
    larger = nearby._larger(basis, 1)
    assert larger.n_features > nearby._LARGER * basis.n_features
    assert nearby._enough(basis, larger) > nearby.BETTER == nearby._enough(larger, basis)
    assert nearby._larger(larger, -1) == basis
    assert nearby._heavier(basis, 1).radial_weight == 2
    assert nearby._heavier(basis, -1) is None


def test_degrees_of_many_elements_go_up_and_down_together():
    basis = default_basis(("H", "C", "N", "O"), False)
    assert nearby._larger(basis, 1).max_degree == tuple(d + 1 for d in basis.max_degree)
    assert nearby._larger(basis, -1).max_degree == tuple(d - 1 for d in basis.max_degree)


def test_few_labels_are_refused(labelled):
    with pytest.raises(InputError, match="too few to choose by"):
        near(labelled[:5], Present(small()))


def test_work_grows_with_labels_cutoff_and_size(labelled):
    work = work_of(labelled, small(), 5)
    assert work_of(labelled * 2, small(), 5) == pytest.approx(2 * work, rel=0.3)
    assert work < work_of(labelled, small(5.0), 5)
    assert work < work_of(labelled, default_basis(("Cu",), True, 4.2, max_degree=(12, 10)), 5)
    assert work < work_of(labelled, small(), 6)
    extent = Extent.of(labelled, 4.2)
    assert extent.n_labels == 24
    assert extent.n_rows == sum(7 + 3 * len(structure) for structure, _ in labelled)

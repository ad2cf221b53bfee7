"""The labels choose cutoff and size: where an interaction lies is found, and what is fixed is not searched."""

import numpy as np
import pytest

from labelled_shells import shells
from thalweg import api
from thalweg.config import ModelConfig
from thalweg.features import AceBasis
from thalweg.fitting import FitSettings, make_baseline
from thalweg.fitting.choosing import choose_cutoff, choose_exponent
from thalweg.fitting.climb import WORK, too_much
from thalweg.fitting.screening import Screen


def screen_of(labelled):
    return Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings())


@pytest.mark.parametrize(("peak", "longer"), [(5.2, True), (2.6, False)])
def test_the_cutoff_goes_to_where_the_interaction_is(peak, longer):
    choice = choose_cutoff(screen_of(shells(24, peak=peak, width=0.3)), 4.2)
    assert (choice.chosen > 5.0) == longer
    errors = {trial["r_cut"]: trial["error"] for trial in choice.tried}
    assert errors[choice.chosen] == 1.0
    assert all(error > 1.0 for r_cut, error in errors.items() if r_cut != choice.chosen)
    assert f"{min(errors)} Å" in choice.why


def test_a_fit_says_what_it_compared_and_why():
    labelled = shells(22, peak=2.6)
    result = api.fit(labelled, options=ModelConfig(max_degree=(6, 4)))
    choices = {choice["setting"]: choice for choice in result.to_json()["model"]["choice"]}
    assert set(choices) == {"r_cut", "radial_exponent", "noise"}
    assert result.potential.basis.r_cut == choices["r_cut"]["chosen"]
    assert len(choices["r_cut"]["tried"]) >= 3
    assert any("r_cut" in line and "held-out error" in line for line in result.story())


def test_what_is_fixed_is_not_searched():
    result = api.fit(shells(22, peak=5.2), options=ModelConfig(r_cut=4.0, max_degree=(6, 4)))
    assert result.potential.basis.r_cut == 4.0
    assert result.potential.basis.max_degree == (6, 4)
    assert {choice.setting for choice in result.fitted.choices} == {"radial_exponent", "noise"}


def test_few_labels_take_the_defaults_and_say_so():
    result = api.fit(shells(5, peak=2.6), options=ModelConfig(max_degree=(6, 4)))
    assert [choice.setting for choice in result.fitted.choices] == ["basis"]
    assert "too few" in result.story()[0]


def test_work_is_limited_by_effort():
    labelled = shells(3, peak=2.6)
    small, large = (AceBasis(("Cu",), 5.0, correlation_order=2, max_degree=d) for d in ((4, 2), (12, 10)))
    assert too_much(small, labelled * 20, FitSettings()) is None
    assert "more work" in too_much(large, labelled * 20, FitSettings(effort=1e-6))
    assert "more coefficients" in too_much(large, labelled[:1], FitSettings())
    assert WORK > 0


def test_a_larger_basis_is_taken_only_while_it_pays(monkeypatch):
    from thalweg.fitting import climb as module

    ladder = ((3, 1), (8, 2), (9, 3), (10, 10))
    monkeypatch.setitem(module.SIZES, 1, ladder)
    result = api.fit(shells(30, peak=2.6), options=ModelConfig(r_cut=4.5))
    size = next(c for c in result.fitted.choices if c.setting == "max_degree")
    assert tuple(size.chosen) in ladder[1:]
    errors = [trial["error"] for trial in size.tried]
    assert errors[1] < 0.5 * errors[0]
    assert tuple(result.potential.basis.max_degree) == tuple(size.chosen)


def test_the_same_labels_give_the_same_choice():
    labelled = shells(22, peak=2.6)
    first, second = (choose_cutoff(screen_of(labelled), 4.2) for _ in range(2))
    assert first == second
    assert np.isfinite(first.chosen)


def test_the_exponent_of_least_error_is_taken_on():
    screen = screen_of(shells(24, peak=2.6))
    choice = choose_exponent(screen, 4.5)
    errors = {trial["radial_exponent"]: trial["error"] for trial in choice.tried}
    assert set(errors) == {1, 2, 3}
    assert min(errors.values()) == errors[choice.chosen] == 1.0
    assert max(errors.values()) > 1.01
    assert screen.exponent == choice.chosen == screen.basis(4.5).radial_exponent


def test_each_basis_tried_is_told_of():
    told = []
    result = api.fit(shells(22, peak=2.6), options=ModelConfig(), effort=1e-3, tell=told.append)
    size = next(c for c in result.fitted.choices if c.setting == "max_degree")
    assert "cutoff" in told[0]
    assert len(told) >= 1 + len(size.tried)
    for trial in size.tried:
        assert any(line.startswith(f"{trial['n_features']} features") for line in told[1:])

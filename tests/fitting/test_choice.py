"""The labels choose cutoff and size: where an interaction lies is found, and what is fixed is not searched."""

from dataclasses import replace

import numpy as np
import pytest

from labelled_shells import shells
from thalweg import api
from thalweg.config import ModelConfig
from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.fitting import FitSettings, make_baseline
from thalweg.fitting.choosing import settle, settle_noise
from thalweg.fitting.climb import WORK, too_much
from thalweg.fitting.ladder import SIZES, rung, small
from thalweg.fitting.screening import _BETTER, CUTOFFS, EXPONENTS, Screen, ScreeningSetup
from thalweg.fitting.spread import ENERGY_LAWS, UNIFORM, Law
from thalweg.label import Label


def screen_of(labelled):
    return Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings())


def cutoff_of(screen, start):
    """The cutoff that its dial leads to, and what was tried."""
    setup = ScreeningSetup(start)
    return screen.downhill(screen.cutoffs(setup, start), setup)


@pytest.mark.parametrize(("peak", "longer"), [(4.6, True), (2.6, False)])
def test_the_cutoff_goes_to_where_the_interaction_is(peak, longer):
    chosen, trials = cutoff_of(screen_of(shells(24, peak=peak, width=0.3)), 4.2)
    assert (chosen.r_cut > 5.0) == longer
    errors = {trial.value.r_cut: trial.error for trial in trials}
    assert errors[chosen.r_cut] == 1.0
    assert len(errors) >= 2
    assert all(error > 1.0 for r_cut, error in errors.items() if r_cut != chosen.r_cut)
    assert list(errors) == sorted(errors)


def test_cutoffs_stay_near_the_automatic_one():
    screen = screen_of(shells(24, peak=2.6))
    dial = [setup.r_cut for setup in screen.cutoffs(ScreeningSetup(5.0), 4.2)]
    assert 5.0 in dial
    assert dial == sorted(dial)
    assert min(dial) >= CUTOFFS[0] * 4.2 - 0.01
    assert max(dial) <= CUTOFFS[1] * 4.2 + 0.01
    assert [setup.r_cut for setup in screen.cutoffs(ScreeningSetup(20.0), 4.2)][
        -1
    ] == 20.0  # what was said is never left out


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


def test_degrees_are_counted_by_the_radial_weight_that_is_given():
    options = ModelConfig(r_cut=4.0, max_degree=(12, 8), radial_weight=2)
    result = api.fit(shells(22, peak=2.6), options=options)
    basis = result.potential.basis
    assert (basis.max_degree, basis.radial_weight) == ((12, 8), 2)
    assert result.to_json()["model"]["radial_weight"] == 2
    assert any("radial_weight 2" in line for line in result.story())
    assert (
        basis.n_features < AceBasis(basis.elements, 4.0, correlation_order=2, max_degree=(12, 8)).n_features
    )
    few = api.fit(shells(5, peak=2.6), options=options).potential.basis
    assert (few.max_degree, few.radial_weight) == ((12, 8), 2)


def test_few_labels_take_the_defaults_and_say_so():
    result = api.fit(shells(5, peak=2.6), options=ModelConfig(max_degree=(6, 4)))
    assert [choice.setting for choice in result.fitted.choices] == ["basis"]
    assert "too few" in result.story()[0]


def test_a_dozen_labels_are_enough_to_choose_by():
    result = api.fit(shells(12, peak=2.6), options=ModelConfig(max_degree=(6, 4)))
    assert {choice.setting for choice in result.fitted.choices} == {"radial_exponent", "r_cut", "noise"}


def test_work_is_limited_by_effort():
    labelled = shells(3, peak=2.6)
    small, large = (AceBasis(("Cu",), 5.0, correlation_order=2, max_degree=d) for d in ((4, 2), (12, 10)))
    assert too_much(small, labelled * 20, FitSettings()) is None
    assert "more work" in too_much(large, labelled * 20, FitSettings(effort=1e-6))
    assert "for each coefficient" in too_much(large, labelled[:1], FitSettings())
    assert WORK > 0


def test_a_larger_basis_is_taken_only_while_it_pays(monkeypatch):
    from thalweg.fitting import climb as module

    ladder = ((3, 1), (8, 2), (9, 3), (10, 10))
    rungs = {weight: tuple((weight * a, weight * b) for a, b in ladder) for weight in (1, 2, 3)}
    monkeypatch.setitem(module.SIZES, 1, rungs)
    result = api.fit(shells(30, peak=2.6), options=ModelConfig(r_cut=4.5))
    size = next(c for c in result.fitted.choices if c.setting == "max_degree")
    assert tuple(size.chosen) in rungs[result.potential.basis.radial_weight][1:]
    errors = [trial["error"] for trial in size.tried]
    assert min(errors) < 0.9 * errors[0]
    assert tuple(result.potential.basis.max_degree) == tuple(size.chosen)


def test_the_same_labels_give_the_same_choice():
    labelled = shells(22, peak=2.6)
    (first, why), (second, again) = (settle(screen_of(labelled), ScreeningSetup(4.2), 4.2) for _ in range(2))
    assert first == second
    assert why == again
    assert [choice.setting for choice in why] == ["radial_exponent", "radial_weight", "r_cut", "noise"]


def test_a_dial_ends_where_no_neighbour_is_better():
    screen = screen_of(shells(24, peak=2.6))
    setup, (exponent, weight, _) = settle(screen, ScreeningSetup(4.5), None)
    errors = {trial["radial_exponent"]: trial["error"] for trial in exponent.tried}
    assert set(errors) <= set(EXPONENTS)
    assert len(errors) >= 2
    assert min(errors.values()) == errors[exponent.chosen] == 1.0
    assert max(errors.values()) > 1.005
    assert setup.exponent == exponent.chosen == screen.basis(setup).radial_exponent
    assert setup.weight == weight.chosen == screen.basis(setup).radial_weight
    assert {trial["radial_weight"] for trial in weight.tried} <= set(screen.degrees)
    assert setup.r_cut == 4.5


def test_laws_of_noise_are_tried_only_where_they_say_something():
    calm = screen_of(shells(24, peak=2.6))
    calm.energy_sizes = np.full(24, 0.1)
    calm.force_sizes = np.full(24, 0.1)
    assert (
        calm.energy_laws(ScreeningSetup(4.5))
        == calm.forces_laws(ScreeningSetup(4.5))
        == [ScreeningSetup(4.5)]
    )
    calm.energy_sizes = np.append(np.full(21, 0.1), [3.0, 3.0, 30.0])
    assert [setup.energy for setup in calm.energy_laws(ScreeningSetup(4.5))] == list(ENERGY_LAWS)


def test_labels_that_are_noisy_where_energies_are_high_are_given_a_law():
    rng = np.random.default_rng(8)
    labelled, high = [], rng.random(60) < 0.4
    for (structure, label), hot in zip(shells(60, peak=2.6), high, strict=True):
        off = rng.normal(0, 2.0) if hot else 0.0
        labelled.append((structure, Label(label.energy + off, label.forces)))
    screen = screen_of(labelled)
    screen.energy_sizes = np.where(high, 30.0, 0.0)
    setup, choice = settle_noise(screen, ScreeningSetup(4.5))
    assert setup.energy != UNIFORM
    assert choice.chosen["energy"] == setup.energy.limit
    assert "grows from" in choice.why
    assert min(trial["error"] for trial in choice.tried) >= np.exp(-_BETTER)
    alike = screen.fit(replace(setup, energy=UNIFORM))
    assert screen.fit(setup).score < alike.score
    assert screen.spread(setup).energy.max() > 3.0 > 2.0 * screen.spread(setup).forces.max()
    assert Law(1.2)(np.array([0.0]))[0] == 1.0


def test_each_basis_tried_is_told_of():
    told = []
    result = api.fit(shells(22, peak=2.6), options=ModelConfig(), effort=1e-3, tell=told.append)
    size = next(c for c in result.fitted.choices if c.setting == "max_degree")
    assert ["cutoff" in line for line in told[:3]] == [True, True, False]
    assert len(told) == 2 + len(size.tried)
    for trial, line in zip(size.tried, told[2:], strict=True):
        assert line.startswith(f"{trial['n_features']} features")


@pytest.mark.parametrize("n_elements", [1, 2, 3, 4])
def test_bases_compared_by_their_shape_are_of_like_size(n_elements):
    elements = ("H", "C", "O", "N")[:n_elements]
    rungs = [small(n_elements)] + [rung(n_elements, k) for k in range(4) if n_elements in SIZES]
    for degrees in rungs:
        sizes = [
            default_basis(elements, True, 5.0, max_degree=d, radial_weight=weight).n_features
            for weight, d in degrees.items()
        ]
        assert max(sizes) < 1.3 * min(sizes)
    assert len(small(n_elements)) == (3 if n_elements <= 3 else 1)

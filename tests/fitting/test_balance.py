"""Smoothness and noise go downhill in the held-out error, along its slope, from several places."""

import numpy as np
import pytest

from labelled_shells import shells
from thalweg.features import AceBasis
from thalweg.fitting import FitSettings, make_baseline
from thalweg.fitting.assembly import fit_basis
from thalweg.fitting.balance import (
    ENERGY_OVER_FORCES,
    LEAST_NOISE,
    RMS_OVER_MAE,
    TAME,
    _Objective,
    balance,
    unknown_starts,
    with_virials,
)
from thalweg.fitting.data import Spread
from thalweg.fitting.examiner import Examiner, bare_potential
from thalweg.label import Label
from thalweg.models import RowKind
from thalweg.models.observation import KINDS

BASIS = AceBasis(("Cu",), 4.5, correlation_order=2, max_degree=(6, 4))


def fitted_to(labelled):
    baseline = make_baseline(labelled, ("Cu",))
    return fit_basis(labelled, BASIS, baseline, Spread.alike(len(labelled)), FitSettings())


@pytest.fixture(scope="module")
def fitted():
    return fitted_to(noisy(shells(30, peak=2.6)))


def noisy(labelled):
    rng = np.random.default_rng(4)
    return [
        (s, Label(label.energy + rng.normal(0, 0.02), label.forces + rng.normal(0, 0.05, label.forces.shape)))
        for s, label in labelled
    ]


def examiner_of(fitted):
    return Examiner(BASIS, fitted.baseline, fitted.labelled, fitted.n_folds)


def noise_of(x, prior):
    return dict(zip(KINDS, x[prior.n_prior :], strict=True))


def test_the_slope_is_that_of_finite_differences(fitted):
    J = _Objective(fitted.model, fitted.sums, examiner_of(fitted))
    x, n = fitted.model.fitted.x.copy(), fitted.model.prior.n_prior
    x[: n - 2] -= 3.0  # away from where sums lose digits
    x[n:] += 1.5
    _, slope = J(x)
    steps = 1e-3 * np.eye(len(x))
    expected = np.array([(J(x + step)[0] - J(x - step)[0]) / 2e-3 for step in steps])
    assert np.allclose(slope, expected, atol=0.03 * np.abs(slope).max(), rtol=0)
    assert np.abs(slope).max() > 0.01


def test_held_out_errors_fall_below_those_of_the_evidence(fitted):
    model, sums, examiner = fitted.model.refitted(fitted.sums.total(), 30), fitted.sums, examiner_of(fitted)
    model.set_hyperparameters(model.fitted.centre)
    model.tune(40)
    J = _Objective(model, sums, examiner)
    evidence = J(model.fitted.x)[0]
    starts = unknown_starts(model, sums.kinds)
    balance(model, sums, examiner, starts, 12)
    assert J(model.fitted.x)[0] < evidence
    assert J(model.fitted.x)[0] <= min(J(start)[0] for start in starts) + 1e-6


def test_predictions_do_not_depend_on_the_scale_that_noise_is_given(fitted):
    typical = fitted.held_out.typical[RowKind.FORCES]
    noise = noise_of(fitted.model.fitted.x, fitted.model.prior)
    assert np.exp(noise[RowKind.FORCES]) == pytest.approx(RMS_OVER_MAE * typical, rel=0.02)
    low, high = np.log(ENERGY_OVER_FORCES)
    assert low - 1e-9 <= noise[RowKind.ENERGY] - noise[RowKind.FORCES] <= high + 1e-9
    structures = [structure for structure, _ in fitted.labelled[:5]]

    def forces(model):
        potential = bare_potential(BASIS, fitted.baseline, model.mean)
        return np.concatenate([potential.predict(structure).forces for structure in structures])

    other, x = fitted.model.refitted(fitted.sums.total(), 30), fitted.model.fitted.x.copy()
    n = other.prior.n_prior
    x[: n - 2] += 2.0
    x[n:] += 1.0
    other.set_hyperparameters(x)
    assert np.abs(forces(other) - forces(fitted.model)).max() < 5e-3 * typical
    x[n] += 2.0  # the energies' noise alone does matter
    other.set_hyperparameters(x)
    assert np.abs(forces(other) - forces(fitted.model)).max() > 0.03 * typical


def test_labels_without_error_leave_some_noise():
    fitted = fitted_to(shells(24, peak=2.6))
    assert (
        np.exp(noise_of(fitted.model.fitted.x, fitted.model.prior)[RowKind.FORCES])
        >= RMS_OVER_MAE * LEAST_NOISE
    )


def test_without_forces_hyperparameters_stay(fitted):
    bare = [(s, Label(label.energy, np.full((len(s), 3), np.nan))) for s, label in shells(24, peak=2.6)]
    model = fitted_to(bare).model
    again = fitted_to(bare).model
    assert np.array_equal(model.fitted.x, again.fitted.x)
    before = fitted.model.fitted.x.copy()
    sums = fitted_to(bare).sums
    assert sums.kinds == {RowKind.ENERGY}
    balance(fitted.model, sums, examiner_of(fitted), [before + 1.0], 3)
    assert np.array_equal(fitted.model.fitted.x, before)


def test_of_models_that_predict_equally_well_the_tamer_is_taken(fitted):
    prior, found = fitted.model.prior, {}
    for tame in (0.0, TAME, 3.0 * TAME):
        model = fitted.model.refitted(fitted.sums.total(), 30)
        model.tune(40)
        errors = balance(
            model, fitted.sums, examiner_of(fitted), unknown_starts(model, fitted.sums.kinds), 30, tame
        )
        assert errors is not None
        x = model.fitted.x
        log_variance = prior.covariates() @ x[: prior.n_prior] - 2.0 * noise_of(x, prior)[RowKind.FORCES]
        orders = [log_variance[prior.nu == order].mean() for order in np.unique(prior.nu)]
        found[tame] = np.mean(orders), errors.score
    wildness, scores = np.array(list(found.values())).T
    assert wildness[2] < wildness[1] - 0.5
    assert wildness[1] < wildness[0]
    assert np.all(scores - scores[0] < np.array(list(found)) * (wildness[0] - wildness) + 0.005)


def test_the_search_begins_at_several_places(fitted):
    model = fitted.model
    few, many = unknown_starts(model, {RowKind.FORCES}), unknown_starts(model, set(KINDS))
    assert len(few) == 3
    assert len(many) == 4
    assert len({tuple(start) for start in many}) == 4
    strong, weak = with_virials(model, model.fitted.x)
    ratios = [
        noise_of(x, model.prior)[RowKind.VIRIAL] - noise_of(x, model.prior)[RowKind.FORCES]
        for x in (strong, weak)
    ]
    assert ratios[0] == pytest.approx(0.0)
    assert ratios[1] > 1.0

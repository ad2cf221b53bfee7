"""The alternative of a fit, and what held-out labels show of energies: both in the potential that comes out."""

import itertools

import numpy as np
import pytest

from copper import copper
from thalweg.calibration import Stream
from thalweg.calibration.widening import Residuals, Revealed, fit_widening
from thalweg.evaluation import compare
from thalweg.features import AceBasis, Features
from thalweg.fitting import FitSettings, fit_labels
from thalweg.fitting.alternative import make_alternative
from thalweg.fitting.assembly import fit_basis
from thalweg.fitting.data import Spread, make_baseline
from thalweg.potential import Widening

BASIS = AceBasis(("Cu",), 4.5, correlation_order=2, max_degree=(5, 3))
"""Small: it is what limits the fit."""


@pytest.fixture(scope="module")
def labelled():
    return copper(64)


@pytest.fixture(scope="module")
def fit(labelled):
    return fit_labels(labelled[:24], BASIS, FitSettings())


def test_the_alternative_is_the_fit_of_another_exponent_with_the_same_hyperparameters(labelled):
    baseline, spread = make_baseline(labelled, BASIS.elements), Spread.alike(24)
    fitted = fit_basis(labelled[:24], BASIS, baseline, spread, FitSettings())
    x = fitted.model.fitted.x
    alternative = make_alternative(labelled[:24], BASIS, baseline, x)
    assert alternative.basis.radial_exponent == BASIS.radial_exponent - 1
    assert alternative.basis.n_features == BASIS.n_features
    # its own search would end elsewhere, its own sums are these
    own = fit_basis(labelled[:24], alternative.basis, baseline, spread, FitSettings()).model
    own.set_hyperparameters(x)
    noisier = x.copy()
    noisier[-3] += 5.0  # energies
    moved = make_alternative(labelled[:24], BASIS, baseline, noisier)
    phi = np.array(
        [Features(alternative.basis).phi([structure]).sum(axis=0) for structure, _ in labelled[24:]]
    )
    np.testing.assert_allclose(phi @ alternative.weights[0], phi @ own.mean, atol=1e-4)
    assert np.abs(phi @ moved.weights[0] - phi @ own.mean).max() > 5e-4


def test_a_fit_states_energies_by_what_held_out_labels_show(fit, labelled):
    potential = fit.potential
    assert potential.alternative is not None
    assert len(potential.all_draws) > len(potential.member_deltas)
    np.testing.assert_array_equal(
        potential.all_draws[: len(potential.member_deltas)], potential.member_deltas
    )
    document = compare(potential, labelled[24:]).to_json()
    bare = compare(potential.stating(potential.all_draws), labelled[24:]).to_json()
    assert bare["energy_ratio"] > 4.0  # the posterior alone is too sure
    assert document["energy_ratio"] < 2.0
    assert document["energy_within"] >= 0.85 > bare["energy_within"]
    assert document["stress_within"] >= 0.85 > bare["stress_within"]


def test_differences_between_fresh_structures_lie_within_what_is_stated(fit, labelled):
    bare = fit.potential.stating(fit.potential.all_draws)
    within, by_draws = [], []
    for (a, of_a), (b, of_b) in itertools.pairwise(labelled[24:]):
        true = of_a.energy - of_b.energy
        for potential, out in ((fit.potential, within), (bare, by_draws)):
            estimate = potential.energy_difference(a, b)
            out.append(abs(estimate.value - true) <= 2 * estimate.uncertainty)
    assert np.mean(within) >= 0.85
    assert np.mean(by_draws) < 0.5


def test_differences_have_a_factor_of_their_own():
    """Energies alike in what all draws share are stated well where their differences are not."""
    rng = np.random.default_rng(5)

    def label(shared: float) -> Residuals:
        error = np.array([rng.normal()])
        # what all draws share is off by as much as stated; what differs between structures, by four times
        energy = Revealed.of(error, np.array([1.0]))
        difference = Revealed.of(error * 0.4, np.array([shared**2]))
        return Residuals(Stream.AUDIT, energy, None, None, difference)

    def widening(shared: float) -> Widening:
        return fit_widening([label(shared) for _ in range(60)], np.ones(60))

    assert widening(0.1).difference > 3.0 * widening(0.1).energy
    assert widening(0.4).difference == pytest.approx(widening(0.4).energy, rel=0.3)

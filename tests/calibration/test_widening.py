"""Factors of stated spread: they make it true, whichever way it was wrong, and are not fooled by odd labels."""

import json

import numpy as np
import pytest

from thalweg.calibration import Calibration, Stream
from thalweg.calibration.widening import PRIOR_FACTOR, Residuals, Revealed, composition, fit_widening
from thalweg.errors import InputError
from thalweg.structure import Structure


def labels(n, ratio, seed=0, stream=Stream.AUDIT):
    """Errors `ratio` times as large as stated, whose sizes differ by a factor of ten from label to label."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        s = 10.0 ** rng.uniform(-3, -2)
        e, many, six = (ratio * s * rng.standard_normal(k) for k in (1, 30, 6))
        energy = Revealed.of(e, np.full(1, s**2))
        forces = Revealed.summed(many, np.full(30, s**2))
        out.append(Residuals(stream, energy, forces, Revealed.of(six, np.full(6, s**2))))
    return out


def factors(residuals, **settings):
    widening = fit_widening(residuals, np.ones(len(residuals)), **settings)
    return np.array([widening.energy, widening.forces, widening.stress])


def test_a_difference_is_never_surer_than_energies_are():
    rng = np.random.default_rng(4)
    both = []
    for one in labels(200, 2.0):
        s = 1e-4
        difference = Revealed.of(9.0 * s * rng.standard_normal(1), np.full(1, s**2))
        both.append(Residuals(one.stream, one.energy, difference=difference))
    assert fit_widening(both, np.ones(200)).difference == pytest.approx(9.0, rel=0.15)
    swapped = [Residuals(one.stream, one.difference, difference=one.energy) for one in both]
    widening = fit_widening(swapped, np.ones(200))
    assert widening.difference == widening.energy == pytest.approx(9.0, rel=0.15)
    alone = fit_widening(labels(200, 2.0), np.ones(200))
    assert alone.difference == alone.energy


def test_compositions_are_in_lowest_terms():
    def of(*numbers):
        return composition(
            Structure(numbers, np.arange(3.0 * len(numbers)).reshape(-1, 3), np.zeros((3, 3)), [False] * 3)
        )

    assert of(8, 1, 1) == of(1, 8, 1) == of(1, 1, 1, 1, 8, 8) != of(8, 8, 1, 1)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 8.0])
def test_the_factor_is_how_much_was_understated_or_overstated(ratio):
    np.testing.assert_allclose(factors(labels(400, ratio)), ratio, rtol=0.12)


def test_label_noise_is_not_taken_for_the_models_error():
    rng = np.random.default_rng(1)
    s, noise = 1e-3, 5e-3
    sound, noisy = [], []
    for _ in range(300):
        e = np.hypot(2 * s, noise) * rng.standard_normal(1)
        sound.append(Residuals(Stream.AUDIT, Revealed.of(e, np.full(1, s**2), noise)))
        noisy.append(Residuals(Stream.AUDIT, Revealed.of(e, np.full(1, s**2))))
    assert factors(sound)[0] < 0.85 * factors(noisy)[0]


def test_rows_that_vanish_by_symmetry_say_nothing():
    vanishing = [Residuals(Stream.AUDIT, *(Revealed(np.full(1, 1e-24), np.full(1, 1e-20)),) * 3)] * 200
    np.testing.assert_array_equal(factors(labels(200, 3.0)), factors(labels(200, 3.0) + vanishing))


def test_rows_that_nearly_vanish_do_not_decide():
    rng = np.random.default_rng(2)
    nearly = [
        Residuals(Stream.AUDIT, Revealed(np.full(1, 1e-5), np.full(1, 1e-10 * rng.random())))
        for _ in range(6)
    ]
    alone, mixed = factors(labels(200, 3.0))[0], factors(labels(200, 3.0) + nearly)[0]
    assert alone <= mixed < 1.5 * alone
    z = np.sqrt(1e-5 / 1e-10)
    assert np.sqrt(6 * z**2 / 206) > 10 * mixed  # where the rms of ratios would be


def test_a_few_labels_of_enormous_spread_do_not_decide_of_energies():
    enormous = [Residuals(Stream.AUDIT, Revealed(np.full(1, 0.01), np.full(1, 100.0)))] * 10
    alone, mixed = factors(labels(200, 3.0))[0], factors(labels(200, 3.0) + enormous)[0]
    assert 0.85 * alone < mixed <= alone


def test_too_few_labels_are_helped_out_by_the_prior():
    np.testing.assert_array_equal(factors([]), PRIOR_FACTOR)
    assert (factors(labels(3, 0.1)) >= [PRIOR_FACTOR, 0, PRIOR_FACTOR]).all()
    assert factors(labels(3, 30.0))[0] > PRIOR_FACTOR
    without_stress = [Residuals(one.stream, one.energy) for one in labels(100, 7.0)]
    assert factors(without_stress)[2] == factors(without_stress)[0]  # the best guess


def test_recent_and_fair_answers_weigh_more():
    good, bad = labels(60, 1.0), labels(60, 6.0, seed=3)
    state = Calibration()
    for one in [*good, *bad]:
        state = state.record_residuals(one)
    recent = state.widening.energy
    state = Calibration()
    for one in [*bad, *good]:
        state = state.record_residuals(one)
    assert state.widening.energy < 0.8 * recent


def test_a_checkpoint_keeps_the_residuals():
    state = Calibration()
    for one in labels(30, 4.0):
        state = state.record_residuals(one)
    back = Calibration.from_json(json.loads(json.dumps(state.to_json())))
    assert back.widening == state.widening != Calibration().widening
    assert back.n_residuals == 30


def test_a_checkpoint_of_an_earlier_version_has_none():
    data = Calibration().to_json()
    del data["residuals"], data["n_residuals"]
    assert Calibration.from_json(data).widening.energy == PRIOR_FACTOR


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="not negative"):
        Revealed(np.array([-1.0]), np.array([1.0]))
    with pytest.raises(InputError, match="one variance"):
        Revealed(np.array([1.0, 1.0]), np.array([1.0]))
    with pytest.raises(InputError, match="1 labels, 2 weights"):
        fit_widening(labels(1, 1.0), np.ones(2))

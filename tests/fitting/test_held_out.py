"""Held-out errors are those of models fitted without the label; one label like no other counts, but not much."""

from dataclasses import replace

import numpy as np
import pytest

from labelled_shells import shells
from thalweg import api
from thalweg.config import ModelConfig
from thalweg.features import AceBasis
from thalweg.fitting import FitSettings, make_baseline, screening
from thalweg.fitting.assembly import fit_basis, unscaled_fold_means
from thalweg.fitting.data import Spread
from thalweg.fitting.examiner import Examiner, bare_potential
from thalweg.fitting.held_out import RESOLUTION, HeldOutErrors, log_typical_slope, typical_error
from thalweg.label import Label
from thalweg.models import RowKind

BASIS = AceBasis(("Cu",), 4.5, correlation_order=2, max_degree=(6, 4))


def test_each_label_is_predicted_without_its_fold():
    labelled = shells(22, peak=2.6)
    baseline = make_baseline(labelled, ("Cu",))
    fitted = fit_basis(labelled, BASIS, baseline, Spread.alike(22), FitSettings())
    errors = replace(fitted, examined=None).held_out
    others = unscaled_fold_means(fitted.model, fitted.sums)
    for k in (0, 7):
        prediction = bare_potential(BASIS, baseline, others[k % fitted.n_folds]).predict(labelled[k][0])
        off = prediction.forces - labelled[k][1].forces
        assert errors.forces_mae[k] == pytest.approx(np.abs(off).mean(), rel=1e-6)
        per_root = abs(prediction.energy - labelled[k][1].energy) / np.sqrt(len(labelled[k][0]))
        assert errors.energy[k] == pytest.approx(per_root, rel=1e-5, abs=1e-9)
    seen = Examiner(BASIS, baseline, labelled, 1).examine([fitted.model.mean]).errors
    assert seen.score < errors.score
    # What the search has found is the same up to the rounding of sums of labels without noise.
    assert fitted.score() == fitted.held_out.score == pytest.approx(errors.score, abs=2e-3)


@pytest.fixture
def one_without_forces():
    labelled = shells(8, peak=2.6)
    labelled[3] = (labelled[3][0], Label(labelled[3][1].energy, np.full((len(labelled[3][0]), 3), np.nan)))
    return labelled


def test_rows_in_memory_and_the_kernel_say_the_same(one_without_forces):
    labelled, rng = one_without_forces, np.random.default_rng(2)
    weights = [rng.normal(0, 0.1, BASIS.n_columns) for _ in range(2)]
    found = []
    for kept_bytes in (1e9, 0.0):
        examiner = Examiner(BASIS, make_baseline(labelled, ("Cu",)), labelled, 2, kept_bytes)
        examination = examiner.examine(weights)
        errors = examination.errors
        found.append([errors.energy, errors.forces_mae, *examiner.slopes(examination)])
    for kept, computed in zip(*found, strict=True):
        assert np.allclose(kept, computed, rtol=1e-8, atol=1e-10, equal_nan=True)
    assert np.abs(found[0][2] - found[0][3]).max() > 1e-3  # folds differ


@pytest.mark.parametrize("kept_bytes", [1e9, 0.0])
def test_slopes_by_the_weights_are_those_of_finite_differences(one_without_forces, kept_bytes):
    labelled, rng = one_without_forces, np.random.default_rng(1)
    examiner = Examiner(BASIS, make_baseline(labelled, ("Cu",)), labelled, 2, kept_bytes)
    weights = [rng.normal(0, 0.1, BASIS.n_columns) for _ in range(2)]
    slopes = examiner.slopes(examiner.examine(weights))
    for fold in range(2):
        direction = rng.normal(size=BASIS.n_columns)

        def score(step, fold=fold, direction=direction):
            moved = [w + step * direction * (k == fold) for k, w in enumerate(weights)]
            return examiner.examine(moved).errors.score

        expected = (score(1e-6) - score(-1e-6)) / 2e-6
        assert slopes[fold] @ direction == pytest.approx(expected, rel=1e-4)
        assert abs(expected) > 1e-3


def errors_of(energy, forces, n_atoms=None):
    n = len(energy)
    return HeldOutErrors(np.array(energy), np.array(forces), np.array(n_atoms or [4] * n))


def test_one_label_in_hundreds_that_is_far_off_counts_a_little():
    usual = errors_of([0.01] * 400, [0.1] * 400)
    odd = errors_of([0.01] * 399 + [1.0], [0.1] * 400)
    odder = errors_of([0.01] * 399 + [4.0], [0.1] * 400)
    assert 0 < odd.score - usual.score < 0.04
    assert odder.score > odd.score + 0.01


def test_the_score_weighs_energies_and_forces_alike():
    base = errors_of([0.2, 0.2], [0.1, 0.1])
    half_energy, half_forces = errors_of([0.1, 0.1], [0.1, 0.1]), errors_of([0.2, 0.2], [0.05, 0.05])
    assert half_energy.score == pytest.approx(half_forces.score, abs=1e-6)
    assert base.score - half_forces.score == pytest.approx(np.log(2) / 2, abs=1e-6)


def test_a_label_that_happens_to_be_met_exactly_is_no_place_to_be_caught_in():
    usual, met, missed = (errors_of([e, *[0.01] * 99], [0.1] * 100).score for e in (0.01, 0.0, 0.02))
    assert 0 < usual - met < 1.5 * (missed - usual)
    near = [errors_of([e, *[0.01] * 99], [0.1] * 100).score - met for e in (1e-4, 1e-3)]
    assert near[1] == pytest.approx(100 * near[0], rel=0.05)  # by squares; with a cusp it would be near 3


def test_forces_count_by_atoms_and_only_where_they_are_labelled():
    errors = errors_of([0.1, 0.1, 0.1], [0.1, 0.4, np.nan], [1, 3, 50])
    typical = errors.typical[RowKind.FORCES]
    by_atoms = [(1 + (size / typical) ** 2) ** 0.25 for size in (0.1, 0.4, 0.4, 0.4)]
    assert np.mean(by_atoms) == pytest.approx(2**0.25, rel=1e-7)
    energies = errors_of([0.1, 0.4], [np.nan, np.nan])
    assert set(energies.typical) == {RowKind.ENERGY}
    assert 0.1 < energies.typical[RowKind.ENERGY] < typical < 0.4
    assert energies.score == pytest.approx(np.log(energies.typical[RowKind.ENERGY]))


def test_errors_below_the_resolution_are_alike_and_the_slope_is_finite():
    none, some = (typical_error(np.full(4, e), np.ones(4)) for e in (0.0, 0.1 * RESOLUTION))
    assert none == pytest.approx(RESOLUTION)
    assert some == pytest.approx(none, rel=0.01)
    errors, weights = np.array([0.0, 1e-3, 0.2, 3.0]), np.array([1.0, 2.0, 1.0, 5.0])
    slope = log_typical_slope(errors, weights)
    for k in range(1, 4):
        step = np.zeros(4)
        step[k] = 1e-2 * errors[k]
        change = np.log(typical_error(errors + step, weights) / typical_error(errors - step, weights))
        assert slope[k] == pytest.approx(change / (2 * step[k]), rel=1e-4)
    assert slope[0] == 0.0


def test_a_sample_that_happens_to_hold_no_forces_chooses_by_energies(monkeypatch):
    monkeypatch.setattr(screening, "FIRST_SAMPLE", screening.Sample(80, 0))
    labelled = shells(90, peak=2.6)
    last = np.random.default_rng(FitSettings().seed).permutation(90)[80:]  # what comes after the sample
    bare = [
        (s, label if k in last else Label(label.energy, np.full((len(s), 3), np.nan)))
        for k, (s, label) in enumerate(labelled)
    ]
    result = api.fit(bare, options=ModelConfig(max_degree=(4, 2)))
    assert len({trial["error"] for choice in result.fitted.choices[:2] for trial in choice.tried}) > 3
    assert len(result.fitted.answers) == 10

"""Held-out errors are those of models fitted without the label; a few labels like no other decide nothing."""

import numpy as np
import pytest

from labelled_shells import shells
from thalweg import api
from thalweg.config import ModelConfig
from thalweg.features import AceBasis
from thalweg.fitting import FitSettings, make_baseline, screening
from thalweg.fitting.assembly import fit_basis, unscaled_fold_means
from thalweg.fitting.data import Spread
from thalweg.fitting.held_out import TRIM, Examiner, HeldOutErrors, bare_potential, trimmed_mean
from thalweg.label import Label
from thalweg.models import Kind

BASIS = AceBasis(("Cu",), 4.5, correlation_order=2, max_degree=(6, 4))


def test_each_label_is_predicted_without_its_fold():
    labelled = shells(22, peak=2.6)
    baseline = make_baseline(labelled, ("Cu",))
    fitted = fit_basis(labelled, BASIS, baseline, Spread.alike(22), FitSettings())
    errors = fitted.held_out
    others = unscaled_fold_means(fitted.model, fitted.sums, fitted.model.fitted.x)
    for k in (0, 7):
        prediction = bare_potential(BASIS, baseline, others[k % fitted.n_folds]).predict(labelled[k][0])
        off = prediction.forces - labelled[k][1].forces
        assert errors.forces_mae[k] == pytest.approx(np.abs(off).mean(), rel=1e-6)
        assert errors.forces_rms[k] == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-6)
        per_root = abs(prediction.energy - labelled[k][1].energy) / np.sqrt(len(labelled[k][0]))
        assert errors.energy[k] == pytest.approx(per_root, rel=1e-5, abs=1e-9)
    seen = Examiner(BASIS, baseline, labelled, 1).errors([fitted.model.mean])
    assert seen.score(fitted.spread) < errors.score(fitted.spread) == fitted.score()


def errors_of(energy, forces, n_atoms=None):
    n = len(energy)
    return HeldOutErrors(np.array(energy), np.array(forces), np.array(forces), np.array(n_atoms or [4] * n))


def test_one_label_in_forty_decides_nothing():
    usual = errors_of([0.01] * 40, [0.1] * 40)
    odd = errors_of([0.01] * 39 + [9.0], [0.1] * 38 + [7.0, 0.1])
    alike = Spread.alike(40)
    assert odd.score(alike) == pytest.approx(usual.score(alike), rel=1e-12)
    many = round(2 * TRIM * 40)
    worse = errors_of([0.01] * (40 - many) + [9.0] * many, [0.1] * 40)
    assert worse.score(alike) > usual.score(alike) + 0.5


def test_the_score_weighs_energies_and_forces_alike_and_heeds_the_spread():
    alike = Spread.alike(2)
    base = errors_of([0.2, 0.2], [0.1, 0.1])
    half_energy, half_forces = errors_of([0.1, 0.1], [0.1, 0.1]), errors_of([0.2, 0.2], [0.05, 0.05])
    assert half_energy.score(alike) == pytest.approx(half_forces.score(alike))
    assert base.score(alike) - half_forces.score(alike) == pytest.approx(np.log(2) / 2)
    noisy = Spread(np.full(2, 4.0), np.ones(2), np.ones(2))
    assert base.typical(noisy)[Kind.ENERGY] == pytest.approx(0.05)


def test_forces_count_by_atoms_and_only_where_they_are_labelled():
    errors = errors_of([0.1, 0.1, 0.1], [0.1, 0.4, np.nan], [1, 3, 50])
    assert errors.typical(Spread.alike(3))[Kind.FORCES] == pytest.approx((0.1 + 3 * 0.4) / 4)
    energies = errors_of([0.1, 0.3], [np.nan, np.nan])
    assert energies.typical(Spread.alike(2)) == {Kind.ENERGY: pytest.approx(0.2)}
    assert energies.score(Spread.alike(2)) == pytest.approx(np.log(0.2))
    assert trimmed_mean(np.arange(100.0), np.ones(100)) == pytest.approx(np.arange(95.0).mean())


def test_a_sample_that_happens_to_hold_no_forces_chooses_by_energies(monkeypatch):
    monkeypatch.setattr(screening, "_SAMPLE_ATOMS", 0)
    labelled = shells(90, peak=2.6)
    last = np.random.default_rng(FitSettings().seed).permutation(90)[80:]  # what comes after the sample
    bare = [
        (s, label if k in last else Label(label.energy, np.full((len(s), 3), np.nan)))
        for k, (s, label) in enumerate(labelled)
    ]
    result = api.fit(bare, options=ModelConfig(max_degree=(4, 2)))
    assert len({trial["error"] for choice in result.fitted.choices[:2] for trial in choice.tried}) > 3
    assert len(result.fitted.answers) == 10

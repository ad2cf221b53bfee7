"""While rows are few, folds by rows say what folds by sums do."""

import numpy as np
import pytest
from test_folds import PRIOR, N, blocks

from thalweg.models import BayesianLinear, RowKind
from thalweg.models.evidence import evidence_at
from thalweg.models.fold_rows import FoldRows, folds_for
from thalweg.models.folds import FoldSums, out_of_fold, slope


@pytest.fixture(scope="module")
def both():
    rng = np.random.default_rng(7)
    weights = rng.normal(size=N)
    observations = [blocks(rng, weights, (0.01, 0.1, 0.2), rows_of=(1, 2, 1)) for _ in range(6)]
    model = BayesianLinear(PRIOR, seed=1)
    scale = model.begin(observations).scale
    made = [FoldSums(scale, 3), FoldRows(scale, 3)]
    for sums in made:
        for i, observation in enumerate(observations):
            for block in observation:
                sums.add(i % 3, block)
        sums.close()
    return model, made


def test_posteriors_without_a_fold_agree(both):
    model, (sums, rows) = both
    right = np.arange(1.0, N + 1)
    by_sums, by_rows = (out_of_fold(PRIOR, own, model.fitted.x) for own in (sums, rows))
    for one, other in zip(by_sums, by_rows, strict=True):
        assert np.allclose(one.mean, other.mean, rtol=1e-7, atol=1e-12)
        assert np.allclose(one.solve(right), other.solve(right), rtol=1e-7, atol=1e-12)
    assert not np.allclose(by_rows[0].mean, by_rows[1].mean, rtol=1e-2)


def test_slopes_agree(both):
    model, (sums, rows) = both
    x = model.fitted.x + 0.3 * np.arange(len(model.fitted.x))
    by_mean = list(np.random.default_rng(2).normal(size=(3, N)))
    found = [slope(PRIOR, own, x, out_of_fold(PRIOR, own, x), by_mean) for own in (sums, rows)]
    assert np.allclose(*found, rtol=1e-7)
    assert np.all(np.abs(found[0]) > 1e-9)


def test_totals_virials_and_kinds_agree(both):
    _, (sums, rows) = both
    assert sums.kinds == rows.kinds == {RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL}
    assert sums.n_rows == rows.n_rows == 24
    w = np.linspace(-1, 1, N)
    for without in (None, 1):
        ours, theirs = (dict(own.total(without).items()) for own in (rows, sums))
        assert list(ours) == list(theirs)
        for key, gram in theirs.items():
            assert np.allclose(ours[key].G, gram.G, atol=1e-12)
            assert np.allclose(ours[key].b, gram.b)
            assert (ours[key].m, ours[key].yy) == (gram.m, pytest.approx(gram.yy))
    for one, other in zip(sums.virials(2), rows.virials(2), strict=True):
        assert other.residual2(w) == pytest.approx(one.residual2(w))
        assert other.m == one.m == 2
        assert np.allclose(other.product(w), one.product(w))


def test_the_evidence_by_rows_is_that_of_the_sums():
    rng = np.random.default_rng(3)
    observation = blocks(rng, rng.normal(size=N), (0.01, 0.1, 0.2), rows_of=(1, 4, 2))
    model = BayesianLinear(PRIOR, seed=1)
    rows = FoldRows(model.begin([observation]).scale, 1)
    for block in observation:
        rows.add(0, block)
    rows.close()
    kept = rows.kept()
    assert not kept.overflown
    places = model.fitted.x, model.fitted.x + 0.3 * rng.normal(size=len(model.fitted.x))
    values = []
    for x in places:
        by_rows, by_sums = kept.evidence_at(PRIOR, x), evidence_at(PRIOR, rows.total(), x)
        assert by_rows is not None
        assert by_rows.value == pytest.approx(by_sums.value, rel=1e-7)
        assert np.allclose(by_rows.gradient, by_sums.gradient, atol=1e-7)
        values.append(by_rows.value)
    assert abs(values[0] - values[1]) > 0.01


def test_few_rows_are_kept_and_many_are_summed():
    scale = np.ones(100)
    assert isinstance(folds_for(scale, 5, 60), FoldRows)
    assert isinstance(folds_for(scale, 5, 61), FoldSums)

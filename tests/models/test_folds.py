"""Models of all folds but one, from sums, are those from rows; and how they move with the hyperparameters."""

import numpy as np
import pytest

from thalweg.models import BayesianLinear, Block, RowKind, SmoothnessPrior
from thalweg.models.folds import FoldSums, out_of_fold, slope

N = 12
PRIOR = SmoothnessPrior(np.ones(N), np.arange(N) % 4, np.arange(N) % 3)


def blocks(rng, weights, noise, rows_of=(1, 6, 2)):
    kinds = (RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL)
    made = []
    for kind, sigma, m in zip(kinds, noise, rows_of, strict=True):
        rows = rng.normal(size=(m, N))
        made.append(Block(kind, rows, rows @ weights + rng.normal(0, sigma, m)))
    return tuple(made)


@pytest.fixture(scope="module")
def problem():
    rng, n_labels, n_folds = np.random.default_rng(5), 24, 4
    weights = rng.normal(size=N)
    observations = [blocks(rng, weights, (0.01, 0.1, 0.2)) for _ in range(n_labels)]
    model = BayesianLinear(PRIOR, seed=1)
    model.fit_batch(observations)
    sums = FoldSums(model.fitted.scale, n_folds)
    for i, observation in enumerate(observations):
        for block in observation:
            sums.add(i % n_folds, block)
    sums.close()
    return observations, model, sums


def test_the_posterior_of_a_fold_is_that_of_the_others(problem):
    observations, model, sums = problem
    posteriors = out_of_fold(PRIOR, sums, model.fitted.x)
    for k, posterior in enumerate(posteriors):
        others = [o for i, o in enumerate(observations) if i % sums.n_folds != k]
        other = model.refitted(sums.total(without=k), len(others))
        rows = np.concatenate([b.rows / sums.scale for o in others for b in o if b.kind is RowKind.FORCES])
        assert np.allclose(
            np.triu(rows.T @ rows),
            dict(sums.total(without=k).items())[RowKind.FORCES, 0.0].G,
            rtol=1e-10,
        )
        assert np.allclose(posterior.mean / sums.scale, other.mean, rtol=1e-8)
        right = np.arange(1.0, N + 1)
        R = other.fitted.factor.R
        assert np.allclose(R.T @ (R @ posterior.solve(right)), right, rtol=1e-8)
    assert not np.allclose(posteriors[0].mean, posteriors[1].mean, rtol=1e-4)


def test_sums_know_what_was_added(problem):
    observations, _, sums = problem
    assert sums.kinds == {RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL}
    assert sums.n_rows == sum(len(b.targets) for o in observations for b in o)
    own = sums.virials(1)
    assert sum(gram.m for gram in own) == sum(len(o[2].targets) for o in observations[1::4])
    w = np.linspace(-1, 1, N)
    off = np.concatenate([o[2].targets - o[2].rows / sums.scale @ w for o in observations[1::4]])
    assert sum(gram.residual2(w) for gram in own) == pytest.approx(float(off @ off), rel=1e-9)


def test_the_slope_by_hyperparameters_is_that_of_finite_differences(problem):
    _, model, sums = problem
    targets = np.random.default_rng(2).normal(size=(sums.n_folds, N))
    x = model.fitted.x + 0.3 * np.arange(len(model.fitted.x))

    def value(at):
        return sum(
            float(np.cos(p.mean @ t)) for p, t in zip(out_of_fold(PRIOR, sums, at), targets, strict=True)
        )

    posteriors = out_of_fold(PRIOR, sums, x)
    by_mean = [-np.sin(p.mean @ t) * t for p, t in zip(posteriors, targets, strict=True)]
    found = slope(PRIOR, sums, x, posteriors, by_mean)
    steps = 1e-5 * np.eye(len(x))
    expected = [(value(x + step) - value(x - step)) / 2e-5 for step in steps]
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-9)
    assert np.all(np.abs(found) > 1e-6)

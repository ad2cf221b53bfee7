"""Models of all folds but one, from sums, are those from rows."""

import numpy as np

from thalweg.models import BayesianLinear, Block, Kind, SmoothnessPrior
from thalweg.models.folds import FoldSums, fold_means

N = 12
PRIOR = SmoothnessPrior(np.ones(N), np.arange(N) % 4, np.zeros(N))


def blocks(rng, weights, noise, rows_of=(1, 6)):
    energy, forces = (rng.normal(size=(m, N)) for m in rows_of)
    return (
        Block(Kind.ENERGY, energy, energy @ weights + rng.normal(0, noise[0], rows_of[0])),
        Block(Kind.FORCES, forces, forces @ weights + rng.normal(0, noise[1], rows_of[1])),
    )


def problem(noise=(0.01, 0.1), n_labels=60, n_folds=4):
    rng = np.random.default_rng(5)
    weights = rng.normal(size=N)
    observations = [blocks(rng, weights, noise) for _ in range(n_labels)]
    model = BayesianLinear(PRIOR, seed=1)
    model.fit_batch(observations)
    sums = FoldSums(model.fitted.scale, n_folds)
    for i, observation in enumerate(observations):
        for block in observation:
            sums.add(i % n_folds, block)
    sums.close()
    return observations, model, sums


def test_the_mean_of_a_fold_is_that_of_the_others():
    observations, model, sums = problem()
    means = fold_means(PRIOR, sums, model.fitted.x)
    for k, mean in enumerate(means):
        other = model.refitted(sums.total(without=k), 45)
        assert np.allclose(mean / model.fitted.scale, other.mean, rtol=1e-8)
    assert not np.allclose(means[0], means[1], rtol=1e-4)
    assert sums.kinds == {Kind.ENERGY, Kind.FORCES}
    assert sums.n_rows == sum(len(b.targets) for o in observations for b in o)

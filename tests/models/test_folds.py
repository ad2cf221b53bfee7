"""Cross-validation from sums equals cross-validation from rows, and noise is balanced by it."""

import numpy as np
import pytest

from thalweg.models import BayesianLinear, Block, Kind, SmoothnessPrior
from thalweg.models.folds import LADDERS, FoldSums, HeldOut, balance_noise, fold_means, held_out_error
from thalweg.models.observation import KINDS

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


def test_held_out_errors_are_those_of_models_that_have_not_seen_the_fold():
    observations, model, sums = problem()
    squares = {Kind.ENERGY: [], Kind.FORCES: []}
    for k in range(4):
        others = [o for i, o in enumerate(observations) if i % 4 != k]
        part = model.refitted(sums.total(without=k), len(others))
        for observation in observations[k::4]:
            for block in observation:
                squares[block.kind] += list((block.targets - block.rows @ part.mean) ** 2)
    found = held_out_error(PRIOR, sums, model.fitted.x)
    for kind, values in squares.items():
        assert found.rmse[kind] == pytest.approx(np.sqrt(np.mean(values)), rel=1e-8)
    seen = np.concatenate([b.targets - b.rows @ model.mean for o in observations for b in o[1:]])
    assert np.sqrt(np.mean(seen**2)) < found.rmse[Kind.FORCES]


def test_the_mean_of_a_fold_is_that_of_the_others():
    observations, model, sums = problem()
    means = fold_means(PRIOR, sums, model.fitted.x)
    for k, mean in enumerate(means):
        other = model.refitted(sums.total(without=k), 45)
        assert np.allclose(mean / model.fitted.scale, other.mean, rtol=1e-8)
    assert not np.allclose(means[0], means[1], rtol=1e-4)
    assert sums.n_rows == sum(len(b.targets) for o in observations for b in o)


@pytest.mark.parametrize("noise", [(0.003, 0.3), (0.3, 0.3)])
def test_the_noise_of_energies_follows_their_errors(noise):
    _, model, sums = problem(noise)
    before = held_out_error(PRIOR, sums, model.fitted.x).score
    best = balance_noise(model, sums)
    ratio = model.noise[Kind.ENERGY] / model.noise[Kind.FORCES]
    assert min(abs(ratio / rung - 1) for rung in LADDERS[Kind.ENERGY]) < 1e-9
    assert best.score <= before + 1e-9
    assert (ratio < 0.1) == (noise[0] < 0.1)


def test_kinds_that_are_not_there_keep_their_noise():
    _, model, sums = problem()
    place = PRIOR.n_prior + KINDS.index(Kind.VIRIAL)
    before = model.fitted.x[place]
    balance_noise(model, sums)
    assert model.fitted.x[place] == before


def test_a_score_weighs_energies_and_forces_alike():
    better_energy = HeldOut({Kind.ENERGY: 0.5, Kind.FORCES: 1.0})
    better_forces = HeldOut({Kind.ENERGY: 1.0, Kind.FORCES: 0.5})
    assert better_energy.score == better_forces.score == pytest.approx(np.log(0.5) / 2)
    assert HeldOut({Kind.ENERGY: 0.0, Kind.FORCES: 1.0}).score == np.inf
    assert HeldOut({}).score == np.inf

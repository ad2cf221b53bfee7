"""The closed form against models that were fitted without a label."""

import numpy as np
import pytest

from thalweg.models import BayesianLinear, Block, RowKind, SmoothnessPrior
from thalweg.models import left_out as module
from thalweg.models.gram import Grams
from thalweg.models.left_out import LabelRows, left_out

PRIOR = SmoothnessPrior(np.repeat([1, 2], 6), np.arange(12) % 4, np.arange(12) % 3)
X = np.array([0.3, -0.5, 0.2, 0.1, -2.0, -1.0, -0.5])


def observations(n=5, rows=4, seed=0):
    rng = np.random.default_rng(seed)

    def block(kind, size, noise=0.0):
        Phi = rng.standard_normal((size, 12))
        return Block(kind, Phi, Phi @ np.linspace(1, -1, 12) + 0.3 * rng.standard_normal(size), noise)

    return [
        (block(RowKind.ENERGY, 1), block(RowKind.FORCES, rows, 0.01 * (i % 2)), block(RowKind.VIRIAL, 2))
        for i in range(n)
    ]


def fitted(labels):
    model = BayesianLinear(PRIOR)
    model.fit_batch(labels)
    return model


def found(labels, x=X):
    return left_out(PRIOR, LabelRows.of(labels, fitted(labels).fitted.scale), x)


def without(labels, place):
    """Residuals of a label by a model fitted to the others."""
    model = fitted(labels)
    model.set_hyperparameters(X)
    sums = Grams(12)
    for i, label in enumerate(labels):
        for block in label if i != place else ():
            sums.add(block, block.rows / model.fitted.scale)
    others = model.refitted(sums, len(labels) - 1)
    return np.concatenate([block.targets - block.rows @ others.mean for block in labels[place]])


@pytest.mark.parametrize(("n", "rows"), [(2, 2), (6, 8)], ids=["fewer rows than columns", "more"])
def test_it_is_what_a_model_of_all_other_labels_leaves(n, rows):
    labels = observations(n, rows)
    residuals = found(labels)
    assert (len(residuals.a) > 12) == (n > 2)
    for place in range(n):
        own = residuals.residuals[residuals.labels.of_label(place)]
        assert own == pytest.approx(without(labels, place), abs=1e-7)
    targets = np.concatenate([block.targets for label in labels for block in label])
    assert not np.allclose(residuals.residuals, targets)  # the others do teach something


@pytest.mark.parametrize("way", ["_dense", "_by_columns"])
def test_its_slope_is_that_of_finite_differences_both_ways(way, monkeypatch):
    labels = observations()
    monkeypatch.setattr(module, "_dense", getattr(module, way))
    monkeypatch.setattr(module, "_by_columns", getattr(module, way))
    g = np.sin(np.arange(len(found(labels).residuals)))
    slope = found(labels).slope(g)
    steps = 1e-5 * np.eye(len(X))
    differences = [
        g @ (found(labels, X + step).residuals - found(labels, X - step).residuals) / 2e-5 for step in steps
    ]
    assert slope == pytest.approx(differences, rel=1e-5, abs=1e-7)
    assert np.abs(slope).min() > 1e-4

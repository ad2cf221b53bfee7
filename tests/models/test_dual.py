"""The evidence by way of the rows equals the evidence by way of the columns."""

import numpy as np
import pytest

from thalweg.models.dual import WORTHWHILE, KeptRows
from thalweg.models.evidence import evidence_at, log_evidence, unpack
from thalweg.models.gram import Grams, variance_of
from thalweg.models.observation import Block, RowKind
from thalweg.models.prior import SmoothnessPrior

PRIOR = SmoothnessPrior(np.array([1, 1, 2, 2, 3, 3, 3, 3]), np.arange(8) % 4, np.arange(8) % 3, n_elements=12)


def both(seed, n_labels=3):
    """The same blocks, some with noise of their own, kept as rows and as sums."""
    rng = np.random.default_rng(seed)
    n = PRIOR.n_columns
    kept, grams = KeptRows(n), Grams(n)
    for _ in range(n_labels):
        for kind, m, noise in (
            (RowKind.ENERGY, 1, 0.0),
            (RowKind.FORCES, 9, 0.03),
            (RowKind.VIRIAL, 6, 0.0),
        ):
            rows = rng.standard_normal((m, n))
            block = Block(kind, rows, rng.standard_normal(m), noise)
            grams.add(block, rows)
            kept.add(
                (kind, 0.0 if noise == 0 else next(k[1] for k, _ in grams.items() if k[0] is kind)),
                rows,
                block.targets,
            )
    x = PRIOR.centre(1.0) + 0.3 * rng.standard_normal(PRIOR.n_hyperparameters)
    return kept, grams, x


@pytest.mark.parametrize("seed", range(4))
def test_value_and_gradient_are_the_same_both_ways(seed):
    kept, grams, x = both(seed)
    found = kept.evidence_at(PRIOR, x)
    value, gradient = found.value, found.gradient
    expected, expected_gradient = log_evidence(PRIOR, grams, x)
    assert value == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-6, atol=1e-8)
    assert np.abs(gradient).max() > 1e-2


def test_rows_are_let_go_once_they_are_many():
    kept, _, x = both(0, n_labels=int(WORTHWHILE * PRIOR.n_columns / 16) + 1)
    assert kept.overflown
    assert kept.evidence_at(PRIOR, x) is None


def fisher(kept, x):
    """1/2 tr(K^-1 dK_a K^-1 dK_b), with the derivatives of K by differences."""
    Phi, _ = kept._together()

    def K(at):
        hyper = unpack(PRIOR, at)
        return (Phi * hyper.gamma) @ Phi.T + np.diag([variance_of(key, hyper.noise) for key in kept._keys])

    steps = 1e-5 * np.eye(len(x))
    solved = [np.linalg.solve(K(x), (K(x + s) - K(x - s)) / 2e-5) for s in steps]
    return 0.5 * np.array([[np.trace(a @ b) for b in solved] for a in solved])


@pytest.mark.parametrize("seed", range(2))
def test_information_is_fishers(seed):
    kept, grams, x = both(seed)
    x[PRIOR.n_prior :] = [0.0, -0.5, 0.5]  # noise that counts
    rows = kept.evidence_at(PRIOR, x, information=True).information
    sums = evidence_at(PRIOR, grams, x, information=True).information
    expected, n = fisher(kept, x), PRIOR.n_prior
    np.testing.assert_allclose(rows[:n, :n], expected[:n, :n], rtol=1e-6)
    np.testing.assert_allclose(sums[:n, :n], expected[:n, :n], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.diag(rows), np.diag(expected), rtol=1e-6)
    assert (np.diag(sums)[n:] > 0.2 * np.diag(expected)[n:]).all()
    assert (np.diag(sums)[n:] < 5.0 * np.diag(expected)[n:]).all()
    assert not rows[:n, n:].any()
    assert np.linalg.eigvalsh(rows).min() > -1e-9 * rows.max()
    assert kept.evidence_at(PRIOR, x).information is None

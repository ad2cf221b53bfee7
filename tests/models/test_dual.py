"""The evidence by way of the rows equals the evidence by way of the columns."""

import numpy as np
import pytest

from thalweg.models.dual import WORTHWHILE, KeptRows
from thalweg.models.evidence import log_evidence
from thalweg.models.gram import Grams
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

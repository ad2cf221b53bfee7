"""The leading eigenpairs without the others: right, orthonormal, and the same bits for the same matrix."""

import numpy as np
import pytest

from thalweg.models.leading import MORE, POWERS, WORTHWHILE, leading_eigenpairs

LARGE = 600
"""Columns beyond which eigenpairs of 10 come from the Krylov space."""


def covariance(p, rank=None, decay=1.0, seed=0):
    """Of features whose spread decays, and its eigenvalues."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((p, p)))[0]
    values = np.arange(1.0, p + 1) ** (-2.0 * decay)
    if rank is not None:
        values[rank:] = 0.0
    return (Q * values) @ Q.T, values


@pytest.mark.parametrize("p", [12, 100, LARGE])
def test_values_and_vectors_are_those_of_the_whole_decomposition(p):
    S, values = covariance(p, decay=2.0)  # as fast as that of features, or slower
    found, vectors = leading_eigenpairs(S, 10)
    assert (p >= WORTHWHILE * (POWERS + 1) * (10 + MORE)) == (p == LARGE), "both ways are to be seen"
    np.testing.assert_allclose(found, values[:10], rtol=1e-3)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(10), atol=1e-12)
    np.testing.assert_allclose(np.einsum("kp,pq,kq->k", vectors, S, vectors), found, rtol=1e-9)


def test_values_never_exceed_the_true_ones():
    S, values = covariance(LARGE, decay=0.1)  # hardly decaying: the hardest case
    found, _ = leading_eigenpairs(S, 10)
    assert (found <= values[:10] * (1 + 1e-12)).all()
    assert found.sum() > 0.8 * values[:10].sum()


@pytest.mark.parametrize("rank", [0, 1, 4, 12])
def test_directions_without_spread_are_orthonormal_too(rank):
    S, values = covariance(LARGE, rank=rank)
    found, vectors = leading_eigenpairs(S, 10)
    np.testing.assert_allclose(found, values[:10], rtol=1e-6, atol=1e-12)
    assert (found >= 0.0).all()
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(10), atol=1e-12)


def test_the_same_matrix_gives_the_same_bits():
    S, _ = covariance(LARGE)
    first = leading_eigenpairs(S, 10)
    leading_eigenpairs(covariance(LARGE, seed=1)[0], 10)
    again = leading_eigenpairs(S.copy(), 10)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))

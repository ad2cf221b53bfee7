"""The leading eigenpairs of a covariance, without the others.

    K        block Krylov space of S: [X, S X, ..., S^q X], orthonormal, of a fixed block X of a few vectors more than
             eigenpairs are wanted
    K^T S K  is small; its eigenpairs, turned by K, are the answer (Rayleigh, Ritz)

The Ritz values of a positive semidefinite S never exceed its eigenvalues, and vectors are orthonormal to rounding
whatever S is: what a direction is said to hold, it holds. X depends on the shape alone, so the same S gives the same
bits, whenever it is asked about.

References
    Musco, Musco, NeurIPS 28 (2015), algorithm 2 (randomised block Krylov iteration)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg import blas, eigh, lapack

from thalweg.structure import FloatArray

MORE = 8
"""Vectors of a block beyond the eigenpairs that are wanted."""
POWERS = 2
"""q: applications of S. On covariances of features values of the leading 32 are right to 1e-4, their sum to 1e-7."""
WORTHWHILE = 3.0
"""Columns over those of the Krylov space from which on it is the shorter way."""


def leading_eigenpairs(S: FloatArray, r: int) -> tuple[FloatArray, FloatArray]:
    """The r largest eigenvalues of S, falling, and their vectors.

    Parameters
    ----------
    S : float64 ndarray, shape (p, p)
        Symmetric, no eigenvalue below 0 but for rounding.
    r : int, 1 <= r <= p

    Returns
    -------
    values : float64 ndarray, shape (r,)
        Not below 0.
    vectors : float64 ndarray, shape (r, p)
        Orthonormal rows.
    """
    p = len(S)
    if p < WORTHWHILE * (POWERS + 1) * (r + MORE):
        values, vectors = eigh(S, subset_by_index=(p - r, p - 1), check_finite=False)
    else:
        values, vectors = _by_krylov(S, r)
    return np.maximum(values[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1].T)


def _by_krylov(S: FloatArray, r: int) -> tuple[FloatArray, FloatArray]:
    """The r largest Ritz pairs, rising."""
    block = _start(len(S), r + MORE)
    blocks = [block]
    for _ in range(POWERS):
        block = _orthonormal(blas.dsymm(1.0, S.T, block))
        blocks.append(block)
    K = _orthonormal(np.asfortranarray(np.concatenate(blocks, axis=1)))
    small = K.T @ blas.dsymm(1.0, S.T, K)
    k = len(small)
    values, turn = eigh(0.5 * (small + small.T), subset_by_index=(k - r, k - 1), check_finite=False)
    return values, K @ turn


@lru_cache(maxsize=4)
def _start(p: int, width: int) -> FloatArray:
    """X, the same for every S of this size."""
    return _orthonormal(np.asfortranarray(np.random.default_rng(0).standard_normal((p, width))))


def _orthonormal(block: FloatArray) -> FloatArray:
    """Householder's Q of the block: orthonormal also where its columns depend on each other."""
    reflectors, tau, _, _ = lapack.dgeqrf(block)
    Q, _, _ = lapack.dorgqr(reflectors, tau)
    return np.asarray(Q)

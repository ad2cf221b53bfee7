"""Quantiles of a few distributions, without `scipy.stats`: importing it takes as long as half a command's start.

References
    Abramowitz, Stegun, Handbook of Mathematical Functions, 26.2 (normal), 26.4 (chi), 26.5 (beta), 26.7 (t)
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtri, stdtrit

from thalweg.structure import FloatArray


def normal(p: float) -> float:
    """x with P(X < x) = p of the standard normal distribution, 0 < p < 1."""
    return float(ndtri(p))


def normals(p: FloatArray) -> FloatArray:
    """`normal` of each p, of the shape of p."""
    return np.asarray(ndtri(p), dtype=np.float64)


def student(p: float, dof: float) -> float:
    """The same of Student's t distribution with `dof` degrees of freedom, above 0."""
    return float(stdtrit(dof, p))


def beta(p: float, a: float, b: float) -> float:
    """The same of the beta distribution, a and b above 0."""
    return float(betaincinv(a, b, p))


def chi(p: float, dof: float) -> float:
    """The same of the length of a vector of `dof` standard normal numbers."""
    return float(np.sqrt(2.0 * gammaincinv(dof / 2.0, p)))


def ranks(values: FloatArray) -> FloatArray:
    """Rank of each value, from 1 on; equal ones share the mean of theirs. Shape (n,), no NaN."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(last - (counts - 1) / 2.0)[place]

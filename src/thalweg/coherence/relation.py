"""How large one quantity is over what another implies: a profile likelihood of one factor.

Notation
    y        labels of one quantity, (m,)      p, K   mean and covariance that another quantity's posterior gives them
    a        y over what is implied;  y = a t + e,  t ~ N(p, kappa K),  e ~ N(0, sigma²)
    Z        what a set leaves free (reference energies, a constant pressure) is projected out, as in restricted
             maximum likelihood (Patterson & Thompson, Biometrika 58, 545, 1971)

    L(a) = max over sigma, kappa of  -1/2 sum_k [ (y_k - a p_k)² / v_k + log v_k ],   v_k = a² kappa lambda_k + sigma²

in the eigenvectors of Z^T K Z. A posterior mean has errors of Berkson's kind: a is not biased by them. kappa >= 1
widens the posterior where the small basis cannot follow the labels, most in the directions that it knows least: what
the data do not determine, such as the pressure in cells of one volume, is no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.structure import BoolArray, FloatArray

LIKE_ONE = (0.8, 1.25)
"""Factors that are taken for 1: what small bases misfit."""
SURE = 15.0
"""Log likelihood by which one hypothesis must beat another; the largest on right data is 9 (docs/accuracy.md)."""
RELATED = 8.0
"""Log likelihood over no relation at all, from which on two quantities confirm each other."""
MISFIT, LEAST_MISFIT = 0.5, 0.005
"""Of the size of what is implied, and in eV per sqrt(atom): what a small basis may miss of right labels."""
KAPPA = (1.0, 4.0, 16.0, 64.0)
_STEP, _LOG_RANGE = 0.08, (-9.2, 15.2)
_SIGMAS = np.logspace(-3.0, 0.3, 24)
_TINY = 1e-12


def _factors() -> FloatArray:
    """A grid of signed factors with 0 and 1 on it."""
    steps = np.arange(round(_LOG_RANGE[0] / _STEP), round(_LOG_RANGE[1] / _STEP) + 1)
    positive = np.exp(_STEP * steps)
    return np.concatenate([-positive[::-1], [0.0], positive])


FACTORS = _factors()
_ONE = np.abs(FACTORS - np.mean(LIKE_ONE)) < np.ptp(LIKE_ONE) / 2
_ZERO = len(FACTORS) // 2


@dataclass(frozen=True, eq=False)
class Implied:
    """What one quantity implies of another: mean (m,) and covariance (m, m), and columns that are left free."""

    mean: FloatArray
    covariance: FloatArray
    free: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Profile:
    """L(a) on FACTORS.

    Attributes
    ----------
    likelihood : float64 ndarray, of the shape of FACTORS
    like_one, kappa, sigma : float
        The largest L of a factor like 1 whose sigma is no larger than misfit may be, and where that is.
    """

    likelihood: FloatArray
    like_one: float
    kappa: float
    sigma: float

    @property
    def best(self) -> float:
        """The largest L."""
        return float(self.likelihood.max())

    @property
    def unrelated(self) -> float:
        """L of no relation."""
        return float(self.likelihood[_ZERO])

    @property
    def factor(self) -> float:
        """The most likely a."""
        return float(FACTORS[int(self.likelihood.argmax())])

    @property
    def interval(self) -> tuple[float, float]:
        """Where L is less than RELATED below its largest."""
        inside = FACTORS[self.likelihood > self.best - RELATED]
        return float(inside.min()), float(inside.max())


def profile(y: FloatArray, implied: Implied) -> Profile | None:
    """The profile of labels y (m,) against what is implied; None where nothing is left to compare."""
    turned = _turned(y, implied)
    if turned is None:
        return None
    ty, tp, eigenvalues = turned
    size = float(np.sqrt(np.mean(ty**2)))
    if size < _TINY or len(ty) < 2:
        return None
    residual2 = (ty[None, :] - FACTORS[:, None] * tp[None, :]) ** 2
    allowed = max(MISFIT * float(np.sqrt(np.mean(tp**2))), LEAST_MISFIT, size * float(_SIGMAS[0]))
    best, near = np.full(len(FACTORS), -np.inf), (-np.inf, 1.0, size)
    for kappa in KAPPA:
        prior = (FACTORS**2 * kappa)[:, None] * eigenvalues[None, :]
        for sigma in size * _SIGMAS:
            v = prior + sigma**2
            value = -0.5 * (residual2 / v + np.log(v)).sum(axis=1)
            best = np.maximum(best, value)
            if sigma <= allowed:
                near = max(near, (float(value[_ONE].max()), kappa, float(sigma)))
    return Profile(best, *near)


def _turned(y: FloatArray, implied: Implied) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """y and p in the eigenvectors of Z^T K Z, and its eigenvalues; None where Z leaves nothing."""
    Z = complement(implied.free, len(y))
    if Z.shape[1] == 0:
        return None
    eigenvalues, Q = np.linalg.eigh(Z.T @ implied.covariance @ Z)
    turn = (Z @ Q).T
    return turn @ y, turn @ implied.mean, np.maximum(eigenvalues, 0.0)


def taken(implied: Implied, kept: BoolArray) -> Implied:
    """What is implied of some rows."""
    free = None if implied.free is None else implied.free[kept]
    return Implied(implied.mean[kept], implied.covariance[np.ix_(kept, kept)], free)


def complement(free: FloatArray | None, m: int) -> FloatArray:
    """An orthonormal basis of what is orthogonal to the free columns, shape (m, m - rank)."""
    if free is None or free.shape[1] == 0:
        return np.eye(m)
    U, s, _ = np.linalg.svd(free, full_matrices=True)
    rank = int((s > 1e-9 * max(float(s[0]), _TINY)).sum())
    return np.asarray(U[:, rank:])


@dataclass(frozen=True, eq=False)
class Residuals:
    """Each row's error as predicted from the other rows too, and its standard deviation; both (m,)."""

    left_out: FloatArray
    deviation: FloatArray


def residuals(y: FloatArray, implied: Implied, kappa: float, sigma: float) -> Residuals:
    """Leave-one-out residuals of y = p + e with covariance V = kappa K + sigma², free columns fitted.

    r_i = (P y)_i / P_ii with variance 1 / P_ii, P = V^-1 - V^-1 C (C^T V^-1 C)^-1 C^T V^-1 (Craven & Wahba, Numer.
    Math. 31, 377, 1979).
    """
    V = kappa * implied.covariance + sigma**2 * np.eye(len(y))
    P = np.linalg.inv(V)
    if implied.free is not None and implied.free.shape[1]:
        PC = P @ implied.free
        P = P - PC @ np.linalg.pinv(implied.free.T @ PC, rcond=1e-10) @ PC.T
    diagonal = np.maximum(np.diag(P), _TINY)
    return Residuals(P @ (y - implied.mean) / diagonal, 1.0 / np.sqrt(diagonal))


def coefficient(
    y: FloatArray, implied: Implied, column: FloatArray, kappa: float, sigma: float
) -> tuple[float, float]:
    """Generalised least squares of y - p by one column beside the free ones: its coefficient and deviation."""
    V = kappa * implied.covariance + sigma**2 * np.eye(len(y))
    free = np.empty((len(y), 0)) if implied.free is None else implied.free
    C = np.column_stack([free, column])
    W = np.linalg.solve(V, C)
    information = np.linalg.pinv(C.T @ W, rcond=1e-12)
    return float((information @ (W.T @ (y - implied.mean)))[-1]), float(
        np.sqrt(max(information[-1, -1], 0.0))
    )

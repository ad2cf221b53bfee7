"""Log evidence of the Bayesian linear model and its gradient, from Gram matrices.

Notation
    x        hyperparameters (thalweg.models.prior)
    gamma    prior variances, shape (n,);  D = diag(sqrt(gamma))
    v_c      noise variance of class c = noise_kind² + label noise²
    A        posterior precision = diag(1/gamma) + sum_c G_c / v_c
    B        D A D = 1 + D (sum_c G_c / v_c) D: no eigenvalue below 1, so its Cholesky factor is safe
    w        posterior mean; u = D^-1 w

    log p(y|x) = -1/2 [ sum_c (m_c log 2 pi v_c + yy_c / v_c) - b^T A^-1 b + log det B ]
    d/d log gamma_k = 1/2 [ B^-1_kk + u_k² - 1 ]
    d/d v_c         = 1/2 [ (|y - Phi w|²_c + tr(A^-1 G_c)) / v_c² - m_c / v_c ]

One evaluation costs a Cholesky factorisation and an inverse (n³ operations), however many labels there are.

References
    MacKay, Neural Computation 4, 415 (1992); Bishop, Pattern Recognition and Machine Learning, 3.5
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack, solve_triangular

from thalweg.errors import ModelError
from thalweg.models.gram import Grams, variance_of
from thalweg.models.observation import KINDS, RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

ROUNDING = 1e-13
"""Of a diagonal entry of a Gram matrix: what double precision may lose in sums over many rows."""
_TRIES = 8


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """x taken apart: prior variance per column, shape (n,), and noise level per kind."""

    gamma: FloatArray
    noise: dict[RowKind, float]


def unpack(prior: SmoothnessPrior, x: FloatArray) -> Hyperparameters:
    """Prior variances and noise levels of the hyperparameter vector x."""
    gamma = np.exp(prior.covariates() @ x[: prior.n_prior])
    noise = {kind: float(np.exp(value)) for kind, value in zip(KINDS, x[prior.n_prior :], strict=True)}
    return Hyperparameters(gamma, noise)


def factorise(grams: Grams, hyper: Hyperparameters) -> tuple[FloatArray, FloatArray, float]:
    """Upper Cholesky factor U of B (U^T U = B), the vector D b, and sum_c yy_c / v_c."""
    n = grams.n
    B, b, yy = np.zeros((n, n), order="F"), np.zeros(n), 0.0
    for key, gram in grams.items():
        v = variance_of(key, hyper.noise)
        add_scaled(B, gram.G, 1.0 / v)
        b += gram.b / v
        yy += gram.yy / v
    U, D = factor_scaled(B, hyper.gamma)
    return U, D * b, yy


def add_scaled(into: FloatArray, G: FloatArray, factor: float) -> None:
    """into += factor * G, both Fortran-ordered, without a temporary: such sums are bound by memory."""
    blas.daxpy(G.ravel(order="K"), into.ravel(order="K"), a=factor)


def factor_scaled(P: FloatArray, gamma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Upper Cholesky factor of B = 1 + D P D from the upper triangle of P, which is overwritten; and D.

    Rounding in G is in proportion to its diagonal. Where labels are nearly free of noise it exceeds 1 and pushes
    eigenvalues that should be 1 anywhere, below 0 too; ROUNDING of each column's own sum keeps what comes out a smooth
    function of the hyperparameters, and touches no column that others dwarf.
    """
    D = np.sqrt(gamma)
    P *= D[:, None]
    P *= D[None, :]
    diagonal = np.diag_indices(len(P))
    own, share = P[diagonal], ROUNDING
    for _ in range(_TRIES):
        trial = P.copy(order="F")
        trial[diagonal] += 1.0 + share * own
        U, info = lapack.dpotrf(trial, lower=0, clean=1, overwrite_a=1)
        if info == 0:
            return U, D
        share *= 10.0
    raise ModelError(
        "model: the posterior precision is not positive definite; look for a label with absurd numbers"
    )


@dataclass(frozen=True, eq=False)
class Evidence:
    """The log evidence at a point.

    Attributes
    ----------
    value : float
    gradient : float64 ndarray, shape (n_hyperparameters,)
    information : float64 ndarray, shape (n_hyperparameters, n_hyperparameters), or None
        What the gradient's variance would be were the model true: about minus the Hessian. Prior and noise levels are
        taken apart, each noise level from the others.
    """

    value: float
    gradient: FloatArray
    information: FloatArray | None = None


def log_evidence(prior: SmoothnessPrior, grams: Grams, x: FloatArray) -> tuple[float, FloatArray]:
    """Log marginal likelihood at x and its gradient, shape (n_hyperparameters,)."""
    found = evidence_at(prior, grams, x)
    return found.value, found.gradient


def evidence_at(
    prior: SmoothnessPrior, grams: Grams, x: FloatArray, *, information: bool = False
) -> Evidence:
    """The log evidence at x, with its information matrix where that is wanted."""
    hyper = unpack(prior, x)
    U, Db, yy = factorise(grams, hyper)
    u = solve_triangular(U, solve_triangular(U, Db, trans="T", check_finite=False), check_finite=False)
    value = -0.5 * (yy - float(Db @ u) + 2.0 * float(np.log(np.diag(U)).sum()))
    B_inverse, _ = lapack.dpotri(U, lower=0, overwrite_c=1)
    diagonal = np.diag(B_inverse).copy()
    D = np.sqrt(hyper.gamma)
    gradient = np.zeros(prior.n_hyperparameters)
    gradient[: prior.n_prior] = prior.covariates().T @ (0.5 * (diagonal + u**2 - 1.0))
    known = _Information.begin(prior, B_inverse, diagonal) if information else None
    B_inverse *= D[:, None]
    B_inverse *= D[None, :]  # A^-1 from here on
    for key, gram in grams.items():
        v, place = variance_of(key, hyper.noise), prior.n_prior + KINDS.index(key[0])
        by_noise = 2.0 * hyper.noise[key[0]] ** 2
        trace = _trace(B_inverse, gram.G)
        value -= 0.5 * gram.m * float(np.log(2.0 * np.pi * v))
        gradient[place] += 0.5 * ((gram.residual2(D * u) + trace) / v**2 - gram.m / v) * by_noise
        if known is not None:
            known.add_noise(place, gram.m, trace / v, by_noise / v)
    return Evidence(value, gradient, None if known is None else known.matrix)


@dataclass(frozen=True, eq=False)
class _Information:
    """Fisher's information of the hyperparameters, with M = 1 - B^-1 and S_c = A^-1 G_c / v_c.

    log gamma    1/2 X^T (M * M) X, elementwise product; X the prior's covariates
    v_c          1/2 [ m_c - 2 tr S_c + tr S_c² ] / v_c²,     tr S_c² about tr S_c tr M² / tr M, or (tr S_c)² / m_c
    """

    matrix: FloatArray
    decided: float

    @classmethod
    def begin(cls, prior: SmoothnessPrior, B_inverse: FloatArray, diagonal: FloatArray) -> _Information:
        """The part of the prior's variances; `decided` is tr M² / tr M."""
        X, n = prior.covariates(), len(diagonal)
        squares = B_inverse**2  # upper triangle
        squares[np.diag_indices(n)] = 0.5 * (1.0 - diagonal) ** 2
        half = X.T @ (squares @ X)
        matrix = np.zeros((prior.n_hyperparameters, prior.n_hyperparameters))
        matrix[: prior.n_prior, : prior.n_prior] = 0.5 * (half + half.T)
        return cls(matrix, 2.0 * float(squares.sum()) / max(n - float(diagonal.sum()), 1e-300))

    def add_noise(self, place: int, m: int, trace: float, slope: float) -> None:
        """A class of m rows with tr S_c = trace; slope is d log v / dx."""
        square = max(self.decided * trace, trace**2 / max(m, 1))  # no smaller, with m eigenvalues
        self.matrix[place, place] += 0.5 * max(m - 2.0 * trace + square, 1e-3 * m) * slope**2


def _trace(P: FloatArray, Q: FloatArray) -> float:
    """tr(P Q) of two symmetric matrices held as Fortran-ordered upper triangles (zero below)."""
    upper = float(np.dot(P.ravel(order="K"), Q.ravel(order="K")))
    return 2.0 * upper - float(np.diag(P) @ np.diag(Q))

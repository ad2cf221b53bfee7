"""Every label predicted by the model of all the others, in closed form, and how that moves with the hyperparameters.

Notation
    Phi, y   rows and targets of all labels in scaled features, shapes (m, n) and (m,); I: the rows of one label
    V        diag of the rows' noise variances v_j = noise_kind² + label noise²
    K        Phi diag(gamma) Phi^T + V;  a = K^-1 y
    C_I      the block (K^-1)_II
    r_I      C_I^-1 a_I: y_I less what the model of all other labels, with these hyperparameters, predicts of it
    S        any number that depends on the r_I;  g = dS/dr,  q_I = C_I^-1 g_I
    Q_I,P_I  K^-1 with the columns I, times q_I and times r_I, shape (m,);  b = sum_I Q_I

    dS/d gamma_k = - (phi_k . b) (phi_k . a) + sum_I (phi_k . Q_I) (phi_k . P_I)          phi_k: column k of Phi
    dS/d v_j     = - b_j a_j + sum_I Q_jI P_jI

With fewer rows than columns K is inverted. Otherwise K^-1 = V^-1/2 (1 - T T^T) V^-1/2, where T = V^-1/2 Phi D U^-1 and
U^T U = 1 + D Phi^T V^-1 Phi D, D = diag(sqrt(gamma)); K is never made. One factorisation serves all labels.

References
    Sundararajan & Keerthi, Neural Computation 13, 1103 (2001); Rasmussen & Williams, eqs. 5.10 to 5.13, for one row at
    a time; here for the rows of a label together
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import blas, cho_solve, lapack

from thalweg.errors import ModelError
from thalweg.models.evidence import ROUNDING, factor_scaled, unpack
from thalweg.models.observation import KINDS, Observation
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray, IntArray

_TRIES = 8
_ABSURD = "model: the covariance of the targets has no factor; look for a label with absurd numbers"


@dataclass(frozen=True, eq=False)
class LabelRows:
    """The rows of labels, laid end to end.

    Attributes
    ----------
    rows : float64 ndarray, shape (m, n)
        In scaled features.
    targets, label_noise : float64 ndarray, shape (m,)
    kind : int64 ndarray, shape (m,)
        Place of each row's kind in KINDS.
    ends : int64 ndarray, shape (n_labels + 1,)
        Label i has the rows ends[i] to ends[i + 1].
    """

    rows: FloatArray
    targets: FloatArray
    label_noise: FloatArray
    kind: IntArray
    ends: IntArray

    @classmethod
    def of(cls, observations: Sequence[Observation], scale: FloatArray) -> LabelRows:
        """The rows of these labels divided by `scale` (n,)."""
        blocks = [block for one in observations for block in one]
        sizes = [sum(len(block.targets) for block in one) for one in observations]
        lengths = [len(block.targets) for block in blocks]
        return cls(
            np.concatenate([block.rows for block in blocks]) / scale,
            np.concatenate([block.targets for block in blocks]),
            np.repeat([block.label_noise for block in blocks], lengths),
            np.repeat([KINDS.index(block.kind) for block in blocks], lengths).astype(np.int64),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        )

    @property
    def n_labels(self) -> int:
        """Labels."""
        return len(self.ends) - 1

    def of_label(self, label: int) -> slice:
        """Its rows."""
        return slice(int(self.ends[label]), int(self.ends[label + 1]))


def left_out(prior: SmoothnessPrior, labels: LabelRows, x: FloatArray) -> LeftOut:
    """What each label leaves of itself to the model of all others, under the hyperparameters x.

    Raises
    ------
    ModelError
        The covariance of the targets has no factor: a label has absurd numbers.
    """
    hyper = unpack(prior, x)
    noise = np.array([hyper.noise[kind] for kind in KINDS])
    variance = noise[labels.kind] ** 2 + labels.label_noise**2
    m, n = labels.rows.shape
    inverse = (_dense if m <= n else _by_columns)(labels.rows, hyper.gamma, variance)
    blocks = [_factor(inverse.block(labels.of_label(i)).copy()) for i in range(labels.n_labels)]
    a = inverse.times(labels.targets)
    residuals = np.concatenate([_solved(block, a[labels.of_label(i)]) for i, block in enumerate(blocks)])
    if not np.isfinite(residuals).all():
        raise ModelError(_ABSURD)
    return LeftOut(prior, labels, hyper.gamma, noise, inverse, blocks, a, residuals)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Residuals r (m,) of the labels' rows, each by the model without its label, and their slopes."""

    prior: SmoothnessPrior
    labels: LabelRows
    gamma: FloatArray
    noise: FloatArray
    inverse: _Inverse
    blocks: list[FloatArray]
    a: FloatArray
    residuals: FloatArray

    def slope(self, by_residual: FloatArray) -> FloatArray:
        """dS/dx, shape (n_hyperparameters,), from g = dS/dr, shape (m,)."""
        rows, n_labels = self.labels.rows, self.labels.n_labels
        q, r = np.zeros((len(self.a), n_labels)), np.zeros((len(self.a), n_labels))
        for i, block in enumerate(self.blocks):
            own = self.labels.of_label(i)
            q[own, i] = _solved(block, by_residual[own])
            r[own, i] = self.residuals[own]
        Q, P = self.inverse.times(q), self.inverse.times(r)
        b = Q.sum(axis=1)
        by_gamma = -(b @ rows) * (self.a @ rows) + np.einsum("ik,ik->k", Q.T @ rows, P.T @ rows)
        by_variance = -b * self.a + np.einsum("ji,ji->j", Q, P)
        out = np.zeros(self.prior.n_hyperparameters)
        out[: self.prior.n_prior] = self.prior.covariates().T @ (self.gamma * by_gamma)
        sums = np.bincount(self.labels.kind, weights=by_variance, minlength=len(KINDS))
        out[self.prior.n_prior :] = 2.0 * self.noise**2 * sums
        return out


class _Inverse(Protocol):
    """K^-1."""

    def block(self, own: slice) -> FloatArray:
        """Its block of these rows."""

    def times(self, right: FloatArray) -> FloatArray:
        """K^-1 right, shape of `right`: (m,) or (m, k)."""


@dataclass(frozen=True, eq=False)
class _Dense:
    """All of it, shape (m, m)."""

    K: FloatArray

    def block(self, own: slice) -> FloatArray:
        return self.K[own, own]

    def times(self, right: FloatArray) -> FloatArray:
        return self.K @ right


@dataclass(frozen=True, eq=False)
class _ByColumns:
    """V^-1/2 (1 - T T^T) V^-1/2; `root` is V^-1/2 (m,)."""

    T: FloatArray
    root: FloatArray

    def block(self, own: slice) -> FloatArray:
        T, root = self.T[own], self.root[own]
        return np.asarray(root[:, None] * (np.eye(len(T)) - T @ T.T) * root[None, :])

    def times(self, right: FloatArray) -> FloatArray:
        root = self.root if right.ndim == 1 else self.root[:, None]
        scaled = root * right
        return np.asarray(root * (scaled - self.T @ (self.T.T @ scaled)))


def _solved(factor: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(cho_solve((factor, True), right, check_finite=False))


def _dense(rows: FloatArray, gamma: FloatArray, variance: FloatArray) -> _Inverse:
    scaled = rows * np.sqrt(gamma)[None, :]
    K = blas.dsyrk(1.0, scaled.T, trans=1, lower=1)
    K[np.diag_indices(len(K))] += variance
    L = _factor(K)
    inverse, _ = lapack.dpotri(L, lower=1, overwrite_c=1)
    return _Dense(np.tril(inverse) + np.tril(inverse, -1).T)


def _factor(K: FloatArray) -> FloatArray:
    """Lower Cholesky factor of K, its diagonal raised by what rounding may have taken from it where that is needed."""
    diagonal, share = np.diag_indices(len(K)), ROUNDING
    own = K[diagonal].copy()
    for _ in range(_TRIES):
        L, info = lapack.dpotrf(K, lower=1, clean=1)
        if info == 0 and np.isfinite(np.diag(L)).all():
            return np.asarray(L)
        K[diagonal] = own * (1.0 + share)
        share *= 10.0
    raise ModelError(_ABSURD)


def _by_columns(rows: FloatArray, gamma: FloatArray, variance: FloatArray) -> _Inverse:
    root = 1.0 / np.sqrt(variance)
    scaled = rows * root[:, None]
    P = blas.dsyrk(1.0, scaled.T, trans=0, lower=0)
    U, D = factor_scaled(np.asfortranarray(P), gamma)
    scaled *= D[None, :]
    T = blas.dtrsm(1.0, U, scaled.T, lower=0, trans_a=1).T  # U^T T^T = (V^-1/2 Phi D)^T
    return _ByColumns(T, root)

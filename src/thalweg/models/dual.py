"""The same evidence while rows are fewer than columns: a problem of the size of the rows.

Notation
    Phi      rows of all labels so far in scaled features, shape (m, n)
    V        diag of the rows' noise variances v_c = noise_kind² + label noise²
    K        Phi diag(gamma) Phi^T + V, covariance of the targets, shape (m, m);  K = L L^T
    alpha    K^-1 y

    log p(y|x) = -1/2 [ y^T alpha + log det K + m log 2 pi ]
    d/d log gamma_k = gamma_k / 2 [ (phi_k . alpha)² - phi_k^T K^-1 phi_k ]         phi_k: column k of Phi
    d/d v_i         = 1/2 [ alpha_i² - (K^-1)_ii ]

Equal to `thalweg.models.evidence` to rounding (Sylvester, Woodbury), in m² n instead of n³ operations. Early in a run,
when the evidence is maximised most often, that is a small part.

References
    Rasmussen, Williams, Gaussian Processes for Machine Learning, eqs. 5.8 and 5.9
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import blas, lapack

from thalweg.models.evidence import Evidence, Hyperparameters, unpack
from thalweg.models.gram import Key, variance_of
from thalweg.models.observation import KINDS, RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import BoolArray, FloatArray

WORTHWHILE = 0.6
"""Rows over columns up to which this way is the shorter one; beyond it the rows are let go."""


@dataclass(eq=False)
class KeptRows:
    """Rows of labels, as long as they are few. `overflown` once they are not: then they are gone for good."""

    n: int
    overflown: bool = False
    _rows: list[FloatArray] = field(default_factory=list)
    _targets: list[FloatArray] = field(default_factory=list)
    _keys: list[Key] = field(default_factory=list)

    def add(self, key: Key, rows: FloatArray, targets: FloatArray) -> None:
        """Keep rows (m, n) in scaled features and their targets (m,)."""
        if self.overflown:
            return
        self._rows.append(rows)
        self._targets.append(targets)
        self._keys += [key] * len(targets)
        if len(self._keys) > WORTHWHILE * self.n:
            self.overflown = True
            self._rows, self._targets, self._keys = [], [], []

    def mean(self, hyper: Hyperparameters, kinds: Collection[RowKind] = KINDS) -> FloatArray | None:
        """Posterior mean of the rows of these kinds, gamma Phi^T alpha, shape (n,); None as in `evidence_at`."""
        if self.overflown or not self._keys:
            return None
        own = np.array([key[0] in kinds for key in self._keys])
        if not own.any():
            return np.zeros(self.n)
        Phi, y = (part[own] for part in self._together())
        scaled = Phi * np.sqrt(hyper.gamma)[None, :]
        K = blas.dsyrk(1.0, scaled.T, trans=1, lower=1)
        v = np.array([variance_of(key, hyper.noise) for key in self._keys])
        K[np.diag_indices(len(y))] += v[own]
        L, info = lapack.dpotrf(K, lower=1, overwrite_a=1)
        if info != 0:
            return None
        alpha, _ = lapack.dpotrs(L, y, lower=1)
        return np.asarray(hyper.gamma * (Phi.T @ alpha))

    def evidence_at(
        self, prior: SmoothnessPrior, x: FloatArray, *, information: bool = False
    ) -> Evidence | None:
        """The log evidence at x; None where K has no factor to rounding, or rows are gone."""
        if self.overflown or not self._keys:
            return None
        hyper = unpack(prior, x)
        Phi, y = self._together()
        v = np.array([variance_of(key, hyper.noise) for key in self._keys])
        scaled = (Phi * np.sqrt(hyper.gamma)[None, :]).T  # Fortran-ordered, as BLAS wants it
        K = blas.dsyrk(1.0, scaled, trans=1, lower=1)
        K[np.diag_indices(len(y))] += v
        L, info = lapack.dpotrf(K, lower=1, clean=1, overwrite_a=1)
        if info != 0:
            return None
        half = blas.dtrsv(L, y, lower=1)
        alpha = blas.dtrsv(L, half, lower=1, trans=1)
        value = -0.5 * (
            float(half @ half) + 2.0 * float(np.log(np.diag(L)).sum()) + len(y) * float(np.log(2 * np.pi))
        )
        W = blas.dtrsm(1.0, L, scaled, side=1, trans_a=1, lower=1, overwrite_b=1)
        d_gamma = 0.5 * (hyper.gamma * (Phi.T @ alpha) ** 2 - np.einsum("km,km->k", W, W))
        inverse, _ = lapack.dpotri(L, lower=1, overwrite_c=1)
        d_v = 0.5 * (alpha**2 - np.diag(inverse))
        gradient = np.zeros(prior.n_hyperparameters)
        gradient[: prior.n_prior] = prior.covariates().T @ d_gamma
        for place, own, by_noise in self._noises(prior, hyper):
            gradient[place] = float(d_v[own].sum()) * by_noise
        return Evidence(value, gradient, self._information(prior, hyper, W, inverse) if information else None)

    def _together(self) -> tuple[FloatArray, FloatArray]:
        """All rows (m, n) and targets (m,); what was put together stays so for the next time."""
        if len(self._rows) > 1:
            self._rows, self._targets = [np.concatenate(self._rows)], [np.concatenate(self._targets)]
        return self._rows[0], self._targets[0]

    def _noises(
        self, prior: SmoothnessPrior, hyper: Hyperparameters
    ) -> Iterator[tuple[int, BoolArray, float]]:
        """Of each noise level: its place in x, its rows, and dv/dx."""
        for k, kind in enumerate(KINDS):
            own = np.array([key[0] is kind for key in self._keys])
            yield prior.n_prior + k, own, 2.0 * hyper.noise[kind] ** 2

    def _information(
        self, prior: SmoothnessPrior, hyper: Hyperparameters, W: FloatArray, inverse: FloatArray
    ) -> FloatArray:
        """Fisher's information, prior and noise levels apart: 1/2 tr(K^-1 dK/dx_a K^-1 dK/dx_b).

        With W = D Phi^T L^-T (n, m) and N_a = W^T diag(X_a) W of the prior's covariates X it is 1/2 tr(N_a N_b) for
        log gamma.
        """
        X = prior.covariates()
        matrix = np.zeros((prior.n_hyperparameters, prior.n_hyperparameters))
        turned = []
        for column in X.T:
            there = np.flatnonzero(column)
            part = np.asfortranarray(W[there] * np.sqrt(np.abs(column[there]))[:, None])
            N = blas.dsyrk(1.0, part, trans=1, lower=1) * (-1.0 if (column < 0).any() else 1.0)
            N[np.diag_indices(len(N))] *= np.sqrt(0.5)  # the strict triangle counts twice
            turned.append(N)
        for a, N_a in enumerate(turned):
            for b, N_b in enumerate(turned[: a + 1]):
                matrix[a, b] = matrix[b, a] = float(np.vdot(N_a, N_b))
        squares = np.tril(inverse) ** 2
        squares[np.diag_indices(len(squares))] *= 0.5
        for place, own, by_noise in self._noises(prior, hyper):
            matrix[place, place] = float(squares[np.ix_(own, own)].sum()) * by_noise**2
        return matrix

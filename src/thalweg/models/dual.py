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

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import blas, lapack

from thalweg.models.evidence import Hyperparameters, unpack
from thalweg.models.gram import Key, variance_of
from thalweg.models.observation import KINDS, RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

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
        """Posterior mean of the rows of these kinds, gamma Phi^T alpha, shape (n,); None as in `log_evidence`."""
        if self.overflown or not self._keys:
            return None
        own = np.array([key[0] in kinds for key in self._keys])
        if not own.any():
            return np.zeros(self.n)
        Phi, y = np.concatenate(self._rows)[own], np.concatenate(self._targets)[own]
        scaled = Phi * np.sqrt(hyper.gamma)[None, :]
        K = blas.dsyrk(1.0, scaled.T, trans=1, lower=1)
        v = np.array([variance_of(key, hyper.noise) for key in self._keys])
        K[np.diag_indices(len(y))] += v[own]
        L, info = lapack.dpotrf(K, lower=1, overwrite_a=1)
        if info != 0:
            return None
        alpha, _ = lapack.dpotrs(L, y, lower=1)
        return np.asarray(hyper.gamma * (Phi.T @ alpha))

    def log_evidence(self, prior: SmoothnessPrior, x: FloatArray) -> tuple[float, FloatArray] | None:
        """Log marginal likelihood at x and its gradient; None where K has no factor to rounding, or rows are gone."""
        if self.overflown or not self._keys:
            return None
        hyper = unpack(prior, x)
        Phi, y = np.concatenate(self._rows), np.concatenate(self._targets)
        v = np.array([variance_of(key, hyper.noise) for key in self._keys])
        scaled = Phi * np.sqrt(hyper.gamma)[None, :]
        K = blas.dsyrk(1.0, scaled.T, trans=1, lower=1)
        K[np.diag_indices(len(y))] += v
        L, info = lapack.dpotrf(K, lower=1, clean=1, overwrite_a=1)
        if info != 0:
            return None
        half = blas.dtrsv(L, y, lower=1)
        alpha = blas.dtrsv(L, half, lower=1, trans=1)
        value = -0.5 * (
            float(half @ half) + 2.0 * float(np.log(np.diag(L)).sum()) + len(y) * float(np.log(2 * np.pi))
        )
        W = blas.dtrsm(1.0, L, np.asfortranarray(scaled), lower=1, overwrite_b=1)
        d_gamma = 0.5 * (hyper.gamma * (Phi.T @ alpha) ** 2 - np.einsum("mk,mk->k", W, W))
        inverse, _ = lapack.dpotri(L, lower=1)
        d_v = 0.5 * (alpha**2 - np.diag(inverse))
        gradient = np.zeros(prior.n_hyperparameters)
        gradient[: prior.n_prior] = prior.covariates().T @ d_gamma
        for place, kind in enumerate(KINDS):
            own = np.array([key[0] is kind for key in self._keys])
            gradient[prior.n_prior + place] = float(d_v[own].sum()) * 2.0 * hyper.noise[kind] ** 2
        return value, gradient

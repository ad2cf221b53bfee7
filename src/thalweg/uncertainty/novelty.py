"""Novelty: fit the shrunk Mahalanobis distance of `NoveltyModel` to training environments, as they come.

Notation, for one element
    y        (phi - mu) s of one training environment, shape (p,)
    n        number of training environments
    S        their covariance, shape (p, p); lambda_k its eigenvalues
    tau      tr S / p
    rho      shrinkage, by the oracle approximating formula (OAS)
    lambda~  (1 - rho) lambda + rho tau: eigenvalues of the shrunk covariance

Only the leading r directions are kept; the rest of space counts with its mean shrunk eigenvalue. The distance
of a training environment is smaller than that of an equally ordinary new one, because the covariance has seen
it. Leaving it out is a rank-one change, so the distance it would then have is known (Sherman, Morrison):

    d²_out = d² / (1 - (1 - rho) d² / n)

The 99 % quantile of d_out over the training environments is the unit of novelty.

References
    Chen, Wiesel, Eldar, Hero, IEEE Trans. Signal Process. 58, 5016 (2010), eq. 23 (OAS)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ModelError, check
from thalweg.models.environments import NoveltyModel
from thalweg.models.leading import leading_eigenpairs
from thalweg.structure import FloatArray

QUANTILE = 0.99
"""Share of the training environments, each left out in turn, that have a novelty below 1."""

_MAX_SAMPLE = 2000
_SD_FLOOR = 0.05
_LONELY_SD = 0.1
_UNSEEN = 1e12


class _Moments:
    """Running moments of one element's features, and a thinned sample of them."""

    def __init__(self, p: int) -> None:
        self.n = 0
        self.shift = np.zeros(p)
        self.first = np.zeros(p)
        self.second = np.zeros((p, p))
        self.stride = 1
        self.sample: list[FloatArray] = []

    def add(self, phi: FloatArray) -> None:
        if self.n == 0:
            # Sums about a point near the mean do not lose their digits to it.
            self.shift = phi.mean(axis=0)
        y = phi - self.shift
        self.first += y.sum(axis=0)
        self.second += y.T @ y
        for row in phi:
            if self.n % self.stride == 0:
                self.sample.append(row.copy())
            self.n += 1
        if len(self.sample) > _MAX_SAMPLE:
            self.sample = self.sample[::2]
            self.stride *= 2

    def mean(self) -> FloatArray:
        return self.shift + self.first / self.n

    def covariance(self) -> FloatArray:
        centre = self.first / self.n
        return np.asarray(self.second / self.n - np.outer(centre, centre))


class NoveltyFit:
    """Training environments taken in label by label.

    Parameters
    ----------
    n_elements, n_features : int
        Of the basis.
    n_directions : int
        Principal directions kept per element; the cost of a novelty in the kernel is proportional to it.
    """

    def __init__(self, n_elements: int, n_features: int, *, n_directions: int = 32) -> None:
        self.n_elements = n_elements
        self.n_features = n_features
        self.n_directions = min(n_directions, n_features)
        self._moments = [_Moments(n_features) for _ in range(n_elements)]

    def add(self, phi: FloatArray, species: NDArray[np.integer]) -> None:
        """Take in atoms with features phi (n_atoms, p) and element indices species (n_atoms,)."""
        check(
            phi.shape == (len(species), self.n_features),
            f"novelty: phi must have shape ({len(species)}, {self.n_features}), got {phi.shape}",
        )
        for element in np.unique(species):
            self._moments[element].add(phi[species == element])

    def model(self) -> NoveltyModel:
        """The distance as of now; ModelError before the first environment."""
        if all(moments.n == 0 for moments in self._moments):
            raise ModelError("novelty: asked before any training environment was added; call add first")
        parts = [self._element(moments) for moments in self._moments]
        return NoveltyModel(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))

    def _element(
        self, moments: _Moments
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """mean, scale, components, inv_lambda, inv_rest of one element."""
        p, r = self.n_features, self.n_directions
        if moments.n == 0:
            # An element never seen: any environment of it is as novel as can be.
            return np.zeros(p), np.ones(p), np.zeros((r, p)), np.zeros(r), np.array(_UNSEEN)
        mean, covariance = moments.mean(), moments.covariance()
        variance = np.maximum(np.diag(covariance), 0.0)
        typical = np.sqrt(variance.mean())
        if typical <= 1e-12 * max(np.abs(mean).max(), 1e-300):
            # One environment (or many equal ones) has no spread: a tenth of its own size stands in for it.
            sd = _LONELY_SD * max(float(np.sqrt(np.mean(mean**2))), 1e-12)
            return mean, np.full(p, 1.0 / sd), np.zeros((r, p)), np.zeros(r), np.array(1.0 / p)
        scale = 1.0 / np.sqrt(variance + (_SD_FLOOR * typical) ** 2)
        S = covariance * scale[:, None] * scale[None, :]
        leading, components = leading_eigenpairs(S, r)
        rho, tau = oas_shrinkage(S, moments.n)
        rest = max(float(np.trace(S)) - float(leading.sum()), 0.0) / max(p - r, 1)
        inv_lambda = 1.0 / ((1.0 - rho) * leading + rho * tau)
        inv_rest = np.array(1.0 / ((1.0 - rho) * rest + rho * tau))
        y = (np.array(moments.sample) - mean) * scale
        t = y @ components.T
        d2 = t**2 @ inv_lambda + np.maximum((y**2).sum(axis=1) - (t**2).sum(axis=1), 0.0) * inv_rest
        unit2 = float(np.quantile(d2 / np.maximum(1.0 - (1.0 - rho) * d2 / moments.n, 1e-2), QUANTILE))
        return mean, scale, components, inv_lambda / unit2, np.asarray(inv_rest / unit2)


def oas_shrinkage(S: FloatArray, n: int) -> tuple[float, float]:
    """Shrinkage rho in (0, 1] and target variance tau for a covariance S (p, p) of n samples."""
    p = len(S)
    trace, trace2 = float(np.trace(S)), float(np.sum(S**2))
    tau = trace / p
    numerator = (1.0 - 2.0 / p) * trace2 + trace**2
    denominator = (n + 1.0 - 2.0 / p) * (trace2 - trace**2 / p)
    rho = 1.0 if denominator <= 0 else min(1.0, numerator / denominator)
    return rho, tau

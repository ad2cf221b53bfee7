"""Novelty: fit the shrunk Mahalanobis distance of `NoveltyModel` to training environments, as they come.

Notation, for one element
    y        (phi - mu) s of one training environment, shape (p,)
    n        number of training environments
    S        their covariance, shape (p, p); lambda_k its eigenvalues
    tau      tr S / p
    rho      shrinkage, by the oracle approximating formula (OAS)
    lambda~  (1 - rho) lambda + rho tau: eigenvalues of the shrunk covariance

Only the leading r directions are kept; the rest of space counts with its mean shrunk eigenvalue:
d² = lead + tail. The distance of a training environment is smaller than that of an equally ordinary new one, because
mean and covariance have seen it. Leaving it out moves the mean by y / (n - 1), is a rank-one change of the leading part
(Sherman, Morrison), and a change of one number, the mean eigenvalue of p - r directions, of the rest:

    d²_out = n/(n-1) [ lead / (1 - (1-rho) lead / (n-1)) + tail / (1 - (1-rho) tail / ((n-1) (p-r))) ]

The 99 % quantile of d_out over the training environments is the unit of novelty. Environments of one structure are
alike, so that this unit is on the small side: where structures can be left out whole, `thalweg.uncertainty.reach`
measures it.

References
    Chen, Wiesel, Eldar, Hero, IEEE Trans. Signal Process. 58, 5016 (2010), eq. 23 (OAS)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ModelError, check
from thalweg.models.environments import NoveltyModel
from thalweg.models.leading import leading_eigenpairs
from thalweg.structure import FloatArray
from thalweg.uncertainty.moments import Moments

QUANTILE = 0.99
"""Share of the training environments, each left out in turn, that have a novelty below 1."""
ENOUGH_NEIGHBOURS = 0.9
"""Times the fewest neighbours of any training environment: a count below that is one that no label knows. Where there
are ten and more, some always come and go at the cutoff, where they do not matter."""

_SD_FLOOR = 0.05
_LONELY_SD = 0.1
_UNSEEN = 1e12
_LEAST_LEFT = 1e-4
"""Of the leading part's denominator, which rounding may take to zero."""
_NEVER_ENOUGH = 2**31 - 1

_Element = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


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
        self._moments = [Moments(n_features) for _ in range(n_elements)]

    def add(
        self, phi: FloatArray, species: NDArray[np.integer], neighbours: NDArray[np.integer] | None = None
    ) -> None:
        """Take in atoms.

        Parameters
        ----------
        phi : float64 ndarray, shape (n_atoms, p)
        species : element indices, shape (n_atoms,)
        neighbours : counts within the cutoff, shape (n_atoms,); None: they may have had none
        """
        check(
            phi.shape == (len(species), self.n_features),
            f"novelty: phi must have shape ({len(species)}, {self.n_features}), got {phi.shape}",
        )
        counts = np.zeros(len(species), dtype=np.int64) if neighbours is None else np.asarray(neighbours)
        check(
            counts.shape == (len(species),),
            f"novelty: neighbours must have shape ({len(species)},), got {counts.shape}",
        )
        for element in np.unique(species):
            own = species == element
            self._moments[element].add(phi[own], int(counts[own].min()))

    @classmethod
    def merged(cls, parts: Sequence[NoveltyFit]) -> NoveltyFit:
        """One fit to the environments of all `parts`, which are of one basis."""
        first = parts[0]
        whole = cls(first.n_elements, first.n_features, n_directions=first.n_directions)
        whole._moments = [
            Moments.merged([part._moments[element] for part in parts]) for element in range(first.n_elements)
        ]
        return whole

    @property
    def known(self) -> list[bool]:
        """Whether any environment of each element was added."""
        return [moments.n > 0 for moments in self._moments]

    @property
    def has_environments(self) -> bool:
        """Whether any was added."""
        return any(self.known)

    def model(self) -> NoveltyModel:
        """The distance as of now, in units of its own reach; ModelError before the first environment."""
        parts, units = self._fitted()
        return self._model(parts).in_units_of(units)

    def bare_model(self) -> NoveltyModel:
        """The distance in standard deviations; ModelError before the first environment."""
        return self._model(self._fitted(with_units=False)[0])

    def _model(self, parts: Sequence[_Element]) -> NoveltyModel:
        arrays = [np.stack(of_all) for of_all in zip(*parts, strict=True)]
        return self.guarded(NoveltyModel(*arrays))

    def guarded(self, model: NoveltyModel) -> NoveltyModel:
        """The same distances, with the counts of neighbours of all environments taken in by now."""
        fewest = [self._fewest(moments) for moments in self._moments]
        return replace(model, fewest_neighbours=np.array(fewest, dtype=np.int32))

    @staticmethod
    def _fewest(moments: Moments) -> int:
        if moments.n == 0:
            return _NEVER_ENOUGH
        return int(np.ceil(ENOUGH_NEIGHBOURS * moments.fewest_neighbours))

    def _fitted(self, *, with_units: bool = True) -> tuple[list[_Element], FloatArray]:
        """What the elements' distances are made of, and the reach of each, shape (n_elements,)."""
        if not self.has_environments:
            raise ModelError("novelty: asked before any training environment was added; call add first")
        parts, units = [], np.ones(self.n_elements)
        for element, moments in enumerate(self._moments):
            part, rho = self._element(moments)
            parts.append(part)
            if with_units and rho is not None:
                units[element] = _reach(moments, part, rho)
        return parts, units

    def _element(self, moments: Moments) -> tuple[_Element, float | None]:
        """mean, scale, components, inv_lambda, inv_rest of one element; the shrinkage where there is a covariance."""
        p, r = self.n_features, self.n_directions
        if moments.n == 0:
            # An element never seen: any environment of it is as novel as can be.
            return (np.zeros(p), np.ones(p), np.zeros((r, p)), np.zeros(r), np.array(_UNSEEN)), None
        mean, covariance = moments.mean(), moments.covariance()
        variance = np.maximum(np.diag(covariance), 0.0)
        typical = np.sqrt(variance.mean())
        if typical <= 1e-12 * max(np.abs(mean).max(), 1e-300):
            # One environment (or many equal ones) has no spread: a tenth of its own size stands in for it.
            sd = _LONELY_SD * max(float(np.sqrt(np.mean(mean**2))), 1e-12)
            return (mean, np.full(p, 1.0 / sd), np.zeros((r, p)), np.zeros(r), np.array(1.0 / p)), None
        scale = 1.0 / np.sqrt(variance + (_SD_FLOOR * typical) ** 2)
        S = covariance * scale[:, None] * scale[None, :]
        leading, components = leading_eigenpairs(S, r)
        rho, tau = oas_shrinkage(S, moments.n)
        rest = max(float(np.trace(S)) - float(leading.sum()), 0.0) / max(p - r, 1)
        inv_lambda = 1.0 / ((1.0 - rho) * leading + rho * tau)
        return (mean, scale, components, inv_lambda, np.array(1.0 / ((1.0 - rho) * rest + rho * tau))), rho


def _reach(moments: Moments, part: _Element, rho: float) -> float:
    """The 99 % quantile of the distances of one element's environments, each left out in turn."""
    mean, scale, components, inv_lambda, inv_rest = part
    r, p = components.shape
    y = (np.array(moments.sample) - mean) * scale
    t = y @ components.T
    lead = t**2 @ inv_lambda
    tail = np.maximum((y**2).sum(axis=1) - (t**2).sum(axis=1), 0.0) * float(inv_rest)
    others = max(moments.n - 1, 1)
    out = _left_out(lead, rho, others) + _left_out(tail, rho, others * max(p - r, 1))
    return float(np.sqrt(np.quantile(out, QUANTILE) * moments.n / others))


def _left_out(square: FloatArray, rho: float, others: int) -> FloatArray:
    """What a squared distance is once its own environment is taken out of the shrunk covariance."""
    return np.asarray(square / np.maximum(1.0 - (1.0 - rho) * square / others, _LEAST_LEFT))


def oas_shrinkage(S: FloatArray, n: int) -> tuple[float, float]:
    """Shrinkage rho in (0, 1] and target variance tau for a covariance S (p, p) of n samples."""
    p = len(S)
    trace, trace2 = float(np.trace(S)), float(np.sum(S**2))
    tau = trace / p
    numerator = (1.0 - 2.0 / p) * trace2 + trace**2
    denominator = (n + 1.0 - 2.0 / p) * (trace2 - trace**2 / p)
    rho = 1.0 if denominator <= 0 else min(1.0, numerator / denominator)
    return rho, tau

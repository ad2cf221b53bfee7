"""Smoothness prior on the coefficients, and the hyperparameters that the evidence decides.

Notation
    k        feature of one element, k < p
    gamma_k  prior variance of the coefficient of feature k (in scaled features)
    nu_k     correlation order of feature k, 1..4
    n_k,l_k  sum of the radial and of the angular indices of feature k

Law
    log gamma_k = amplitude[nu_k] - decay_n n_k - decay_l l_k,     decay_n, decay_l >= 0

Rougher functions (larger n, l) and higher orders are believed in only as far as the labels ask for them. The
hyperparameters are one vector x, so that an optimiser can move them:

    x = [amplitude of each order present, decay_n, decay_l, log noise of energy, forces, virial]

A weak Gaussian hyperprior on x, centred where the first labels put it, keeps a fit of five labels sane and is
forgotten as labels come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.errors import InputError
from thalweg.features.basis import AceBasis
from thalweg.models.observation import KINDS
from thalweg.structure import FloatArray, IntArray

NOISE_CENTRE = np.log([0.005, 0.05, 0.05])
"""Where the noise levels start: 5 meV per sqrt(atom), 50 meV/Å, 50 meV per sqrt(atom) of virial."""

NOISE_BOUNDS = (np.log(1e-4), np.log(10.0))
"""Noise below 0.1 meV is below what double precision and an oracle's own convergence leave."""

_LEAST_RMS = 0.1
"""eV/Å; first labels at rest say nothing about the forces to come."""

_AMPLITUDE_WIDTH, _DECAY_WIDTH, _NOISE_WIDTH = 4.0, 1.0, 0.5
# The noise is held more firmly than the rest: a model of many columns can meet a few labels exactly, and the evidence
# then calls them free of noise. A hundred rows that say otherwise move it by several of these widths.
_AMPLITUDE_RANGE = 25.0
_MAX_DECAY = 4.0


@dataclass(frozen=True, eq=False)
class SmoothnessPrior:
    """The prior's fixed part: which order and which indices each column of the design matrix has.

    Attributes
    ----------
    nu, n_sum, l_sum : int64 ndarray, shape (p,)
        Correlation order and index sums of the features of one element.
    n_elements : int
        The same law holds for every element; columns are the elements' features laid end to end.
    """

    nu: IntArray
    n_sum: IntArray
    l_sum: IntArray
    n_elements: int = 1

    def __post_init__(self) -> None:
        arrays = [np.asarray(a, dtype=np.int64) for a in (self.nu, self.n_sum, self.l_sum)]
        shapes = [a.shape for a in arrays]
        if any(shape != (arrays[0].size,) for shape in shapes) or arrays[0].size == 0 or self.n_elements < 1:
            raise InputError(f"prior: nu, n_sum and l_sum must be equally long and not empty, got {shapes}")
        for name, array in zip(("nu", "n_sum", "l_sum"), arrays, strict=True):
            object.__setattr__(self, name, array)

    @classmethod
    def for_basis(cls, basis: AceBasis) -> SmoothnessPrior:
        """The prior over all columns of an ACE basis."""
        table = basis.feature_table()
        return cls(table.nu, table.n_sum, table.l_sum, len(basis.elements))

    @property
    def n_columns(self) -> int:
        """Columns of the design matrix."""
        return self.n_elements * len(self.nu)

    @property
    def n_prior(self) -> int:
        """Hyperparameters of the prior variance; the noise levels come after them."""
        return len(np.unique(self.nu)) + 2

    @property
    def n_hyperparameters(self) -> int:
        """Length of the hyperparameter vector."""
        return self.n_prior + len(KINDS)

    def covariates(self) -> FloatArray:
        """X with log gamma = X @ x[:n_prior], shape (n_columns, n_prior)."""
        orders = np.unique(self.nu)
        one_hot = (self.nu[:, None] == orders[None, :]).astype(np.float64)
        per_element = np.column_stack([one_hot, -1.0 * self.n_sum, -1.0 * self.l_sum])
        return np.tile(per_element, (self.n_elements, 1))

    def centre(self, target_rms: float) -> FloatArray:
        """Start and hyperprior mean of x, for force (or energy) targets of this rms.

        The amplitude makes the prior's own forces as large as the targets, as scaled features have rms 1.
        """
        amplitude = np.log(max(target_rms, _LEAST_RMS) ** 2 / self.n_columns)
        orders = np.full(self.n_prior - 2, amplitude + 2.0)
        return np.concatenate([orders, [0.2, 0.2], NOISE_CENTRE])

    def widths(self) -> FloatArray:
        """Standard deviations of the hyperprior on x."""
        n_orders = self.n_prior - 2
        return np.array([_AMPLITUDE_WIDTH] * n_orders + [_DECAY_WIDTH] * 2 + [_NOISE_WIDTH] * len(KINDS))

    def bounds(self, centre: FloatArray) -> list[tuple[float, float]]:
        """Box for the optimiser."""
        n_orders = self.n_prior - 2
        amplitudes = [(float(c) - _AMPLITUDE_RANGE, float(c) + _AMPLITUDE_RANGE) for c in centre[:n_orders]]
        noises = [(float(NOISE_BOUNDS[0]), float(NOISE_BOUNDS[1]))] * len(KINDS)
        return amplitudes + [(0.0, _MAX_DECAY)] * 2 + noises

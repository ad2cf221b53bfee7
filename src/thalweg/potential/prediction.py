"""A potential's prediction for a structure, and the map from deviation to error bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.structure import FloatArray


@dataclass(frozen=True)
class Prediction:
    """The prediction of a potential for one structure.

    Attributes
    ----------
    energy : float, eV, total
    forces : float64 ndarray, shape (n_atoms, 3), eV/Å
    stress : float64 ndarray, shape (6,), eV/Å³, or None
        Voigt order and sign as in ASE; None unless periodic in three directions.
    energy_uncertainty : float, eV
        Standard deviation of the total energy: that of the posterior draws, widened, and the distance to the
        alternative model in quadrature (thalweg.potential.misfit).
    forces_deviation : float64 ndarray, shape (n_atoms,), eV/Å
        Root mean square over posterior draws of the force's deviation from the mean model's, and that of the rivals
        in quadrature (`Potential`).
    forces_bound : float64 ndarray, shape (n_atoms,), eV/Å
        Calibrated error bound at `ErrorBounds.confidence`.
    novelty : float64 ndarray, shape (n_atoms,), or None
        In units of the training set's reach: 1 is where the outermost hundredth of new environments of its kind begins.
        1000 where an atom has lost neighbours. None if the potential has no novelty model.
    stress_uncertainty : float64 ndarray, shape (6,), eV/Å³, or None
        Standard deviation of each component, as of the energy; None without a stress, or where it was not asked for.
    """

    energy: float
    forces: FloatArray
    stress: FloatArray | None
    energy_uncertainty: float
    forces_deviation: FloatArray
    forces_bound: FloatArray
    novelty: FloatArray | None
    stress_uncertainty: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class ErrorBounds:
    """bound = factor[z] * deviation + floor[z], per element of the basis.

    Attributes
    ----------
    confidence : float
        Fraction of atoms whose force error the bound is to exceed.
    factors : float64 ndarray, shape (n_elements,), dimensionless
    floors : float64 ndarray, shape (n_elements,), eV/Å
    """

    confidence: float
    factors: FloatArray
    floors: FloatArray

    @classmethod
    def bare(cls, n_elements: int) -> ErrorBounds:
        """Deviations as they are, before any calibration."""
        return cls(0.95, np.ones(n_elements), np.zeros(n_elements))

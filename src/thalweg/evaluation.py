"""How far a potential is from labels, and how well its error bounds tell so.

Notation
    e_i      |F_model - F_oracle| of atom i, eV/Å
    b_i      its stated bound at confidence c, eV/Å
    s_i      b_i sqrt(3) / q, the root mean square error that the bound stands for if the components of an
             error are normal and alike: q is the c-quantile of the chi distribution, 3 degrees of freedom

    x, u     error of an energy or of a component of the stress, and its stated standard deviation
    within   share of x that are at most 2 u;  ratio   sqrt(mean x² / mean u²): above 1 where u is too small

Energies are compared per atom, forces and stresses over components, coverage and calibration over atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg import quantiles
from thalweg.calibration import coverage, ence, is_evidence, rank_correlation
from thalweg.errors import InputError, check
from thalweg.label import Label
from thalweg.potential import Potential, Prediction
from thalweg.structure import BoolArray, FloatArray, Structure
from thalweg.units import GPa

_NO_DEVIATION, _NO_ERROR = 1e-7, 1e-3
"""eV/atom, GPa. Components that vanish by symmetry have smaller ones of both, and are no evidence."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Model less label over a set of structures.

    Attributes
    ----------
    n_structures : int
    energy : float64 ndarray, shape (n_structures,), eV/atom
    forces : float64 ndarray, shape (n_atoms, 3), eV/Å
        Of the structures whose forces are labelled, as is `bound`.
    stress : float64 ndarray, shape (n_stresses, 6), GPa
    bound : float64 ndarray, shape (n_atoms,), eV/Å
    energy_stated : float64 ndarray, shape (n_structures,), eV/atom
        Standard deviations, as is `stress_stated`, shape (n_stresses, 6), GPa.
    evidence : bool ndarray, shape (n_atoms,)
        Whether the force does not vanish by symmetry: bounds are judged by these atoms alone.
    confidence : float
    """

    n_structures: int
    energy: FloatArray
    forces: FloatArray
    stress: FloatArray
    bound: FloatArray
    evidence: BoolArray
    confidence: float
    energy_stated: FloatArray
    stress_stated: FloatArray

    @property
    def force_errors(self) -> FloatArray:
        """e_i, shape (n_atoms,), eV/Å."""
        return np.asarray(np.linalg.norm(self.forces, axis=1))

    def to_json(self) -> dict[str, Any]:
        """The error block: plain data; keys of stress, and of forces and bounds, only where such are labelled."""
        block: dict[str, Any] = {
            "n_structures": self.n_structures,
            "n_atoms": len(self.forces),
            **_mae_rmse("energy", self.energy),
            **_stated("energy", self.energy, self.energy_stated),
        }
        if len(self.stress):
            block |= _mae_rmse("stress", self.stress)
            block |= _stated("stress", self.stress.ravel(), self.stress_stated.ravel())
        return {**block, **self._of_forces()} if len(self.forces) else block

    def _of_forces(self) -> dict[str, Any]:
        block = {**_mae_rmse("forces", self.forces), "forces_max": float(self.force_errors.max())}
        return {**block, "confidence": self.confidence, **self._of_bounds()}

    def _of_bounds(self) -> dict[str, float]:
        """How well the bounds tell the errors; without coverage and calibration where all forces vanish by symmetry."""
        mean = {"bound_mean": float(self.bound.mean())}
        if not self.evidence.any():
            return mean
        error, bound = self.force_errors[self.evidence], self.bound[self.evidence]
        sigma = bound * np.sqrt(3.0) / quantiles.chi(self.confidence, 3)
        return {
            "coverage": coverage(bound, error),
            **mean,
            "ence": ence(sigma, error),
            "rank_correlation": rank_correlation(bound, error),
        }


def _mae_rmse(name: str, error: FloatArray) -> dict[str, float]:
    return {
        f"{name}_mae": float(np.abs(error).mean()),
        f"{name}_rmse": float(np.sqrt((error**2).mean())),
    }


def _stated(name: str, error: FloatArray, deviation: FloatArray) -> dict[str, float]:
    """How well standard deviations tell errors; nothing where all of them vanish, as of cells held by symmetry."""
    evidence = (deviation > _NO_DEVIATION) | (np.abs(error) > _NO_ERROR)
    if not evidence.any() or not deviation.any():
        return {}
    error, deviation = error[evidence], deviation[evidence]
    return {
        f"{name}_within": float(np.mean(np.abs(error) <= 2.0 * deviation)),
        f"{name}_ratio": float(np.sqrt(np.mean(error**2) / np.mean(deviation**2))),
    }


def _predicted(potential: Potential, structure: Structure, number: int) -> Prediction:
    try:
        return potential.predict(structure, stress_uncertainty=False)
    except InputError as error:
        raise InputError(f"labelled[{number}]: {error}") from error


def compare(potential: Potential, labelled: Sequence[tuple[Structure, Label]]) -> Comparison:
    """Predict every structure and take the labels away.

    Raises
    ------
    InputError
        No structures, forces of another shape than the structure's, or an element that the potential does
        not know.
    """
    check(len(labelled) > 0, "evaluate: no labelled structures; expected at least one")
    energy, forces, stress, bound, evidence = [], [], [], [], []
    energy_stated, stress_stated = [], []
    for number, (structure, label) in enumerate(labelled):
        check(
            label.forces.shape == (len(structure), 3),
            f"evaluate: {len(structure)} atoms, but the label's forces have shape {label.forces.shape}",
        )
        prediction = _predicted(potential, structure, number)
        energy.append((prediction.energy - label.energy) / len(structure))
        energy_stated.append(prediction.energy_uncertainty / len(structure))
        if label.has_forces:
            forces.append(prediction.forces - label.forces)
            bound.append(prediction.forces_bound)
            errors = np.asarray(np.linalg.norm(forces[-1], axis=1))
            evidence.append(is_evidence(prediction.forces_deviation, errors))
        if label.stress is not None and prediction.stress is not None:
            stress.append((prediction.stress - label.stress) / GPa)
            stress_stated.append(potential.stress_uncertainty(structure, prediction.stress) / GPa)
    return Comparison(
        n_structures=len(labelled),
        energy=np.array(energy),
        forces=np.concatenate(forces) if forces else np.empty((0, 3)),
        stress=np.array(stress).reshape(-1, 6),
        bound=np.concatenate(bound) if bound else np.empty(0),
        evidence=np.concatenate(evidence) if evidence else np.empty(0, dtype=bool),
        confidence=potential.bounds.confidence,
        energy_stated=np.array(energy_stated),
        stress_stated=np.array(stress_stated).reshape(-1, 6),
    )

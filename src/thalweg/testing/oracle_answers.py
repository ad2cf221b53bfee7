"""What the laws of an oracle's contract are checked with: its labels, differences of its energies, and the error."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from thalweg.label import Failure, Label
from thalweg.oracles.base import Oracle
from thalweg.structure import FloatArray, Structure


class OracleContractError(AssertionError):
    """The oracle breaks a law of the contract; the message says which, and by how much."""


@dataclass(frozen=True)
class Tolerances:
    """How far numbers may be off, beside five times the noise that the labels state.

    Attributes
    ----------
    forces : eV/Å, of forces against differences of the energy
    stress : eV/Å³, of the stress against differences of the energy
    symmetry : eV and eV/Å, after a shift of all atoms, another order of the atoms, another rung of the ladder
    step : Å, and the size of strains, of those differences
    """

    forces: float = 1e-3
    stress: float = 1e-4
    symmetry: float = 1e-3
    step: float = 2e-3


def must(condition: object, message: str) -> None:
    """Raise OracleContractError with the message unless the condition holds."""
    if not condition:
        raise OracleContractError(message)


def must_agree(one: Label, other: Label, tolerances: Tolerances, when: str) -> None:
    """Two labels must be the same within what is allowed."""
    noise = 5 * max(one.noise.energy, one.noise.forces, other.noise.forces)
    energy, forces = abs(other.energy - one.energy), float(np.abs(other.forces - one.forces).max())
    allowed = tolerances.symmetry + noise
    must(
        energy <= allowed and forces <= allowed,
        f"{when} the energy moved by {energy:.3g} eV, forces by {forces:.3g} eV/Å (allowed: {allowed:.2g})",
    )


def energy_along(oracle: Oracle, structure: Structure, u: FloatArray) -> Callable[[float], float]:
    """The energy (eV) as a function of the way along unit vector `u` (n_atoms, 3), Å."""
    return lambda t: label_of(oracle, structure.with_positions(structure.positions + t * u)).energy


def energy_under(oracle: Oracle, structure: Structure, strain: FloatArray) -> Callable[[float], float]:
    """The energy (eV) as a function of the size of a strain (3, 3)."""
    return lambda t: label_of(oracle, structure.strained(np.eye(3) + t * strain)).energy


def derivative(energy: Callable[[float], float], h: float) -> float:
    """dE/dt at 0 by the central difference of fourth order."""
    return (8 * (energy(h) - energy(-h)) - (energy(2 * h) - energy(-2 * h))) / (12 * h)


def label_of(oracle: Oracle, structure: Structure) -> Label:
    """The oracle's label; OracleContractError where there is none."""
    outcome = oracle.label(structure)
    if isinstance(outcome, Label):
        return outcome
    said = f"{outcome.kind}: {outcome.message}" if isinstance(outcome, Failure) else repr(outcome)
    raise OracleContractError(f"no label of {structure.to_atoms().get_chemical_formula()}: {said}")


def copy_of(oracle: Oracle) -> Oracle:
    """The oracle after pickling."""
    try:
        copy: Oracle = pickle.loads(pickle.dumps(oracle))
    except Exception as error:
        raise OracleContractError(f"it cannot be pickled, as worker processes need: {error}") from error
    return copy


def moved(structure: Structure, seed: int) -> Structure:
    """The structure with atoms displaced by some 0.02 Å, drawn from `seed`."""
    shift = 0.02 * np.random.default_rng(seed).standard_normal(structure.positions.shape)
    return structure.with_positions(structure.positions + shift)


def or_zeros(stress: FloatArray | None) -> FloatArray:
    """The stress, or zeros."""
    return np.zeros(6) if stress is None else stress

"""What a calculator answered, read strictly: nothing that is not what was asked becomes a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError

from thalweg.errors import InputError
from thalweg.interrupts import answered
from thalweg.label import FailureKind, real_array
from thalweg.oracles.calculators import attribute, parts
from thalweg.oracles.charged import asked
from thalweg.structure import FloatArray, Structure

ASYMMETRY = 1e-3
"""Largest |s - s^T| of a stress, as a share of its largest component, that counts as rounding."""
ASYMMETRY_FLOOR = 1e-6
"""eV/Å³. The same, of a stress near zero."""

_CURE = "check oracle.options, or choose a calculator that gives it"
_CURES = {"Espresso": "set `control: {tprnfor: true, tstress: true}` in oracle.options.input_data"}
"""What to do when a property is missing."""


class AnswerError(Exception):
    """The calculator answered, and the answer cannot be taken."""

    def __init__(self, message: str, kind: FailureKind = FailureKind.IMPLAUSIBLE) -> None:
        super().__init__(message)
        self.kind = kind


class Answer(NamedTuple):
    """Energy (eV), forces (n_atoms, 3) in eV/Å, and stress (6,) in eV/Å³ or None."""

    energy: float
    forces: FloatArray
    stress: FloatArray | None


def ask(
    structure: Structure, calculator: Any, *, free_energy: bool, stress: bool, charge_from: str | None = None
) -> Answer:
    """The calculator's answer for a structure.

    Parameters
    ----------
    free_energy : whether the energy that the forces belong to is called `free_energy` (electronic smearing)
    stress : whether to ask for it
    charge_from : where the calculator reads the charge, as `asked`

    Raises
    ------
    AnswerError
        Numbers of a wrong kind or shape, a calculator that says that it did not converge, or that changed the atoms.
    Exception
        Whatever the calculator raises.
    """
    atoms = asked(structure, charge_from)
    atoms.calc = calculator
    try:
        _run_once(calculator, atoms, ["energy", "forces", *(["stress"] if stress else [])])
        energy = atoms.get_potential_energy(force_consistent=free_energy)
        forces = calculator.get_forces(atoms)
        tensor = calculator.get_stress(atoms) if stress else None
    except PropertyNotImplementedError as error:
        name = type(calculator).__name__
        raise AnswerError(f"{name}: {error}; {_CURES.get(name, _CURE)}", FailureKind.REFUSED) from error
    answered()
    _check_converged(calculator)
    _check_untouched(structure, atoms)
    try:
        return Answer(
            _energy(energy), _forces(forces, len(structure)), None if tensor is None else _voigt(tensor)
        )
    except InputError as error:
        raise AnswerError(str(error).removeprefix("label: ")) from None


def _run_once(calculator: Any, atoms: Any, properties: list[str]) -> None:
    """Ask a calculator that starts a program for everything at once; else it is started for each property."""
    from ase.calculators.calculator import FileIOCalculator
    from ase.calculators.genericfileio import GenericFileIOCalculator

    if not isinstance(calculator, FileIOCalculator | GenericFileIOCalculator):
        return
    changes = calculator.check_state(atoms)
    if changes:
        calculator.atoms, calculator.results = None, {}
    if calculator.calculation_required(atoms, properties):
        calculator.atoms = atoms.copy()
        calculator.calculate(atoms, properties, changes)


def _energy(value: Any) -> float:
    array = real_array(value, "the energy")
    if array.size != 1:
        raise AnswerError(f"the energy must be one number, got an array of shape {array.shape}")
    return float(array.reshape(-1)[0])


def _forces(value: Any, n: int) -> FloatArray:
    array = real_array(value, "the forces")
    if array.shape != (n, 3):
        raise AnswerError(f"forces of {n} atoms must have shape ({n}, 3), got {array.shape}")
    return array


def _voigt(value: Any) -> FloatArray:
    """Stress in Voigt order xx, yy, zz, yz, xz, xy; a symmetric 3×3 tensor is taken, too."""
    array = real_array(value, "the stress")
    if array.shape == (6,):
        return array
    if array.shape != (3, 3):
        raise AnswerError(f"the stress must be 6 numbers or a symmetric 3×3 tensor, got shape {array.shape}")
    skew = float(np.abs(array - array.T).max())
    if not skew <= ASYMMETRY * float(np.abs(array).max()) + ASYMMETRY_FLOOR:
        raise AnswerError(f"the stress is not symmetric: s and its transpose differ by {skew:.3g} eV/Å³")
    return np.array((0.5 * (array + array.T)).flat[[0, 4, 8, 5, 2, 1]])


def _check_converged(calculator: Any) -> None:
    """Calculators that give the numbers of the last iteration say `converged = False` beside them."""
    for part in parts(calculator):
        results, scf = attribute(part, "results"), attribute(part, "scf")
        said = [results.get("converged")] if isinstance(results, Mapping) else []
        said += [_flag(part), _flag(scf)]
        if any(_is_false(value) for value in said):
            raise AnswerError(
                f"{type(part).__name__} reports that it has not converged (converged = False)",
                FailureKind.UNCONVERGED,
            )


def _flag(thing: Any) -> Any:
    """`converged` of an object, attribute or method; None where it has none."""
    try:
        value = getattr(thing, "converged", None)
        return value() if callable(value) else value
    except Exception:  # a method that needs arguments, or a property that is not there yet
        return None


def _is_false(value: Any) -> bool:
    return isinstance(value, bool | np.bool_) and not bool(value)


def _check_untouched(structure: Structure, atoms: Any) -> None:
    for name, before, after in (
        ("numbers", structure.numbers, atoms.numbers),
        ("positions", structure.positions, atoms.positions),
        ("cell", structure.cell, np.array(atoms.cell)),
        ("periodicity", structure.pbc, atoms.pbc),
    ):
        if not np.array_equal(before, after):
            raise AnswerError(f"the calculator changed the {name} of the atoms that it was given")

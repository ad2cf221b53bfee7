"""The laws of the contract of an oracle, one function each; they raise OracleContractError where one is broken.

Notation
    u       a unit vector over all coordinates; dE/du = -F · u
    ε       a symmetric strain of Frobenius norm 1; dE/dε = V Σ_ab s_ab ε_ab
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.errors import OracleError
from thalweg.label import Failure, Label
from thalweg.oracles.base import MEMBERS, Oracle, isolated_atom
from thalweg.structure import FloatArray, Structure

_ABSENT = 118
"""Oganesson: hardly any method has it."""


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


def members(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """It has every member, of the right kind; it can be pickled, and its fingerprint is JSON that stays."""
    lacking = [name for name in MEMBERS if not hasattr(oracle, name)]
    _must(not lacking, f"it has no {', '.join(lacking)}")
    _must(isinstance(oracle.display_name, str) and oracle.display_name, "display_name must be text")
    for name in ("gives_stress", "gives_isolated_atoms"):
        _must(isinstance(getattr(oracle, name), bool), f"{name} must be True or False")
    rungs = oracle.rungs
    _must(isinstance(rungs, int) and rungs >= 1, f"rungs must be a whole number >= 1, got {rungs!r}")
    try:
        json.loads(oracle.fingerprint)
    except (TypeError, ValueError):
        _must(False, f"fingerprint must be JSON, got {oracle.fingerprint!r}")
    _must(_copy(oracle).fingerprint == oracle.fingerprint, "a pickled copy has another fingerprint")
    for structure in structures:
        try:
            oracle.check_structure(structure)
        except Exception as error:
            _must(False, f"check_structure raises {error!r} for a structure that it is to label")


def same_bits(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """The same structure has the same label, whatever was asked before, also by a copy in another process."""
    asked = [*structures, *(_moved(structure, 7) for structure in structures)]
    first = [_label(oracle, structure) for structure in asked]
    copy = _copy(oracle)
    again = [_label(copy, structure) for structure in reversed(asked)][::-1]
    for one, other in zip(first, again, strict=True):
        _must(one.oracle == oracle.fingerprint, "a label must carry the oracle's fingerprint")
        _must(
            one.energy == other.energy
            and np.array_equal(one.forces, other.forces)
            and np.array_equal(_or_zeros(one.stress), _or_zeros(other.stress)),
            f"asked again in another order, the energy moved by {other.energy - one.energy:.3g} eV, forces by "
            f"{np.abs(other.forces - one.forces).max():.3g} eV/Å",
        )
    n = len(structures)
    _must(
        any(a.energy != b.energy for a, b in zip(first[:n], first[n:], strict=True)),
        "the energy is the same after atoms have moved",
    )


def forces_are_the_derivative(
    oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances
) -> None:
    """F · u = -dE/du along three random directions u of each structure."""
    largest = 0.0
    for structure in structures:
        label, h = _label(oracle, structure), tolerances.step
        largest = max(largest, float(np.abs(label.forces).max()))
        rng = np.random.default_rng(1)
        for _ in range(3):
            u = rng.standard_normal((len(structure), 3))
            u /= np.linalg.norm(u)
            slope = _slope(_energy_along(oracle, structure, u), h)
            stated = -float((label.forces * u).sum())
            allowed = tolerances.forces + 5 * label.noise.forces + 5 * label.noise.energy / h
            _must(
                abs(slope - stated) <= allowed,
                f"along a direction the energy changes by {slope:.5f} eV/Å, the forces say {stated:.5f} "
                f"(allowed: {allowed:.2g})",
            )
    _must(largest > 0.0, "all forces are zero; give structures away from their minimum")


def stress_is_the_derivative(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """V Σ s ε = dE/dε along three random strains of each periodic structure; no stress for the others."""
    for structure in structures:
        label, h = _label(oracle, structure), tolerances.step
        if not structure.pbc.all():
            _must(label.stress is None, "a structure that is not periodic in three directions has no stress")
            continue
        _must(
            (label.stress is not None) == oracle.gives_stress, "gives_stress says otherwise than the labels"
        )
        if label.stress is None:
            continue
        xx, yy, zz, yz, xz, xy = label.stress
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        rng = np.random.default_rng(2)
        for _ in range(3):
            strain = rng.standard_normal((3, 3))
            strain += strain.T
            strain /= np.linalg.norm(strain)
            slope = _slope(_energy_under(oracle, structure, strain), h) / structure.volume
            stated = float((tensor * strain).sum())
            allowed = (
                tolerances.stress + 5 * label.noise.stress + 5 * label.noise.energy / h / structure.volume
            )
            _must(
                abs(slope - stated) <= allowed,
                f"under a strain the energy per volume changes by {slope:.6f} eV/Å³, the stress says {stated:.6f} "
                f"(allowed: {allowed:.2g}; Voigt order is xx yy zz yz xz xy, the sign is dE/dstrain / V)",
            )


def symmetries(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """All atoms shifted, or in another order: the same energy, and forces that go with the atoms."""
    for structure in structures:
        label = _label(oracle, structure)
        shifted = structure.with_positions(structure.positions + np.array([0.31, -0.47, 0.23]))
        _must_agree(label, _label(oracle, shifted), tolerances, "after a shift of all atoms")
        order = np.random.default_rng(3).permutation(len(structure))
        mixed = _label(
            oracle,
            structure.part(order, structure.positions[order], structure.cell, structure.pbc),
        )
        back = Label(mixed.energy, mixed.forces[np.argsort(order)])
        _must_agree(label, back, tolerances, "with the atoms in another order")


def ladder(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """Every rung that answers gives the same answer, and an attempt past the end is no error."""
    for structure in structures[:1]:
        label = _label(oracle, structure)
        for attempt in range(1, oracle.rungs + 2):
            outcome = oracle.label(structure, attempt)
            _must(isinstance(outcome, Label | Failure), f"attempt {attempt} gives {outcome!r}")
            if isinstance(outcome, Label):
                _must_agree(label, outcome, tolerances, f"at attempt {attempt}")


def outcomes_are_typed(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """Atoms on one place, far apart, of an element that nobody has: an outcome each, and no exception."""
    for name, structure in _absurd(structures[0]):
        try:
            outcome = oracle.label(structure)
        except BaseException as error:
            raise OracleContractError(f"label raises {error!r} for {name}") from error
        _must(isinstance(outcome, Label | Failure), f"label gives {type(outcome).__name__} for {name}")
        if isinstance(outcome, Label):
            finite = np.isfinite(outcome.energy) and np.isfinite(outcome.forces).all()
            _must(finite, f"a label with numbers that are not finite for {name}")
            _must(outcome.forces.shape == (len(structure), 3), f"forces of a wrong shape for {name}")
        else:
            _must(outcome.message, f"a failure without a message for {name}")
        try:
            oracle.check_structure(structure)
        except OracleError:
            pass
        except Exception as error:
            raise OracleContractError(f"check_structure raises {error!r} for {name}") from error


def isolated_atoms(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """Where `gives_isolated_atoms` says so, a lone atom of each element has a label, without force or stress."""
    if not oracle.gives_isolated_atoms:
        return
    for number in sorted({int(z) for structure in structures for z in structure.numbers}):
        label = _label(oracle, isolated_atom(number))
        _must(label.stress is None, f"the lone atom Z = {number} has a stress")
        _must(
            float(np.abs(label.forces).max()) <= tolerances.forces, f"a force on the lone atom Z = {number}"
        )


def particulars(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """An ion is refused or has another label; masses and held atoms change nothing."""
    for structure in structures:
        plain = replace(structure, charge=None, multiplicity=None, magmoms=None)
        try:
            label = oracle.label(plain)
            ion = replace(
                plain, charge=2 if (structure.charge or 0) <= 0 else -2, multiplicity=structure.multiplicity
            )
            oracle.check_structure(ion)
        except OracleError:
            pass
        else:
            told = oracle.label(ion)
            same = isinstance(label, Label) and isinstance(told, Label) and label.energy == told.energy
            _must(not same, "it labels an ion as the neutral structure; refuse it in check_structure")
        held = replace(structure, masses=1.1 * structure.amu, fixed=np.ones((len(structure), 3), dtype=bool))
        one, other = _label(oracle, structure), _label(oracle, held)
        _must_agree(one, other, tolerances, "with other masses and held atoms")


def _absurd(structure: Structure) -> list[tuple[str, Structure]]:
    n = len(structure)
    together = np.array(structure.positions)
    together[-1] = together[0]
    apart = np.array(structure.positions)
    apart[-1] += 1e4
    numbers = np.array(structure.numbers)
    numbers[0] = _ABSENT
    molecule = np.zeros((3, 3)), np.zeros(3, dtype=bool)
    cases = [
        ("atoms 10,000 Å apart", Structure(structure.numbers, apart, *molecule)),
        ("an absent element", Structure(numbers, structure.positions, structure.cell, structure.pbc)),
        (
            "a slab",
            Structure(structure.numbers, structure.positions, 9.0 * np.eye(3), np.array([True, True, False])),
        ),
    ]
    if n > 1:
        cases.append(("two atoms at the same position", structure.with_positions(together)))
    return cases


def _must(condition: object, message: str) -> None:
    if not condition:
        raise OracleContractError(message)


def _must_agree(one: Label, other: Label, tolerances: Tolerances, when: str) -> None:
    noise = 5 * max(one.noise.energy, one.noise.forces, other.noise.forces)
    energy, forces = abs(other.energy - one.energy), float(np.abs(other.forces - one.forces).max())
    allowed = tolerances.symmetry + noise
    _must(
        energy <= allowed and forces <= allowed,
        f"{when} the energy moved by {energy:.3g} eV, forces by {forces:.3g} eV/Å (allowed: {allowed:.2g})",
    )


def _energy_along(oracle: Oracle, structure: Structure, u: FloatArray) -> Callable[[float], float]:
    return lambda t: _label(oracle, structure.with_positions(structure.positions + t * u)).energy


def _energy_under(oracle: Oracle, structure: Structure, strain: FloatArray) -> Callable[[float], float]:
    return lambda t: _label(oracle, structure.strained(np.eye(3) + t * strain)).energy


def _slope(energy: Callable[[float], float], h: float) -> float:
    """dE/dt at 0 by the central difference of fourth order."""
    return (8 * (energy(h) - energy(-h)) - (energy(2 * h) - energy(-2 * h))) / (12 * h)


def _label(oracle: Oracle, structure: Structure) -> Label:
    outcome = oracle.label(structure)
    if isinstance(outcome, Label):
        return outcome
    said = f"{outcome.kind}: {outcome.message}" if isinstance(outcome, Failure) else repr(outcome)
    raise OracleContractError(f"no label of {structure.to_atoms().get_chemical_formula()}: {said}")


def _copy(oracle: Oracle) -> Oracle:
    try:
        copy: Oracle = pickle.loads(pickle.dumps(oracle))
    except Exception as error:
        raise OracleContractError(f"it cannot be pickled, as worker processes need: {error}") from error
    return copy


def _moved(structure: Structure, seed: int) -> Structure:
    shift = 0.02 * np.random.default_rng(seed).standard_normal(structure.positions.shape)
    return structure.with_positions(structure.positions + shift)


def _or_zeros(stress: FloatArray | None) -> FloatArray:
    return np.zeros(6) if stress is None else stress


LAWS: tuple[Callable[[Oracle, Sequence[Structure], Tolerances], None], ...] = (
    members,
    same_bits,
    forces_are_the_derivative,
    stress_is_the_derivative,
    symmetries,
    ladder,
    outcomes_are_typed,
    isolated_atoms,
    particulars,
)

"""The laws of the contract of an oracle, one function each; they raise OracleContractError where one is broken.

Notation
    u       a unit vector over all coordinates; dE/du = -F · u
    ε       a symmetric strain of Frobenius norm 1; dE/dε = V Σ_ab s_ab ε_ab
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from thalweg.errors import OracleError
from thalweg.label import Failure, Label
from thalweg.oracles.base import MEMBERS, Oracle, isolated_atom
from thalweg.structure import Structure
from thalweg.testing.oracle_answers import (
    OracleContractError,
    Tolerances,
    copy_of,
    derivative,
    energy_along,
    energy_under,
    label_of,
    moved,
    must,
    must_agree,
    or_zeros,
)

_ABSENT = 118
"""Oganesson: hardly any method has it."""


def members(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """It has every member, of the right kind; it can be pickled, and its fingerprint is JSON that stays."""
    lacking = [name for name in MEMBERS if not hasattr(oracle, name)]
    must(not lacking, f"it has no {', '.join(lacking)}")
    must(isinstance(oracle.display_name, str) and oracle.display_name, "display_name must be text")
    for name in ("gives_stress", "gives_isolated_atoms"):
        must(isinstance(getattr(oracle, name), bool), f"{name} must be True or False")
    rungs = oracle.rungs
    must(isinstance(rungs, int) and rungs >= 1, f"rungs must be a whole number >= 1, got {rungs!r}")
    try:
        json.loads(oracle.fingerprint)
    except (TypeError, ValueError):
        must(False, f"fingerprint must be JSON, got {oracle.fingerprint!r}")
    must(copy_of(oracle).fingerprint == oracle.fingerprint, "a pickled copy has another fingerprint")
    for structure in structures:
        try:
            oracle.check_structure(structure)
        except Exception as error:
            must(False, f"check_structure raises {error!r} for a structure that it is to label")


def same_bits(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """The same structure has the same label, whatever was asked before, also by a copy in another process."""
    asked = [*structures, *(moved(structure, 7) for structure in structures)]
    first = [label_of(oracle, structure) for structure in asked]
    copy = copy_of(oracle)
    again = [label_of(copy, structure) for structure in reversed(asked)][::-1]
    for one, other in zip(first, again, strict=True):
        must(one.oracle == oracle.fingerprint, "a label must carry the oracle's fingerprint")
        must(
            one.energy == other.energy
            and np.array_equal(one.forces, other.forces)
            and np.array_equal(or_zeros(one.stress), or_zeros(other.stress)),
            f"asked again in another order, the energy moved by {other.energy - one.energy:.3g} eV, forces by "
            f"{np.abs(other.forces - one.forces).max():.3g} eV/Å",
        )
    n = len(structures)
    must(
        any(a.energy != b.energy for a, b in zip(first[:n], first[n:], strict=True)),
        "the energy is the same after atoms have moved",
    )


def forces_are_the_derivative(
    oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances
) -> None:
    """F · u = -dE/du along three random directions u of each structure."""
    largest = 0.0
    for structure in structures:
        label, h = label_of(oracle, structure), tolerances.step
        largest = max(largest, float(np.abs(label.forces).max()))
        rng = np.random.default_rng(1)
        for _ in range(3):
            u = rng.standard_normal((len(structure), 3))
            u /= np.linalg.norm(u)
            slope = derivative(energy_along(oracle, structure, u), h)
            stated = -float((label.forces * u).sum())
            allowed = tolerances.forces + 5 * label.noise.forces + 5 * label.noise.energy / h
            must(
                abs(slope - stated) <= allowed,
                f"along a direction the energy changes by {slope:.5f} eV/Å, the forces say {stated:.5f} "
                f"(allowed: {allowed:.2g})",
            )
    must(largest > 0.0, "all forces are zero; give structures away from their minimum")


def stress_is_the_derivative(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """V Σ s ε = dE/dε along three random strains of each periodic structure; no stress for the others."""
    for structure in structures:
        label, h = label_of(oracle, structure), tolerances.step
        if not structure.pbc.all():
            must(label.stress is None, "a structure that is not periodic in three directions has no stress")
            continue
        must((label.stress is not None) == oracle.gives_stress, "gives_stress says otherwise than the labels")
        if label.stress is None:
            continue
        xx, yy, zz, yz, xz, xy = label.stress
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        rng = np.random.default_rng(2)
        for _ in range(3):
            strain = rng.standard_normal((3, 3))
            strain += strain.T
            strain /= np.linalg.norm(strain)
            slope = derivative(energy_under(oracle, structure, strain), h) / structure.volume
            stated = float((tensor * strain).sum())
            allowed = (
                tolerances.stress + 5 * label.noise.stress + 5 * label.noise.energy / h / structure.volume
            )
            must(
                abs(slope - stated) <= allowed,
                f"under a strain the energy per volume changes by {slope:.6f} eV/Å³, the stress says {stated:.6f} "
                f"(allowed: {allowed:.2g}; Voigt order is xx yy zz yz xz xy, the sign is dE/dstrain / V)",
            )


def symmetries(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """All atoms shifted, or in another order: the same energy, and forces that go with the atoms."""
    for structure in structures:
        label = label_of(oracle, structure)
        shifted = structure.with_positions(structure.positions + np.array([0.31, -0.47, 0.23]))
        must_agree(label, label_of(oracle, shifted), tolerances, "after a shift of all atoms")
        order = np.random.default_rng(3).permutation(len(structure))
        mixed = label_of(oracle, structure.reordered(order))
        back = Label(mixed.energy, mixed.forces[np.argsort(order)])
        must_agree(label, back, tolerances, "with the atoms in another order")


def ladder(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """Every rung that answers gives the same answer, and an attempt past the end is no error."""
    for structure in structures[:1]:
        label = label_of(oracle, structure)
        for attempt in range(1, oracle.rungs + 2):
            outcome = oracle.label(structure, attempt)
            must(isinstance(outcome, Label | Failure), f"attempt {attempt} gives {outcome!r}")
            if isinstance(outcome, Label):
                must_agree(label, outcome, tolerances, f"at attempt {attempt}")


def outcomes_are_typed(oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances) -> None:
    """Atoms on one place, far apart, of an element that nobody has: an outcome each, and no exception."""
    for name, structure in _absurd(structures[0]):
        try:
            outcome = oracle.label(structure)
        except BaseException as error:
            raise OracleContractError(f"label raises {error!r} for {name}") from error
        must(isinstance(outcome, Label | Failure), f"label gives {type(outcome).__name__} for {name}")
        if isinstance(outcome, Label):
            finite = np.isfinite(outcome.energy) and np.isfinite(outcome.forces).all()
            must(finite, f"a label with numbers that are not finite for {name}")
            must(outcome.forces.shape == (len(structure), 3), f"forces of a wrong shape for {name}")
        else:
            must(outcome.message, f"a failure without a message for {name}")
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
        label = label_of(oracle, isolated_atom(number))
        must(label.stress is None, f"the lone atom Z = {number} has a stress")
        must(float(np.abs(label.forces).max()) <= tolerances.forces, f"a force on the lone atom Z = {number}")


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
            must(not same, "it labels an ion as the neutral structure; refuse it in check_structure")
        held = replace(structure, masses=1.1 * structure.amu, fixed=np.ones((len(structure), 3), dtype=bool))
        one, other = label_of(oracle, structure), label_of(oracle, held)
        must_agree(one, other, tolerances, "with other masses and held atoms")


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

"""A structure's charge and spin on their way into an ASE calculator, which has no one place for them.

Initial magnetic moments have one, `atoms.get_initial_magnetic_moments()`. A total charge is an option of most
calculators under a name of their own, `atoms.info['charge']` for many that are learned, the sum of the initial charges
for some. What a calculator would not hear of is refused: it would label another ion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import InputError, OracleError
from thalweg.oracles.base import check_no_electrons, is_isolated_atom
from thalweg.oracles.calculators import attribute, parts
from thalweg.structure import Structure, electrons_of

if TYPE_CHECKING:
    import ase

_CHARGE = {"charge", "total_charge", "tot_charge", "net_charge", "qmcharge"}
_MULTIPLICITY = {"mult", "multiplicity", "spinmult", "spin_multiplicity"}
_UNPAIRED = {"tot_magnetization", "uhf", "nupdown", "fixed_magnetic_moment", "nunpaired"}
_CLASSICAL = {"emt", "lj", "morse", "eam", "ff", "tip3p", "tip4p", "acn", "harmonic", "fd"}
"""Modules of ase.calculators without electrons."""
_DEEPEST = 4


def asked(structure: Structure, charge_from: str | None) -> ase.Atoms:
    """The atoms that a calculator gets: without constraints, which would hide forces, its charge where it looks."""
    atoms = structure.to_atoms(constraints=False)
    if charge_from == "info" and structure.multiplicity is not None:
        atoms.info["spin"] = structure.multiplicity
    if charge_from == "initial_charges" and structure.charge is not None:
        atoms.set_initial_charges(np.full(len(atoms), structure.charge / len(atoms)))
    return atoms


def check_electrons(structure: Structure, calculator: Any, who: str, charge_from: str | None) -> None:
    """Raise OracleError where a structure's charge or multiplicity would not reach the calculator."""
    if is_isolated_atom(structure):
        return
    if _is_classical(calculator):
        check_no_electrons(structure, who)
    charges, spins = _charges_and_multiplicities(calculator)
    _compare(structure.charge, charges, "charge", who, 0 if charge_from is None else None)
    _compare(structure.multiplicity, spins, "multiplicity", who, 1 if charge_from != "info" else None)
    if _knows_electrons(calculator) and not structure.pbc.any():
        _check_parity(structure, charges, spins, who)


def fixes_electrons(calculator: Any) -> bool:
    """Whether its options say a charge or multiplicity, which are then those of every lone atom, too."""
    charges, spins = _charges_and_multiplicities(calculator)
    return any(charges) or bool(spins)


def _charges_and_multiplicities(calculator: Any) -> tuple[list[float], list[float]]:
    """What its options say; a multiplicity of 0 or a negative magnetisation is how some write none."""
    options = [own for part in parts(calculator) for own in _options(attribute(part, "parameters"))]
    charges = [value for name, value in options if name in _CHARGE]
    spins = [value for name, value in options if name in _MULTIPLICITY and value > 0]
    spins += [value + 1 for name, value in options if name in _UNPAIRED and value >= 0]
    return charges, spins


def _knows_electrons(calculator: Any) -> bool:
    """Whether a charge or multiplicity is among the names of its options, given or not."""
    names: set[str] = set()
    for part in parts(calculator):
        for own in (attribute(part, "parameters"), attribute(part, "default_parameters")):
            names |= {str(name).lower() for name in own} if isinstance(own, Mapping) else set()
    return bool(names & (_CHARGE | _MULTIPLICITY))


def _check_parity(structure: Structure, charges: list[float], spins: list[float], who: str) -> None:
    """Whether a molecule's electrons go with what it and the calculator say, or are odd and nothing says more."""
    charge = round(charges[0]) if charges and structure.charge is None else None
    silent = structure.multiplicity is None and structure.magmoms is None
    try:
        electrons_of(structure, charge, round(spins[0]) if spins and silent else None)
    except InputError as error:
        raise OracleError(f"{who}: {error} (of an ASE calculator: into oracle.options)") from None


def _is_classical(calculator: Any) -> bool:
    module = type(calculator).__module__
    return module.startswith("ase.calculators.") and module.split(".")[2] in _CLASSICAL


def _options(tree: Any, depth: int = 0) -> Iterator[tuple[str, float]]:
    """Every option that is a number, by its name in lower case, also inside sections."""
    if not isinstance(tree, Mapping) or depth > _DEEPEST:
        return
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _options(value, depth + 1)
        elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
            yield str(name).lower(), float(value)


def _compare(own: int | None, options: list[float], what: str, who: str, unheard: int | None) -> None:
    """`unheard`: what the calculator does where no option says anything; None: it reads the structure."""
    if own is None:
        return
    if options and all(value == own for value in options):
        return
    if options:
        raise OracleError(
            f"the {what} of the structure is {own}, and {who} has {options[0]:g} among its options; make them agree"
        )
    if unheard is None or own == unheard:
        return
    raise OracleError(
        f"the structure has {what} {own}, and nothing tells {who} of it: give {what} among oracle.options, by the name "
        "that the calculator knows, or say where it looks: oracle.charge_from: info or initial_charges"
    )

"""Between `Structure` and `ase.Atoms`: what files say of charge, spin, masses and constraints, under all its names.

Programs write these differently. A charge is `info['charge']` or the sum of initial charges. A multiplicity is
`info['multiplicity']`, or one more than the unpaired electrons in `info['uhf']`. `info['spin']` is a multiplicity to
some programs, S or 2S to others: it is taken where all three agree, and else refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import InputError
from thalweg.structure.arrays import FloatArray
from thalweg.structure.held import constraints_of, fixed_of
from thalweg.structure.naming import (
    CHARGES,
    MASSES,
    MOMENTS,
    MULTIPLICITIES,
    PARTIAL_CHARGES,
    SPIN,
    UNPAIRED,
    column,
    plain_info,
    plain_name,
)
from thalweg.structure.structure import Structure

if TYPE_CHECKING:
    import ase

_ROUNDING, _ROUNDING_OF_ATOM = 0.01, 5e-4
"""Partial charges are written with few digits: their sum may be so far from a whole number."""


def from_atoms(atoms: ase.Atoms) -> Structure:
    """See `Structure.from_atoms`."""
    info = plain_info(atoms)
    plain = Structure(atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc)
    return replace(
        plain,
        charge=_charge(info, atoms),
        multiplicity=_multiplicity(info),
        magmoms=_moments(atoms),
        masses=_masses(atoms),
        fixed=fixed_of(atoms),
    )


def to_atoms(structure: Structure, *, constraints: bool = True) -> ase.Atoms:
    """See `Structure.to_atoms`."""
    import ase

    atoms = ase.Atoms(
        numbers=structure.numbers,
        positions=structure.positions,
        cell=structure.cell,
        pbc=structure.pbc,
        masses=structure.masses,
        magmoms=structure.magmoms,
    )
    for name in ("charge", "multiplicity"):
        value = getattr(structure, name)
        if value is not None:
            atoms.info[name] = value
    if constraints and structure.fixed is not None:
        atoms.set_constraint(constraints_of(structure.fixed))
    return atoms


# --- electrons ------------------------------------------------------------------------------------------


def _charge(info: Mapping[str, Any], atoms: ase.Atoms) -> int | None:
    said = _one(
        _whole_numbers(info, CHARGES, "charge", "charges of molecules and cells are whole numbers of e")
    )
    if not atoms.has("initial_charges"):
        return _one({**_named("charge", said), **_named("partial charges", _sum_of_partial(atoms))})
    total = float(np.sum(atoms.get_initial_charges()))
    if abs(total - round(total)) > _ROUNDING:
        raise InputError(
            f"structure: its initial charges sum to {total:.4g} e, expected a whole number; take the column out, or "
            "write charge=... into the comment line and charges that sum to it"
        )
    by_atoms = (
        {} if said is None and not atoms.get_initial_charges().any() else {"initial charges": round(total)}
    )
    return _one({**_named("charge", said), **by_atoms})


def _named(name: str, value: int | None) -> dict[str, int]:
    return {} if value is None else {name: value}


def _sum_of_partial(atoms: ase.Atoms) -> int | None:
    """The whole charge that partial charges sum to, given or calculated; None for 0, which neutral parts have, too."""
    values = column(atoms, PARTIAL_CHARGES)
    if values is None and atoms.calc is not None:
        values = getattr(atoms.calc, "results", {}).get("charges")
    array = np.asarray(values)
    if array.shape != (len(atoms),) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        return None
    total = float(array.sum())
    is_whole = abs(total - round(total)) <= _ROUNDING + _ROUNDING_OF_ATOM * len(atoms)
    return round(total) or None if is_whole else None


def _multiplicity(info: Mapping[str, Any]) -> int | None:
    what = "multiplicity is 2S + 1, a whole number"
    said = _whole_numbers(info, MULTIPLICITIES, "multiplicity", what)
    unpaired = _whole_numbers(info, UNPAIRED, "number of unpaired electrons", "it is 2S, a whole number")
    said |= {f"{name} + 1": value + 1 for name, value in unpaired.items()}
    if not said:
        return _from_spin(info)
    return _one(said)


def take_out_unclear_spin(atoms: ase.Atoms) -> bool:
    """Take `spin` out of `info` where it may mean several things; returns whether it was there."""
    try:
        _multiplicity(plain_info(atoms))
    except InputError:
        unclear = [name for name in atoms.info if plain_name(name) in SPIN]
        for name in unclear:
            del atoms.info[name]
        return bool(unclear)
    return False


def _from_spin(info: Mapping[str, Any]) -> int | None:
    """`spin` where it can be only one thing: 0 is a singlet to those who mean S or 2S, and n + 1/2 is S."""
    for name in SPIN:
        if name not in info:
            continue
        value = _number(info[name], name)
        if value == 0.0:
            return 1
        if (2.0 * value) % 2.0 == 1.0:
            return round(2.0 * value) + 1
        raise InputError(
            f"structure: {name}={info[name]} is S to some programs, 2S or 2S + 1 to others; write multiplicity=2S+1 "
            f"into the comment line in place of {name}"
        )
    return None


def _whole_numbers(info: Mapping[str, Any], names: tuple[str, ...], what: str, rule: str) -> dict[str, int]:
    found = {}
    for name in names:
        if info.get(name) is None:
            continue
        value = _number(info[name], name)
        if value != round(value):
            raise InputError(f"structure: its {what} is {name}={value:g}; {rule}")
        found[name] = round(value)
    return found


def _number(value: Any, name: str) -> float:
    array = np.asarray(value)
    if array.size == 1 and array.dtype.kind in "fiu" and np.isfinite(array).all():
        return float(array.reshape(-1)[0])
    raise InputError(f"structure: {name}={value!r:.60} is not one number")


def _one(found: Mapping[str, int]) -> int | None:
    if len(set(found.values())) > 1:
        words = ", ".join(f"{name} {value}" for name, value in found.items())
        raise InputError(f"structure: it says two things of its electrons: {words}; leave one of them")
    return next(iter(found.values()), None)


def _moments(atoms: ase.Atoms) -> FloatArray | None:
    """Initial moments; else those that a calculation found, which are the best guess for the next."""
    if atoms.has("initial_magmoms"):
        moments: FloatArray = atoms.get_initial_magnetic_moments()
        if np.any(moments):
            return moments
    results = getattr(atoms.calc, "results", {})  # ASE moves a column `magmom` there, too
    found: tuple[Any, ...] = (column(atoms, MOMENTS), results.get("magmoms"), results.get("magmom"))
    return next((values for values in found if np.ndim(values) and len(values) == len(atoms)), None)


# --- masses -----------------------------------------------------------------------------


def _masses(atoms: ase.Atoms) -> FloatArray | None:
    values = column(atoms, MASSES)
    return None if values is None else np.asarray(values)

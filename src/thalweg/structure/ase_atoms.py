"""Between `Structure` and `ase.Atoms`: what files say of charge, spin, masses and constraints, under all its names.

Programs write these differently. A charge is `info['charge']` or the sum of initial charges. A multiplicity is
`info['multiplicity']`, or one more than the unpaired electrons in `info['uhf']`. `info['spin']` is a multiplicity to
some programs, S or 2S to others: it is taken where all three agree, and else refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.constraints import FixAtoms, FixCartesian, FixScaled

from thalweg.errors import InputError
from thalweg.structure.arrays import BoolArray, FloatArray
from thalweg.structure.structure import Structure

if TYPE_CHECKING:
    import ase

CHARGES = ("charge", "total_charge", "tot_charge", "net_charge")
MULTIPLICITIES = ("multiplicity", "spin_multiplicity", "mult")
UNPAIRED = ("uhf", "nunpaired", "n_unpaired", "unpaired_electrons")
SPIN = ("spin", "total_spin")
MASSES = ("masses", "mass")
_ROUNDING = 0.01
"""Partial charges are written with few digits: their sum may be so far from a whole number."""
_AXES_ALONG = 1e-8


def from_atoms(atoms: ase.Atoms) -> Structure:
    """See `Structure.from_atoms`."""
    info = {str(name).lower(): value for name, value in atoms.info.items()}
    plain = Structure(atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc)
    return Structure(
        plain.numbers,
        plain.positions,
        plain.cell,
        plain.pbc,
        charge=_charge(info, atoms),
        multiplicity=_multiplicity(info),
        magmoms=_moments(atoms),
        masses=_masses(atoms),
        fixed=_fixed(atoms),
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
        atoms.set_constraint(_constraints(structure.fixed))
    return atoms


def _constraints(fixed: BoolArray) -> list[Any]:
    """One for the atoms that stand still, and one for each way in which others are held."""
    found: list[Any] = []
    for mask in np.unique(fixed, axis=0):
        atoms = np.flatnonzero((fixed == mask).all(axis=1))
        if mask.all():
            found.append(FixAtoms(atoms))
        elif mask.any():
            found.append(FixCartesian(atoms, mask=mask))
    return found


# --- electrons ------------------------------------------------------------------------------------------


def _charge(info: Mapping[str, Any], atoms: ase.Atoms) -> int | None:
    said = _one(
        _whole_numbers(info, CHARGES, "charge", "charges of molecules and cells are whole numbers of e")
    )
    if not atoms.has("initial_charges"):
        return said
    total = float(np.sum(atoms.get_initial_charges()))
    if abs(total - round(total)) > _ROUNDING:
        raise InputError(
            f"structure: its initial charges sum to {total:.4g} e, expected a whole number; take the column out, or "
            "write charge=... into the comment line and charges that sum to it"
        )
    by_atoms = (
        {} if said is None and not atoms.get_initial_charges().any() else {"initial charges": round(total)}
    )
    return _one({**({} if said is None else {"charge": said}), **by_atoms})


def _multiplicity(info: Mapping[str, Any]) -> int | None:
    what = "multiplicity is 2S + 1, a whole number"
    said = _whole_numbers(info, MULTIPLICITIES, "multiplicity", what)
    unpaired = _whole_numbers(info, UNPAIRED, "number of unpaired electrons", "it is 2S, a whole number")
    said |= {name: value + 1 for name, value in unpaired.items()}
    if not said:
        return _from_spin(info)
    return _one(said)


def take_out_unclear_spin(atoms: ase.Atoms) -> bool:
    """Take `spin` out of `info` where it may mean several things; returns whether it was there."""
    info = {str(name).lower(): value for name, value in atoms.info.items()}
    try:
        _multiplicity(info)
    except InputError:
        unclear = [name for name in atoms.info if str(name).lower() in SPIN]
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
    found = atoms.arrays.get("magmoms")
    if found is None and atoms.calc is not None:
        found = getattr(atoms.calc, "results", {}).get("magmoms")
    return None if found is None or len(np.shape(found)) == 0 or len(found) != len(atoms) else found


# --- masses and constraints -----------------------------------------------------------------------------


def _masses(atoms: ase.Atoms) -> FloatArray | None:
    for name in MASSES:
        values = atoms.arrays.get(name)
        if values is not None:
            return np.asarray(values)
    return None


def _fixed(atoms: ase.Atoms) -> BoolArray | None:
    fixed = np.zeros((len(atoms), 3), dtype=np.bool_)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.index] = True
        elif isinstance(constraint, FixCartesian):
            fixed[constraint.index] |= np.asarray(constraint.mask, dtype=np.bool_)
        elif isinstance(constraint, FixScaled):
            fixed[constraint.index] |= _fixed_axes(constraint, np.array(atoms.cell))
        else:
            raise InputError(
                f"structure: it has the constraint {type(constraint).__name__}; atoms can be held as a whole or along "
                "x, y and z (FixAtoms, FixCartesian, move_mask, selective dynamics). Take the other constraint out"
            )
    return fixed


def _fixed_axes(constraint: FixScaled, cell: FloatArray) -> BoolArray:
    """Cartesian components of a mask along cell vectors; InputError where these do not lie along x, y and z."""
    mask = np.asarray(constraint.mask, dtype=np.bool_)
    if mask.all() or not mask.any():
        return mask
    along = np.abs(cell) > _AXES_ALONG * np.abs(cell).max()
    if not ((along.sum(axis=0) == 1).all() and (along.sum(axis=1) == 1).all()):
        raise InputError(
            "structure: it holds an atom along some of the cell vectors (selective dynamics), and these do not lie "
            "along x, y and z; hold the atom along all three (F F F), or take a cell whose vectors lie along the axes"
        )
    return np.asarray(along[mask].any(axis=0))

"""Structures and labels from files, each checked before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.border import check_input
from thalweg.errors import InputError
from thalweg.label import Label, LabelNoise
from thalweg.store.frames import read_atoms
from thalweg.structure import FloatArray, Structure

IMPORTED = "imported"
"""The fingerprint of labels whose file does not name its oracle (`info['oracle']`)."""

FASTEST = 20.0
"""Å per ASE time unit, 2 Å/fs; hydrogen at 10,000 K has 0.16."""
LARGEST_ENERGY, LARGEST_FORCE, LARGEST_STRESS = 1e10, 1e5, 1e4
"""eV, eV/Å, eV/Å³: nothing in a label is beyond them."""

# Where labels are found in info and arrays, ours and the common names of other programs.
_ENERGY = ("energy", "free_energy", "dft_energy", "REF_energy", "ref_energy")
_FORCES = ("forces", "force", "dft_forces", "REF_forces", "ref_forces")
_STRESS = ("stress", "REF_stress", "ref_stress")
_VIRIAL = ("virial", "virials", "REF_virial", "ref_virial")


def read_structures(path: str | Path) -> list[Structure]:
    """Read every structure in a file of any format that ASE reads, also compressed (.xz, .gz, .bz2).

    Raises
    ------
    InputError
        The file is missing, unreadable or empty, or a structure is not usable (`thalweg.border.check_input`).
    """
    path = Path(path)
    return [_structure(atoms, _where(path, n)) for n, atoms in enumerate(read_atoms(path), start=1)]


def _where(path: Path, number: int) -> str:
    return f"{path}, structure {number}"


def _structure(atoms: Any, where: str) -> Structure:
    try:
        structure = Structure.from_atoms(atoms)
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix('structure: ')}") from error
    return check_input(structure, where)


def read_moving(path: str | Path) -> tuple[Structure, FloatArray | None]:
    """The last structure of a file and its velocities (Å per ASE time unit), None where the file has none.

    Raises
    ------
    InputError
        As `read_structures`; velocities that are not finite, or beyond any atom's.
    """
    path = Path(path)
    frames = read_atoms(path)
    atoms, where = frames[-1], _where(path, len(frames))
    structure = _structure(atoms, where)
    if not atoms.has("momenta"):
        return structure, None
    try:
        velocities = np.asarray(atoms.get_velocities(), dtype=np.float64)
    except (ValueError, TypeError):
        raise InputError(f"{where}: its momenta are not numbers; expected three for each atom") from None
    if velocities.shape != structure.positions.shape or not np.isfinite(velocities).all():
        raise InputError(f"{where}: its velocities hold NaN or infinity, or are not three for each atom")
    fastest = float(np.abs(velocities).max())
    if fastest > FASTEST:
        raise InputError(
            f"{where}: its atom {int(np.abs(velocities).max(axis=1).argmax())} (counted from 0) moves by {fastest:.3g} "
            f"Å in ASE's unit of time (10.18 fs), expected at most {FASTEST:g}; use velocities from before that"
        )
    return structure, velocities


@dataclass(frozen=True, eq=False)
class Scored:
    """A structure with what a file says of its atoms.

    `bound` float64 (n_atoms,), eV/Å, and `novelty` float64 (n_atoms,) are None where the file has no such columns;
    `info` is what stands in its comment line.
    """

    structure: Structure
    bound: FloatArray | None
    novelty: FloatArray | None
    info: dict[str, Any]

    @property
    def atom(self) -> int | None:
        """The atom in question, where the file names one: `target` of a carved cell, `atom` of halted dynamics."""
        for name in ("target", "atom"):
            value = self.info.get(name)
            if isinstance(value, int | np.integer) and 0 <= int(value) < len(self.structure):
                return int(value)
        return None


def read_scored(path: str | Path) -> list[Scored]:
    """Every structure in a file, with its columns `bound` and `novelty` where there are such.

    Raises
    ------
    InputError
        As `read_structures`, and where such a column does not hold a number for each atom.
    """
    path = Path(path)
    scored = []
    for n, atoms in enumerate(read_atoms(path), start=1):
        structure = _structure(atoms, _where(path, n))
        try:
            bound, novelty = (_column(atoms, name) for name in ("bound", "novelty"))
        except InputError as error:
            raise InputError(f"{_where(path, n)}: {error}") from error
        scored.append(Scored(structure, bound, novelty, dict(atoms.info)))
    return scored


def _column(atoms: Any, name: str) -> FloatArray | None:
    values = atoms.arrays.get(name)
    if values is None:
        return None
    if values.ndim != 1 or values.dtype.kind not in "fiu" or np.isnan(values).any():
        raise InputError(f"its column {name!r} must hold one number for each atom")
    return np.asarray(values, dtype=np.float64)


def read_labelled(path: str | Path, split: str | None = None) -> list[tuple[Structure, Label]]:
    """Read every labelled structure in a file: energy (eV), forces (eV/Å) and, if present, stress (eV/Å³).

    Labels are taken from the results that ASE finds, or from `info` and `arrays` under their usual names. A
    virial (eV) is converted to stress = -virial / V. If forces are missing, the label has only the energy
    (`Label.has_forces`); the forces of a single isolated atom are zero.

    Parameters
    ----------
    split : only structures whose `info['split']` is this name, or one of these comma-separated names

    Raises
    ------
    InputError
        As `read_structures`; also if a structure has no energy, or none belongs to the split.
    """
    path = Path(path)
    labelled = []
    wanted = None if split is None else {name.strip() for name in split.split(",")}
    found: set[str] = set()
    for n, atoms in enumerate(read_atoms(path), start=1):
        own = str(atoms.info.get("split", ""))
        found.add(own)
        if wanted is not None and own not in wanted:
            continue
        structure = _structure(atoms, _where(path, n))
        try:
            labelled.append((structure, _label(atoms, structure)))
        except InputError as error:
            raise InputError(f"{_where(path, n)}: {error}") from error
    if wanted is not None and not wanted <= found:
        names = ", ".join(sorted(found - {""})) or "none"
        missing = ", ".join(sorted(wanted - found))
        raise InputError(f"{path}: no structure has split={missing} in its comment line; there are: {names}")
    return labelled


def _find(places: tuple[dict[str, Any], ...], names: tuple[str, ...]) -> Any:
    for name in names:
        for place in places:
            if place.get(name) is not None:
                return place[name]
    return None


def _label(atoms: Any, structure: Structure) -> Label:
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    energy = _find((results, atoms.info), _ENERGY)
    forces = _find((results, atoms.arrays), _FORCES)
    if energy is None:
        raise InputError(f"it has no energy; expected one of {', '.join(_ENERGY)} (eV) in the comment line")
    if forces is None and len(structure) == 1 and not structure.pbc.any():
        forces = np.zeros((1, 3))
    if forces is None:
        forces = np.full((len(structure), 3), np.nan)
    stress = _stress((results, atoms.info), structure)
    forces = _numbers("forces", forces, (len(structure), 3), LARGEST_FORCE, "eV/Å")
    return Label(_energy(energy), forces, stress, LabelNoise(), str(atoms.info.get("oracle", IMPORTED)))


def _energy(value: Any) -> float:
    """The energy as one number; a file may have it as an array of one element, or as text."""
    single = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(single, bool | np.bool_ | complex) or not isinstance(single, str | int | float | np.number):
        raise InputError(f"its energy is {_brief(value)}; expected one number (eV), such as energy=-12.5")
    try:
        energy = float(single)
    except (ValueError, OverflowError):
        hint = "write 1.0E+02 for 1.0D+02" if "D" in str(single).upper() else "is the calculation complete?"
        raise InputError(f"its energy is {_brief(value)}, not a number (eV); {hint}") from None
    if not np.isfinite(energy):
        raise InputError("its label holds NaN or infinity: its energy is not finite; leave the structure out")
    if abs(energy) > LARGEST_ENERGY:
        raise InputError(
            f"its energy is {energy:g} eV, expected one within {LARGEST_ENERGY:g} eV; look for a wrong unit, "
            "or leave the structure out"
        )
    return energy


def _numbers(name: str, values: Any, shape: tuple[int, ...], largest: float, unit: str) -> FloatArray:
    """`values` as finite numbers of that shape; only forces may be missing, all of them (NaN)."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"its {name} are not numbers ({_brief(values)}); expected numbers in {unit}")
    if array.shape != shape:
        raise InputError(f"its {name} have the shape {array.shape}, expected {shape}")
    numbers: FloatArray = np.array(array, dtype=np.float64)
    missing = name == "forces" and np.isnan(numbers).all()
    if not (missing or np.isfinite(numbers).all()):
        raise InputError(f"its label holds NaN or infinity among the {name}; leave the structure out")
    if not missing and np.abs(numbers).max() > largest:
        raise InputError(
            f"its {name} reach {np.abs(numbers).max():.3g} {unit}, expected at most {largest:g}; look for a wrong "
            "unit, or leave the structure out"
        )
    return numbers


def _brief(value: Any) -> str:
    words = " ".join(str(value).split())
    return words if len(words) <= 60 else words[:60] + " ..."


def _stress(places: tuple[dict[str, Any], ...], structure: Structure) -> Any:
    """The stress as six Voigt numbers, or None; only for structures periodic in three directions."""
    if not structure.pbc.all():
        return None
    stress, factor = _find(places, _STRESS), 1.0
    if stress is None:
        stress, factor = _find(places, _VIRIAL), -1.0 / structure.volume
    if stress is None:
        return None
    values = np.asarray(stress)
    if values.size == 9 and values.dtype.kind in "fiu":
        tensor = values.reshape(3, 3)
        values = (0.5 * (tensor + tensor.T)).flat[[0, 4, 8, 5, 2, 1]]
    elif values.size != 6:
        raise InputError(f"its stress has {values.size} numbers; expected 6 (Voigt) or 9")
    return factor * _numbers("stress", values, (6,), LARGEST_STRESS / abs(factor), "eV/Å³ (a virial: eV)")

"""Structures and labels from files: any format that ASE reads, plain or compressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase.io.formats import UnknownFileTypeError

from thalweg.errors import InputError
from thalweg.label import Label, LabelNoise
from thalweg.structure import FloatArray, Structure

_COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
}
IMPORTED = "imported"
"""The fingerprint of labels whose file does not name its oracle (`info['oracle']`)."""

# Where labels are found in info and arrays, ours and the common names of other programs.
_ENERGY = ("energy", "free_energy", "dft_energy", "REF_energy", "ref_energy")
_FORCES = ("forces", "force", "dft_forces", "REF_forces", "ref_forces")
_STRESS = ("stress", "REF_stress", "ref_stress")
_VIRIAL = ("virial", "virials", "REF_virial", "ref_virial")


def _read_atoms(path: Path) -> list[Any]:
    """All frames of a file as `ase.Atoms`; InputError in words."""
    if not path.exists():
        raise InputError(f"{path}: there is no such file (looked in {Path.cwd()})")
    if path.is_dir():
        raise InputError(f"{path}: expected a file of structures, this is a folder")
    try:
        source, form = _source(path)
        frames = ase.io.read(source, index=":", format=form)
    except UnknownFileTypeError as error:
        raise InputError(
            f"{path}: ASE knows no format of this name or content; use extended XYZ (.xyz, .extxyz), .cif, "
            "POSCAR or another format that ASE reads"
        ) from error
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise InputError(f"{path}: it is not a whole compressed file: {error}") from error
    except InputError:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsing meets
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path}: it cannot be read: {error.strerror}") from error
        raise InputError(
            f"{path}: ASE cannot read it as a file of structures ({type(error).__name__}: {error})"
        ) from error
    if not frames:
        raise InputError(f"{path}: there is no structure in it")
    return list(frames)


def _source(path: Path) -> tuple[Any, str | None]:
    """What to give to ASE, and the format. Compressed text goes through memory, since ASE seeks in it."""
    decompress = _COMPRESSED.get(path.suffix.lower())
    if decompress is None:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        return path, "extxyz" if path.suffix.lower() == ".xyz" else None
    text = decompress(path.read_bytes()).decode("utf-8")
    inner = Path(path.stem).suffix.lower()
    form = "extxyz" if inner in (".xyz", ".extxyz") else ase.io.formats.filetype(path.stem, read=False)
    return io.StringIO(text), form


def read_structures(path: str | Path) -> list[Structure]:
    """Every structure in a file of any format that ASE reads, also compressed (.xz, .gz, .bz2).

    Raises
    ------
    InputError
        Missing, unreadable, empty, or a structure without atoms or with numbers that are not finite.
    """
    path = Path(path)
    structures = []
    for n, atoms in enumerate(_read_atoms(path), start=1):
        try:
            structures.append(Structure.from_atoms(atoms))
        except InputError as error:
            raise InputError(f"{path}, structure {n}: {error}") from error
    return structures


def read_moving(path: str | Path) -> tuple[Structure, FloatArray | None]:
    """The last structure of a file and its velocities (Å per ASE time unit), None where the file has none.

    Raises
    ------
    InputError
        As `read_structures`.
    """
    path = Path(path)
    atoms = _read_atoms(path)[-1]
    try:
        structure = Structure.from_atoms(atoms)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not atoms.has("momenta"):
        return structure, None
    velocities = np.asarray(atoms.get_velocities(), dtype=np.float64)
    if not np.isfinite(velocities).all():
        raise InputError(f"{path}: its velocities hold NaN or infinity")
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
    for n, atoms in enumerate(_read_atoms(path), start=1):
        try:
            structure = Structure.from_atoms(atoms)
            bound, novelty = (_column(atoms, name) for name in ("bound", "novelty"))
        except InputError as error:
            raise InputError(f"{path}, structure {n}: {error}") from error
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
    """Every labelled structure in a file: energy (eV), forces (eV/Å), stress (eV/Å³) if there.

    Labels are taken from the results that ASE finds, or from `info` and `arrays` under their usual names. A
    virial (eV) stands in for a stress = -virial / V. Where forces are missing the label is of the energy alone
    (`Label.has_forces`); those of a single isolated atom are zero.

    Parameters
    ----------
    split : only structures whose `info['split']` is this, or one of these with commas between

    Raises
    ------
    InputError
        As `read_structures`, where a structure has no energy, and where none is of the split.
    """
    path = Path(path)
    labelled = []
    wanted = None if split is None else {name.strip() for name in split.split(",")}
    found: set[str] = set()
    for n, atoms in enumerate(_read_atoms(path), start=1):
        own = str(atoms.info.get("split", ""))
        found.add(own)
        if wanted is not None and own not in wanted:
            continue
        try:
            structure = Structure.from_atoms(atoms)
            labelled.append((structure, _label(atoms, structure)))
        except InputError as error:
            raise InputError(f"{path}, structure {n}: {error}") from error
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
    label = Label(float(energy), forces, stress, LabelNoise(), str(atoms.info.get("oracle", IMPORTED)))
    numbers = [np.array([label.energy])] + ([] if stress is None else [stress])
    numbers += [label.forces.ravel()] if label.has_forces else []
    if not np.isfinite(np.concatenate(numbers)).all():
        raise InputError("its label holds NaN or infinity")
    if len(label.forces) != len(structure):
        raise InputError(f"it has {len(structure)} atoms but {len(label.forces)} forces")
    return label


def _stress(places: tuple[dict[str, Any], ...], structure: Structure) -> Any:
    """The stress as six Voigt numbers, or None; only for structures periodic in three directions."""
    if not structure.pbc.all():
        return None
    stress, factor = _find(places, _STRESS), 1.0
    if stress is None:
        stress, factor = _find(places, _VIRIAL), -1.0 / structure.volume
    if stress is None:
        return None
    values = np.array(stress, dtype=np.float64)
    if values.size == 9:
        tensor = values.reshape(3, 3)
        values = (0.5 * (tensor + tensor.T)).flat[[0, 4, 8, 5, 2, 1]]
    if values.shape != (6,):
        raise InputError(f"its stress has {values.size} numbers; expected 6 (Voigt) or 9")
    return factor * values

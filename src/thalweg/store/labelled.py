"""Labels from files: what was taken, under which name, how many of each kind, and what was left out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np

from thalweg.errors import InputError
from thalweg.label import Label, LabelNoise
from thalweg.store.electron_counts import ElectronCounts
from thalweg.store.families import AmbiguousError, Family, Found, choose_family, families_of, names_of
from thalweg.store.frames import is_extxyz, read_atoms
from thalweg.store.quantities import read_energy, read_forces, read_stress
from thalweg.store.reading import place_of, structure_of
from thalweg.store.taken import Taken
from thalweg.structure import Structure
from thalweg.structure.ase_atoms import take_out_unclear_spin

IMPORTED = "imported"
"""The fingerprint of labels whose file does not name its oracle (`info['oracle']`)."""

UNCONVERGED, NAN_ENERGY, OTHER_NAMES = "unconverged", "energy is NaN", "no energy under these names"
"""Why a structure is left out."""

_CONVERGED = re.compile(
    r"(?:[a-z0-9]+_)?(?:is_?)?(?:(?:scf|sc|elec|electronic|electrons|dft)_?)?(?:converged|convergence)"
)
_NOT_CONVERGED = re.compile(r"(?:[a-z0-9]+_)?(?:scf_)?(?:unconverged|not_?converged|scf_failed)")
_FAILED = ("failed", "not converged", "unconverged", "not_converged")
_OF_A_RELAXATION = re.compile(r"(?:ion|relax|geo|opt|force|fmax|cell|structure)[a-z]*_")
"""A relaxation that has not ended says nothing against its labels."""


@dataclass(frozen=True, eq=False)
class LabelledFile(Sequence[tuple[Structure, Label]]):
    """The labelled structures of a file, and what was taken.

    Attributes
    ----------
    path : Path
    pairs : tuple of (Structure, Label)
        The sequence itself.
    numbers : tuple of int
        The place of each in the file, counted from 1.
    taken : Taken
    """

    path: Path
    pairs: tuple[tuple[Structure, Label], ...]
    numbers: tuple[int, ...]
    taken: Taken

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> tuple[Structure, Label]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[Structure, Label], ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self.pairs[index]


def read_labelled(
    path: str | Path, split: str | None = None, *, labels: str | None = None
) -> list[tuple[Structure, Label]]:
    """Every labelled structure in a file; `read_labelled_file` says also what was taken, and what not."""
    return list(read_labelled_file(path, split, labels=labels))


def read_labelled_file(
    path: str | Path, split: str | None = None, *, without: str | None = None, labels: str | None = None
) -> LabelledFile:
    """Every labelled structure in a file: energy (eV), forces (eV/Å), stress (eV/Å³) if there.

    The quantities of all labels come from names of one family (`thalweg.store.families`): `REF_energy` and
    `REF_forces`, or bare `energy` and `forces`, or what ASE parsed; a reference goes before bare names. Where a family
    has `energy` and another `free_energy`, the label is the latter, to which forces belong. A virial (eV) stands in for
    a stress = -virial / V. Where forces are missing the label is of the energy alone (`Label.has_forces`); those of a
    single atom without periodicity are zero.

    Not taken, and counted: structures that say that they have not converged, those whose energy is NaN, and forces or
    stress with NaN in them.

    Parameters
    ----------
    split : only structures whose `info['split']` is this, or one of these with commas between
    without : not those whose `info['split']` is this, or one of these
    labels : the family, by its prefix (`REF`, `DFT`, ...), `bare`, or `calculator` for what ASE parsed; structures
        without an energy of it are left out. None: what goes without saying

    Raises
    ------
    InputError
        As `read_structures`, where a structure has no energy, where more than one family could be meant, and where no
        structure is of the split or none is left.
    """
    path = Path(path)
    frames = _of_split(path, read_atoms(path), split, without)
    reading = _Reading(path)
    sound = [(n, atoms) for n, atoms in frames if not reading.leave(n, _unconverged(atoms), UNCONVERGED)]
    families = [families_of(atoms, merged=is_extxyz(path)) for _, atoms in sound]
    prefix = _chosen(path, [n for n, _ in sound], families, labels)
    for (n, atoms), found in zip(sound, families, strict=True):
        where, family = place_of(path, n), found.get(prefix, {})
        reading.electrons.unclear_spins += take_out_unclear_spin(atoms)
        structure = structure_of(atoms, where)
        if labels is not None and reading.leave(n, "energy" not in family, OTHER_NAMES):
            continue
        try:
            reading.take(n, structure, atoms.info, family)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    others = tuple(
        words for other in _prefixes(families) if other != prefix and (words := names_of(families, other))
    )
    return reading.finished(others)


def _prefixes(families: list[dict[str, Family]]) -> list[str]:
    return list(dict.fromkeys(prefix for frame in families for prefix in frame))


def _chosen(path: Path, numbers: list[int], families: list[dict[str, Family]], labels: str | None) -> str:
    try:
        return choose_family(families, labels) if families else ""
    except AmbiguousError as error:
        raise InputError(f"{place_of(path, numbers[error.place])}: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _of_split(path: Path, frames: list[Any], split: str | None, without: str | None) -> list[tuple[int, Any]]:
    """The structures asked for, with their numbers from 1."""
    own = [str(atoms.info.get("split", "")) for atoms in frames]
    wanted, unwanted = _split_names(split), _split_names(without)
    missing = ((wanted or set()) | (unwanted or set())) - set(own)
    if missing:
        names = ", ".join(sorted(set(own) - {""})) or "none"
        absent = ", ".join(sorted(missing))
        raise InputError(f"{path}: no structure has split={absent} in its comment line; there are: {names}")
    chosen = [
        (n, atoms)
        for n, (atoms, name) in enumerate(zip(frames, own, strict=True), start=1)
        if (wanted is None or name in wanted) and (unwanted is None or name not in unwanted)
    ]
    if not chosen:
        raise InputError(f"{path}: every structure has split={without}, so that none is left")
    return chosen


def _split_names(text: str | None) -> set[str] | None:
    return None if text is None else {name.strip() for name in text.split(",")}


def _unconverged(atoms: Any) -> bool:
    """Whether the file says of a structure that its calculation has not converged."""
    for key, value in atoms.info.items():
        name = str(key).lower().replace("-", "_")
        if _OF_A_RELAXATION.match(name):
            continue
        if _CONVERGED.fullmatch(name) and _says(value, {"f", "false", "no", "n", "0", ".false.", *_FAILED}):
            return True
        if _NOT_CONVERGED.fullmatch(name) and _says(value, {"t", "true", "yes", "y", "1", ".true."}):
            return True
    return False


def _says(value: Any, words: set[str]) -> bool:
    if isinstance(value, np.ndarray) and value.size != 1:
        return False
    return str(value.item() if isinstance(value, np.ndarray) else value).strip().lower() in words


def _no_energy(info: Mapping[str, Any]) -> str:
    like = ", ".join(str(key) for key in info if "energy" in str(key).lower())
    found = f"; {like} is there: give it one of these names" if like else ""
    return f"it has no energy; expected energy, REF_energy or dft_energy (eV) in the comment line{found}"


@dataclass
class _Reading:
    """What has been taken of a file so far."""

    path: Path
    pairs: list[tuple[Structure, Label]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    names: dict[str, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in ("energy", "forces", "stress")}
    )
    electrons: ElectronCounts = field(default_factory=ElectronCounts)
    energies: Counter[str] = field(default_factory=Counter)
    oracles: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, list[int]] = field(default_factory=dict)
    absent: dict[str, list[int]] = field(default_factory=dict)

    def leave(self, number: int, condition: bool, why: str) -> bool:
        """Note a structure that is left out, where the condition holds; returns that."""
        if condition:
            self.left_out.setdefault(why, []).append(number)
        return condition

    def take(self, number: int, structure: Structure, info: Mapping[str, Any], family: Family) -> None:
        """One structure's label. Raises InputError without its place."""
        if "energy" not in family:
            raise InputError(_no_energy(info))
        energy = read_energy(family["energy"].value)
        forces = self._forces(number, structure, family)
        stress = self._stress(number, structure, family)
        if energy is None:
            for numbers in self.absent.values():
                numbers[:] = [n for n in numbers if n != number]
            self.leave(number, True, NAN_ENERGY)
            return
        present = {"energy": True, "forces": forces is not None, "stress": stress is not None}
        for kind in (kind for kind in present if present[kind]):
            self.names[kind][family[kind].name] += 1
        if forces is None:
            alone = "forces" not in family and len(structure) == 1 and not structure.pbc.any()
            forces = np.full((len(structure), 3), 0.0 if alone else np.nan)
        self.electrons.note(structure)
        self._note_energy(family["energy"])
        self.oracles[str(info.get("oracle", ""))] += 1
        label = Label(energy, forces, stress, LabelNoise(), str(info.get("oracle", IMPORTED)))
        self.pairs.append((structure, label))
        self.numbers.append(number)

    def _forces(self, number: int, structure: Structure, family: Family) -> Any:
        if "forces" not in family:
            return None
        forces = read_forces(family["forces"].value, structure)
        if forces is None:
            self.absent.setdefault("forces", []).append(number)
        return forces

    def _stress(self, number: int, structure: Structure, family: Family) -> Any:
        """Only for structures periodic in three directions."""
        if "stress" not in family or not structure.pbc.all():
            return None
        stress = read_stress(family["stress"].name, family["stress"].value, structure)
        if stress is None:
            self.absent.setdefault("stress", []).append(number)
        return stress

    def _note_energy(self, found: Found) -> None:
        alone = found.beside is None and not found.name.endswith("free_energy")
        self.energies.update(["differs"] * found.differs + ["alone"] * alone)

    def finished(self, others: tuple[str, ...]) -> LabelledFile:
        """The file; InputError where nothing is left of it."""
        if not self.pairs:
            why, numbers = next(iter(self.left_out.items()))
            raise InputError(
                f"{place_of(self.path, numbers[0])}: its label is not taken ({why}), and no labelled structure is left"
            )
        taken = Taken(
            len(self.pairs),
            {kind: dict(counts) for kind, counts in self.names.items()},
            dict(self.electrons.charges),
            {why: tuple(numbers) for why, numbers in self.left_out.items()},
            {kind: tuple(numbers) for kind, numbers in self.absent.items() if numbers},
            others,
            len(self.energies) == 2,
            dict(self.oracles),
            dict(self.electrons.multiplicities),
            self.electrons.unclear_spins,
            self.electrons.mixed,
        )
        return LabelledFile(self.path, tuple(self.pairs), tuple(self.numbers), taken)

"""Files of LAMMPS, which number their types: which elements these are, said or refused, never guessed from a number."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from thalweg.errors import InputError, InputWarning
from thalweg.store.moving import settle_velocities

DATA, DUMP = "lammps-data", "lammps-dump-text"
"""ASE's names of the formats."""

_HEAD = 20_000
"""Characters; the header comes first."""
_IS_DATA = re.compile(r"^\s*\d+\s+atoms\s*(?:#.*)?$", re.MULTILINE)
_HAS_BOX = re.compile(r"^\s*\S+\s+\S+\s+xlo\s+xhi|^\s*\S+\s+\S+\s+\S+\s+avec", re.MULTILINE)
_SECTION = re.compile(r"^[A-Z][A-Za-z]*(?: [A-Za-z0-9]+)*$")
_NEAR, _NEAR_SHARE = 0.05, 0.003
"""amu, and share of the mass: how far a mass of a file may be from its element's."""
_HEAVY_HYDROGEN = ((2.014, 0.02), (3.016, 0.02))
"""amu: deuterium and tritium, which are hydrogen with their own mass."""
_CURE_OF_DATA = (
    "add a section Masses in amu, from which elements are told, with the symbol as a comment where it is not plain: "
    "`1 63.546 # Cu`; or convert the file to extended XYZ with symbols"
)
_CURE_OF_DUMP = (
    "let LAMMPS write them (dump 1 all custom 100 file id element x y z; dump_modify 1 element Cu O), or convert the "
    "file to extended XYZ with symbols"
)


def is_data(text: TextIO) -> bool:
    """Whether this is a LAMMPS data file, by its header; its name says nothing."""
    head = text.read(_HEAD)
    return _IS_DATA.search(head) is not None and _HAS_BOX.search(head) is not None


def read_data(path: Path, text: TextIO) -> Any:
    """The structure of a data file in units metal or real (Å), as `ase.Atoms`; says which type is which element.

    Raises
    ------
    InputError
        A type of atoms whose element the file does not say.
    """
    from ase.data import atomic_numbers
    from ase.io.lammpsdata import read_lammps_data

    types = _Types.read(text)
    text.seek(0)
    atoms = read_lammps_data(text)
    settle_velocities(path, text, [atoms])
    own = atoms.arrays["type"]
    symbols = {int(kind): types.symbol(path, int(kind)) for kind in np.unique(own)}
    atoms.numbers = np.array([atomic_numbers[symbols[int(kind)]] for kind in own])
    atoms.info.pop("comment", None)  # the file's first line says nothing of labels
    warnings.warn(
        f"{path}: types of a LAMMPS data file: {', '.join(f'{kind} is {name}' for kind, name in symbols.items())}; "
        "lengths are taken to be in Å (units metal or real)",
        InputWarning,
        stacklevel=2,
    )
    return atoms


@dataclass(frozen=True)
class _Types:
    """What a data file says of its types: masses (amu), the words after them, and labels."""

    masses: Mapping[int, float]
    comments: Mapping[int, str]
    labels: Mapping[int, str]

    @classmethod
    def read(cls, text: TextIO) -> _Types:
        """The sections Masses and Atom Type Labels."""
        masses: dict[int, float] = {}
        comments: dict[int, str] = {}
        labels: dict[int, str] = {}
        for section, line, comment in _lines(text):
            words = line.split()
            if section == "Atom Type Labels" and len(words) == 2:
                labels[int(words[0])] = words[1]
            elif section == "Masses" and len(words) == 2 and words[0].isdecimal():
                masses[int(words[0])] = float(words[1])
                comments[int(words[0])] = comment
        return cls(masses, comments, labels)

    def symbol(self, path: Path, kind: int) -> str:
        """The element of a type: by its label, the word after its mass, or its mass. InputError where none says it."""
        from ase.data import atomic_numbers

        comment = re.match("[A-Za-z]*", self.comments.get(kind, ""))
        for word in (self.labels.get(kind, ""), "" if comment is None else comment[0]):
            if word in atomic_numbers and word != "X":
                return word
        if kind not in self.masses:
            raise InputError(
                f"{path}: a LAMMPS data file that does not say which element type {kind} is; {_CURE_OF_DATA}"
            )
        symbol = _element_of(self.masses[kind])
        if symbol is None:
            raise InputError(
                f"{path}: type {kind} of this LAMMPS data file has a mass of {self.masses[kind]:g} amu, which is no "
                f"element's; {_CURE_OF_DATA}"
            )
        return symbol


def _lines(text: TextIO) -> Iterator[tuple[str, str, str]]:
    """Section, content and comment of each line in which types are described."""
    section = ""
    next(text, "")  # the first line is a title
    for raw in text:
        line, _, comment = (part.strip() for part in raw.partition("#"))
        if _SECTION.match(line):
            section = line
        elif line and section in ("Masses", "Atom Type Labels"):
            yield section, line, comment


def _element_of(mass: float) -> str | None:
    from ase.data import atomic_masses, chemical_symbols

    if any(abs(mass - heavy) < near for heavy, near in _HEAVY_HYDROGEN):
        return "H"
    nearest = int(np.argmin(np.abs(atomic_masses[1:] - mass))) + 1
    is_near = abs(atomic_masses[nearest] - mass) <= max(_NEAR, _NEAR_SHARE * mass)
    return str(chemical_symbols[nearest]) if is_near else None


def check_dump(path: Path, text: TextIO) -> None:
    """Refuse a dump that says nothing of the elements of its atoms: ASE would take type 1 for hydrogen.

    A column of masses is as good as one of elements, where each is an element's.

    Raises
    ------
    InputError
        Naming the structure that lacks them, or has a mass that is no element's.
    """
    number, names = 0, list[str]()
    kinds: set[tuple[str, str]] = set()
    for line in text:
        if line.startswith("ITEM:"):
            names = line.split()[2:] if line.startswith("ITEM: ATOMS") else []
            number += line.startswith("ITEM: ATOMS")
            _check_columns(path, number, names)
        elif names:
            row = dict(zip(names, line.split(), strict=False))
            kind = (row.get("type", ""), row.get("element", row.get("mass", "")))
            if kind not in kinds:
                kinds.add(kind)
                _check_mass(path, number, None if "element" in row else row.get("mass"))
    _note_carbon(path, kinds)


def _check_columns(path: Path, number: int, names: list[str]) -> None:
    if names and not {"element", "mass"} & set(names):
        raise InputError(
            f"{path}, structure {number}: a LAMMPS dump without elements (its columns: {' '.join(names)}); "
            + _CURE_OF_DUMP
        )


def _check_mass(path: Path, number: int, mass: str | None) -> None:
    try:
        known = mass is None or _element_of(float(mass)) is not None
    except ValueError:
        return  # ASE has its words for it
    if not known:
        raise InputError(
            f"{path}, structure {number}: this LAMMPS dump has no elements, and its mass {mass} is no element's; "
            + _CURE_OF_DUMP
        )


def _note_carbon(path: Path, kinds: set[tuple[str, str]]) -> None:
    types = {kind for kind, _ in kinds}
    if len(types) > 1 and {name for _, name in kinds} == {"C"}:
        warnings.warn(
            f"{path}: all {len(types)} types are C, which LAMMPS writes where dump_modify does not name elements",
            InputWarning,
            stacklevel=2,
        )

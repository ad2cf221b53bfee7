"""Extended XYZ with the symbols D and T: hydrogen with the masses of deuterium and tritium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import StringIO
from typing import Any

import numpy as np

ISOTOPES = {"D": 2.01410177812, "T": 3.0160492779}
"""amu. Wang et al., Chin. Phys. C 45, 030003 (2021)."""

_PROPERTIES = re.compile(r"""properties\s*=\s*["']?([^\s"']+)""", re.IGNORECASE)
_SPECIES = ("species", "symbols")


def is_isotope(word: object) -> bool:
    """Whether a word that is no element's symbol is one of hydrogen's isotopes."""
    return word in ISOTOPES


def read_isotopes(lines: Iterable[str], read: Callable[[StringIO], Iterator[Any]]) -> Iterator[Any]:
    """The frames of a file with such symbols, as `read` makes them of the text with H in their place.

    A column of masses in the file goes before the isotopes' own.
    """
    text: list[str] = []
    masses: list[dict[int, float]] = []
    rest = iter(lines)
    for first in rest:
        text.append(first)
        if not first.split() or not first.split()[0].isdecimal():
            break  # the end, or what the reader has its own words for
        comment = next(rest, "")
        text.append(comment)
        masses.append({})
        column = _species_column(comment)
        for atom in range(int(first.split()[0])):
            words = next(rest, "").split()
            if len(words) > column and words[column] in ISOTOPES:
                masses[-1][atom] = ISOTOPES[words[column]]
                words[column] = "H"
            text.append(" ".join(words) + "\n")
    for atoms, own in zip(read(StringIO("".join(text))), masses, strict=False):
        if "mass" not in atoms.arrays:
            set_isotopes(atoms, own)
        yield atoms


def set_isotopes(atoms: Any, masses: Mapping[int, float]) -> None:
    """Give atoms (counted from 0) their masses, amu, unless a file has given masses to all."""
    if masses and not atoms.has("masses"):
        weights = np.array(atoms.get_masses())
        weights[list(masses)] = list(masses.values())
        atoms.set_masses(weights)


def _species_column(comment: str) -> int:
    """Which word of an atom's line is its symbol: the first, unless Properties says otherwise."""
    found = _PROPERTIES.search(comment)
    parts = found[1].split(":") if found else []
    column = 0
    for name, width in zip(parts[::3], parts[2::3], strict=False):
        if name.lower() in _SPECIES:
            return column
        column += int(width) if width.isdecimal() else 0
    return 0

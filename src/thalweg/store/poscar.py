"""POSCAR without a line of symbols, as VASP 4 wrote it: its title names the elements, or it is no title but words."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TextIO

from thalweg.errors import InputError

_COUNTS = 5
"""The line, counted from 0, of the numbers of atoms; in files of VASP 5 that of the symbols."""


def check_poscar(path: Path, text: TextIO) -> None:
    """Raise InputError where ASE would read elements out of a title that does not name them: `of VASP 4` as vanadium.

    Where it could not, it looks into POTCAR and OUTCAR beside the file, and that is right.
    """
    lines = list(itertools.islice(text, _COUNTS + 1))
    counts = lines[_COUNTS].split("!")[0].split() if len(lines) > _COUNTS else []
    if not counts or not counts[0].isdecimal():
        return
    title = lines[0].split()
    if _guessed(title) < len(counts) or (len(title) == len(counts) and all(map(_is_symbol, title))):
        return
    raise InputError(
        f"{path}: a POSCAR whose elements are not named: it has no line of symbols, and its title is "
        f"{lines[0].strip()[:60]!r}; write their symbols in a line before the numbers of atoms, such as: Cu O"
    )


def _is_symbol(word: str) -> bool:
    from ase.data import atomic_numbers

    return word in atomic_numbers and word != "X"


def _guessed(title: list[str]) -> int:
    """How many symbols ASE finds in a title: it takes every word that can be read as a formula."""
    from ase.formula import Formula

    found = 0
    for word in title:
        letters = re.sub(r"[-_,.=0-9]", "", word)
        try:
            found += len(list(Formula(letters))) if letters else 0
        except ValueError:
            continue
    return found

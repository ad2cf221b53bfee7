"""Files that name atoms, not elements: PDB without its element column, and GROMACS' .gro.

ASE guesses an element from the first letters of a name: the alpha carbon CA of a PDB becomes calcium, chloride CL of a
.gro carbon, the virtual site MW tungsten. Names that leave no choice are taken, others refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

from thalweg.errors import InputError

_CURE = "convert the file to extended XYZ with symbols"


def check_pdb(path: Path, text: TextIO) -> None:
    """Raise InputError where an atom has no element in columns 77 and 78, and its name may be of more than one."""
    number, atom = 1, 0
    for line in text:
        if line.startswith("MODEL"):
            atom = 0
        elif line.startswith("ENDMDL"):
            number += 1
        elif line.startswith(("ATOM  ", "HETATM")):
            name, residue, element = (line[a:b].strip() for a, b in ((12, 16), (17, 20), (76, 78)))
            if not element and not _plain(name, residue):
                raise InputError(
                    f"{path}, structure {number}: atom {atom} (counted from 0), {name} of {residue}, has no element in "
                    f"columns 77 and 78, and its name does not tell it; fill in these columns, or {_CURE}"
                )
            atom += 1


def check_gro(path: Path, text: TextIO) -> None:
    """Raise InputError for names of a .gro that ASE would take for another element, or that are virtual sites."""
    next(text, "")
    count = next(text, "").strip()
    for atom in range(int(count) if count.isdecimal() else 0):
        line = next(text, "")
        name, residue = line[10:15].strip(), line[5:10].strip()
        letters = _letters(name)
        is_told = letters[:2] in _symbols() or (letters[:1] in _symbols() and not _is_ion(letters, residue))
        if letters and not is_told:
            raise InputError(
                f"{path}, structure 1: atom {atom} (counted from 0), {name} of {residue}, is a virtual site, or of an "
                f"element that its name does not tell; {_CURE}, without virtual sites"
            )


def _plain(name: str, residue: str) -> bool:
    """Whether a name can be of one element only: a single letter with numbers, or an ion in a residue of its name."""
    letters = _letters(name)
    single = len(letters) == 1 and letters in _symbols()
    return single or (letters.capitalize() in _symbols() and _is_ion(letters, residue))


def _is_ion(letters: str, residue: str) -> bool:
    """Whether a residue is one atom of two letters, such as NA, CL, CA, ZN."""
    return (
        len(letters) == 2
        and letters.capitalize() in _symbols()
        and _letters(residue).upper() == letters.upper()
    )


def _letters(name: str) -> str:
    found = re.match(r"\d*([A-Za-z]*)", name)
    return "" if found is None else found[1]


def _symbols() -> set[str]:
    from ase.data import chemical_symbols

    return set(chemical_symbols[1:])

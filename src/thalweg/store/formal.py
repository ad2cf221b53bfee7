"""Formal charges, isotopes and radicals of MDL molfiles, SDF and PDB, which ASE leaves out.

References
----------
CTfile Formats, BIOVIA (2020), chapters Atom Block and Properties Block; wwPDB file format 3.30, columns 79 and 80.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from thalweg.errors import InputError
from thalweg.store.isotopes import ISOTOPES, set_isotopes

MOLFILES = {"mol", "sdf"}
PDB = "proteindatabank"
"""ASE's names of the formats."""

_CODES = {1: 3, 2: 2, 3: 1, 5: -1, 6: -2, 7: -3}
"""Charges by the codes of the atom block."""
_DOUBLET = 4
_UNPAIRED = {1: 0, 2: 1, 3: 2}
"""Unpaired electrons by the codes of `M  RAD`: singlet, doublet, triplet."""
_MASSES = {
    ("H", 1): 1.00782503223,
    ("H", 2): ISOTOPES["D"],
    ("H", 3): ISOTOPES["T"],
    ("C", 13): 13.00335483507,
    ("C", 14): 14.0032419884,
    ("N", 15): 15.00010889888,
    ("O", 17): 16.99913175650,
    ("O", 18): 17.99915961286,
    ("S", 34): 33.967867004,
    ("Cl", 35): 34.968852682,
    ("Cl", 37): 36.965902602,
}
"""amu, by element and mass number; of others the mass number itself, which is within 0.1 %. AME2020."""


@dataclass
class _Said:
    """What one molecule's record says, by atoms counted from 0."""

    charges: dict[int, int] = field(default_factory=dict)
    unpaired: dict[int, int] = field(default_factory=dict)
    masses: dict[int, float] = field(default_factory=dict)

    def apply(self, atoms: Any, where: str) -> None:
        """Write it into ASE's atoms. InputError for several radical centres: their spins may be coupled either way."""
        if self.charges:
            atoms.info["charge"] = sum(self.charges.values())
        if len(self.unpaired) > 1:
            raise InputError(
                f"{where}: it has {len(self.unpaired)} radical centres (M  RAD), whose spins may be parallel or not; "
                "convert it to extended XYZ with multiplicity=2S+1 in the comment line"
            )
        if self.unpaired:
            atoms.info["multiplicity"] = 1 + sum(self.unpaired.values())
        set_isotopes(atoms, self.masses)


def read_molfiles(path: Path, text: TextIO, read: Callable[[StringIO], Any]) -> Iterator[Any]:
    """Every molecule of a molfile or SDF of version V2000, as `read` makes ASE's atoms of one record.

    Raises InputError for V3000 and for records whose counts are no numbers.
    """
    records = re.split(r"^\$\$\$\$.*\n?", text.read(), flags=re.MULTILINE)
    for number, record in enumerate((r for r in records if r.strip()), start=1):
        where = f"{path}, structure {number}"
        lines = record.split("\n")
        counts = lines[3] if len(lines) > 3 else ""
        if "V3000" in counts or not counts[:3].strip().isdecimal():
            raise InputError(
                f"{where}: its fourth line is {counts.strip()[:40]!r}, expected the counts of a molfile of version "
                "V2000; convert it to that version, or to extended XYZ"
            )
        said = _of_record(lines, int(counts[:3]))
        atoms = read(StringIO("\n".join(lines)))
        said.apply(atoms, where)
        yield atoms


def _of_record(lines: list[str], n_atoms: int) -> _Said:
    """What a record says; D and T in its lines become H, which ASE knows."""
    said = _Said()
    symbols = []
    for k, line in enumerate(lines[4 : 4 + n_atoms]):
        symbol = line[31:34].strip()
        if symbol in ISOTOPES:
            said.masses[k] = ISOTOPES[symbol]
            lines[4 + k] = line[:31] + "H  " + line[34:]
        symbols.append("H" if symbol in ISOTOPES else symbol)
        _note_codes(said, k, symbols[-1], line)
    _note_properties(said, symbols, lines[4 + n_atoms :])
    return said


def _note_codes(said: _Said, k: int, symbol: str, line: str) -> None:
    """The columns of an atom's line: the difference of its mass number, and the code of its charge."""
    from ase.data import atomic_masses, atomic_numbers

    difference, code = _whole(line[34:36]), _whole(line[36:39])
    if difference and symbol in atomic_numbers:
        number = round(float(atomic_masses[atomic_numbers[symbol]])) + difference
        said.masses[k] = _MASSES.get((symbol, number), float(number))
    if code in _CODES:
        said.charges[k] = _CODES[code]
    if code == _DOUBLET:
        said.unpaired[k] = 1


def _note_properties(said: _Said, symbols: list[str], lines: list[str]) -> None:
    """The lines `M  CHG`, `M  RAD` and `M  ISO`; the first two go before all codes of charge and radical."""
    pairs = {name: dict(_pairs(lines, name)) for name in ("CHG", "RAD", "ISO")}
    if pairs["CHG"] or pairs["RAD"]:
        said.charges = dict(pairs["CHG"])
        said.unpaired = {k: _UNPAIRED[code] for k, code in pairs["RAD"].items() if code in _UNPAIRED}
    for k, number in pairs["ISO"].items():
        if number and 0 <= k < len(symbols):
            said.masses[k] = _MASSES.get((symbols[k], number), float(number))


def _pairs(lines: list[str], name: str) -> Iterator[tuple[int, int]]:
    """Atoms (from 0) and values of the property lines of this name."""
    for line in lines:
        if line.startswith("M  END"):
            return
        if line.startswith(f"M  {name}"):
            words = [_whole(word) for word in line[9:].split()]
            yield from ((atom - 1, value) for atom, value in zip(words[::2], words[1::2], strict=False))


def _whole(text: str) -> int:
    """A whole number, 0 where there is none."""
    try:
        return int(text)
    except ValueError:
        return 0


def read_pdb(text: TextIO, read: Callable[[StringIO], Iterable[Any]]) -> Iterator[Any]:
    """The models that have atoms, as `read` makes them of a text, with the charges and the deuterium of their lines."""
    models, lines = [_Said()], []
    n_atoms = 0
    for line in text:
        if line.startswith("END"):
            models, n_atoms = [*models, _Said()], 0
        elif line.startswith(("ATOM", "HETATM")):
            _note_pdb_atom(models[-1], n_atoms, line)
            n_atoms += 1
        is_heavy = line.startswith(("ATOM", "HETATM")) and line[76:78].strip() in ISOTOPES
        lines.append(f"{line[:76]} H{line[78:]}" if is_heavy else line)
    for atoms, said in zip(read(StringIO("".join(lines))), models, strict=False):
        said.apply(atoms, "")
        if len(atoms):  # ASE makes a model of what is between ENDMDL and END
            yield atoms


def _note_pdb_atom(said: _Said, k: int, line: str) -> None:
    found = re.fullmatch(r"(\d)([+-])|([+-])(\d)", line[78:80].strip())
    if found:
        size, sign = (found[1], found[2]) if found[1] else (found[4], found[3])
        said.charges[k] = int(sign + size)
    if line[76:78].strip() in ISOTOPES:
        said.masses[k] = ISOTOPES[line[76:78].strip()]

"""Charge and multiplicity in files of quantum programs, which ASE reads without them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from thalweg.errors import InputError

_NUMBER = r"([+-]?\d+\.?\d*(?:[eEdD][+-]?\d+)?)"
_CHARGE, _MULTIPLICITY, _UNPAIRED = "charge", "multiplicity", "uhf"


def _lines(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE | re.IGNORECASE)


_PATTERNS: dict[str, dict[str, re.Pattern[str]]] = {
    "gaussian-in": {
        _CHARGE: _lines(r"^[ \t]*([+-]?\d+)[ \t,]+\d+(?:[ \t,]+[+-]?\d+)*[ \t]*$"),
        _MULTIPLICITY: _lines(r"^[ \t]*[+-]?\d+[ \t,]+(\d+)(?:[ \t,]+[+-]?\d+)*[ \t]*$"),
    },
    "gaussian-out": {  # the lines of fragments say so at their end
        _CHARGE: _lines(r"^ *Charge *= *([+-]?\d+) +Multiplicity *= *\d+(?!.*fragment)"),
        _MULTIPLICITY: _lines(r"^ *Charge *= *[+-]?\d+ +Multiplicity *= *(\d+)(?!.*fragment)"),
    },
    "orca-output": {
        _CHARGE: _lines(r"^ *Total Charge +Charge +\.+ +([+-]?\d+)"),
        _MULTIPLICITY: _lines(r"^ *Multiplicity +Mult +\.+ +(\d+)"),
    },
    "turbomole": {  # of coord; xtb reads $chrg and $spin there, define writes $eht
        _CHARGE: _lines(r"^ *\$?(?:eht +)?(?:charge|chrg)\s*=?\s*([+-]?\d+)"),
        _UNPAIRED: _lines(r"^ *\$?(?:eht +.*)?(?:unpaired|uhf|spin)\s*=?\s*(\d+)"),
    },
    "nwchem-in": {
        _CHARGE: _lines(rf"^ *charge +{_NUMBER} *$"),
        _MULTIPLICITY: _lines(r"^ *mult +(\d+) *$"),
    },
    "nwchem-out": {
        _CHARGE: _lines(rf"^ *charge *[:=] *{_NUMBER}"),
        _MULTIPLICITY: _lines(r"^ *spin multiplicity *[:=] *(\d+)"),
    },
    "gamess-us-in": {
        _CHARGE: _lines(r"\bICHARG *= *([+-]?\d+)"),
        _MULTIPLICITY: _lines(r"\bMULT *= *(\d+)"),
    },
    "gamess-us-out": {
        _CHARGE: _lines(r"^ *CHARGE OF MOLECULE *= *([+-]?\d+)"),
        _MULTIPLICITY: _lines(r"^ *SPIN MULTIPLICITY *= *(\d+)"),
    },
    "aims-output": {_CHARGE: _lines(rf"^ *Charge *= *{_NUMBER} *: *Charge requested")},
    "castep-castep": {_CHARGE: _lines(rf"^ *net charge of system *: *{_NUMBER}")},
    "espresso-in": {_CHARGE: _lines(rf"^[^!\n]*\btot_charge *= *{_NUMBER}")},
}
"""What says a charge (e), a multiplicity or unpaired electrons, by ASE's names of formats."""
_INPUTS = {"gaussian-in", "turbomole", "nwchem-in", "gamess-us-in", "espresso-in"}


def add_electrons(path: Path, form: str | None, text: TextIO, frames: Sequence[Any]) -> None:
    """Write what a program's file says of its electrons into `info` of its structures, in place.

    Raises
    ------
    InputError
        It says more than one charge or multiplicity: nobody knows which of its structures has which.
    """
    patterns = _PATTERNS.get(form or "")
    if patterns is None:
        return
    content = text.read()
    for name, pattern in patterns.items():
        found = list(dict.fromkeys(float(re.sub("[dD]", "e", word)) for word in pattern.findall(content)))
        if form in _INPUTS:
            del found[1:]  # what follows the first may be a table
        if len(found) > 1:
            words = ", ".join(f"{value:g}" for value in found)
            raise InputError(
                f"{path}: it is of calculations with more than one {name} ({words}); write the structures of each into "
                "a file of their own, such as extended XYZ with charge=... and multiplicity=..."
            )
        for atoms in frames if found else ():
            atoms.info.setdefault(name, found[0])

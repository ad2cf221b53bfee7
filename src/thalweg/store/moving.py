"""What moves in files of LAMMPS: velocities, whose unit depends on the run, and masses of a dump.

Notation
    v    Å/ps in units metal, which ASE assumes, Å/fs in units real
    T    sum_i m_i v_i^2 / (3 N k_B): a million times as large in the one as in the other, so that only one can be meant
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from ase.units import kB

from thalweg.errors import InputError, InputWarning
from thalweg.store.isotopes import set_isotopes

_HEAD = 20_000
"""Characters in which a file names its units."""
_UNITS = re.compile(r"^ITEM: UNITS\s+(\w+)|\bunits\s*=\s*(\w+)", re.MULTILINE)
_REAL_OVER_METAL = 1000.0
_PLAUSIBLE_K = 0.5, 5e4
"""Of a structure that moves; outside it the other unit is meant."""


def settle_dump(path: Path, text: TextIO, frames: Sequence[Any]) -> None:
    """Give the frames of a dump the unit of their velocities and the masses of their lines, in place.

    ASE gives them an energy of 0, which no dump says: it is taken away.
    """
    settle_velocities(path, text, frames)
    text.seek(0)
    for atoms, masses in zip(frames, _masses(text), strict=False):
        set_isotopes(atoms, masses)
    for atoms in frames:
        if atoms.calc is not None:
            atoms.calc.results.pop("energy", None)


def settle_velocities(path: Path, text: TextIO, frames: Sequence[Any]) -> None:
    """Give moving frames their velocities in the unit that their file names, or that makes their temperature one.

    Raises
    ------
    InputError
        Units that are neither metal nor real, where the file names them; a temperature that fits neither.
    """
    text.seek(0)
    found = _UNITS.search(text.read(_HEAD))
    named = None if found is None else (found[1] or found[2]).lower()
    if named not in (None, "metal", "real"):
        raise InputError(
            f"{path}: a LAMMPS file in units {named}, expected metal or real; convert it to extended XYZ with lengths "
            "in Å"
        )
    moving = [atoms for atoms in frames if atoms.has("momenta") and atoms.get_momenta().any()]
    if not moving:
        return
    units = named or _guessed(path, moving[-1])
    if units == "real":
        for atoms in moving:
            atoms.set_velocities(_REAL_OVER_METAL * atoms.get_velocities())
    if named is None:
        warnings.warn(
            f"{path}: velocities are taken to be in {'Å/fs' if units == 'real' else 'Å/ps'} (units {units}), which "
            f"makes {_temperature(moving[-1]):.3g} K",
            InputWarning,
            stacklevel=2,
        )


def _guessed(path: Path, atoms: Any) -> str:
    """The unit in which a temperature is plausible; both cannot be."""
    metal = _temperature(atoms)
    for units, T in (("metal", metal), ("real", _REAL_OVER_METAL**2 * metal)):
        if _PLAUSIBLE_K[0] <= T <= _PLAUSIBLE_K[1]:
            return units
    raise InputError(
        f"{path}: its velocities make {metal:.3g} K in units metal and {_REAL_OVER_METAL**2 * metal:.3g} K in units "
        "real; take the velocities out, or write them into extended XYZ as a column vel in Å/fs"
    )


def _temperature(atoms: Any) -> float:
    return float(2.0 * atoms.get_kinetic_energy() / (3.0 * len(atoms) * kB))


def _masses(text: TextIO) -> list[dict[int, float]]:
    """The column `mass` of each frame of a dump, amu, by atoms in the order of their ids; empty where there is none."""
    frames: list[dict[int, float]] = []
    rows: list[tuple[float, float]] = []
    names = list[str]()
    for line in [*text, "ITEM: END"]:
        if line.startswith("ITEM:"):
            if names:
                frames.append({k: mass for k, (_, mass) in enumerate(sorted(rows, key=lambda row: row[0]))})
            names, rows = (line.split()[2:] if line.startswith("ITEM: ATOMS") else []), []
        elif "mass" in names:
            row = dict(zip(names, line.split(), strict=False))
            rows.append((float(row.get("id", len(rows))), float(row["mass"])))
    return frames

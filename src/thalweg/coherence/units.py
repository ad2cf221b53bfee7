"""What labels may be instead of what they should be, by the factor between them.

Factor: label over what it should be, in eV, eV/Å and eV/Å³. CODATA as ASE holds them.
"""

from __future__ import annotations

import ase.units
import numpy as np

from thalweg.models import RowKind

_kcal, _kJ = ase.units.kcal / ase.units.mol, ase.units.kJ / ase.units.mol
_GPa = ase.units.GPa

UNITS: dict[RowKind, dict[str, float]] = {
    RowKind.ENERGY: {
        "Hartree": 1.0 / ase.units.Hartree,
        "Rydberg": 1.0 / ase.units.Rydberg,
        "kcal/mol": 1.0 / _kcal,
        "kJ/mol": 1.0 / _kJ,
        "meV": 1000.0,
    },
    RowKind.FORCES: {
        "Hartree/Bohr": ase.units.Bohr / ase.units.Hartree,
        "Rydberg/Bohr": ase.units.Bohr / ase.units.Rydberg,
        "Hartree/Å": 1.0 / ase.units.Hartree,
        "eV/Bohr": ase.units.Bohr,
        "kcal/mol/Å": 1.0 / _kcal,
        "kJ/mol/Å": 1.0 / _kJ,
        "kJ/mol/nm": 0.1 / _kJ,
        "meV/Å": 1000.0,
    },
    RowKind.VIRIAL: {
        "GPa": 1.0 / _GPa,
        "kbar": 10.0 / _GPa,
        "MPa": 1e3 / _GPa,
        "bar": 1e4 / _GPa,
        "Hartree/Bohr³": ase.units.Bohr**3 / ase.units.Hartree,
        "Rydberg/Bohr³": ase.units.Bohr**3 / ase.units.Rydberg,
    },
}
EXPECTED = {RowKind.ENERGY: "eV", RowKind.FORCES: "eV/Å", RowKind.VIRIAL: "eV/Å³"}
_NEAR = 0.12
"""Of the logarithm of a factor: what a grid and a small basis leave open."""


def like(factor: float, interval: tuple[float, float], known: float) -> bool:
    """Whether a known factor is among those that a profile leaves."""
    if known * factor <= 0.0:
        return False
    low, high = sorted(np.log(abs(np.array(interval)))) if np.prod(interval) > 0 else (-np.inf, np.inf)
    return bool(low - _NEAR <= np.log(abs(known)) <= high + _NEAR)


def makes_sense(kind: RowKind, factor: float, interval: tuple[float, float]) -> bool:
    """Whether a factor is 1, -1 or a unit's: what somebody may have done beside something else."""
    return like(factor, interval, float(np.sign(factor))) or unit_of(kind, factor, interval) is not None


def unit_of(kind: RowKind, factor: float, interval: tuple[float, float]) -> str | None:
    """The unit, whatever the sign, that a factor looks like; None where it is none."""
    sign = np.sign(factor)
    found = [name for name, own in UNITS[kind].items() if like(factor, interval, sign * own)]
    return min(found, key=lambda name: abs(np.log(abs(factor) / UNITS[kind][name])), default=None)

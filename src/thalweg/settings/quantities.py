"""Quantities with units: `0.15 eV/Å`, `150 meV/Å`, `50 ps`, `500 fs`, `1 1/ps`, `5 %`, or a bare number.

A unit is a product of named units and whole powers, for example `kcal/mol/Å`, `eV Å^-1` or `1/ps`. Its
dimension is the vector of exponents of (energy, length, time, temperature); a bare number is in the unit that
the setting documents.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from thalweg.errors import InputError

_Exponents = tuple[int, int, int, int]


class Unit(NamedTuple):
    """A unit: its size in (eV, Å, fs, K) and the exponents of (energy, length, time, temperature)."""

    size: float
    exponents: _Exponents


_PURE: _Exponents = (0, 0, 0, 0)
_ENERGY: _Exponents = (1, 0, 0, 0)
_LENGTH: _Exponents = (0, 1, 0, 0)
_TIME: _Exponents = (0, 0, 1, 0)
_TEMPERATURE: _Exponents = (0, 0, 0, 1)
_STRESS: _Exponents = (1, -3, 0, 0)

_JOULE = 1 / 1.602176634e-19  # eV; exact since 2019
_MOLE = 6.02214076e23
_HARTREE = 27.211386245988  # eV, CODATA 2018
_BOHR = 0.529177210903  # Å, CODATA 2018

_UNITS: dict[str, Unit] = {
    "%": Unit(0.01, _PURE),
    "mol": Unit(_MOLE, _PURE),
    "eV": Unit(1.0, _ENERGY),
    "meV": Unit(1e-3, _ENERGY),
    "J": Unit(_JOULE, _ENERGY),
    "kJ": Unit(1e3 * _JOULE, _ENERGY),
    "kcal": Unit(4184 * _JOULE, _ENERGY),
    "Ha": Unit(_HARTREE, _ENERGY),
    "hartree": Unit(_HARTREE, _ENERGY),
    "Hartree": Unit(_HARTREE, _ENERGY),
    "Eh": Unit(_HARTREE, _ENERGY),
    "Ry": Unit(_HARTREE / 2, _ENERGY),
    "Å": Unit(1.0, _LENGTH),
    "A": Unit(1.0, _LENGTH),
    "Angstrom": Unit(1.0, _LENGTH),
    "angstrom": Unit(1.0, _LENGTH),
    "Ang": Unit(1.0, _LENGTH),
    "nm": Unit(10.0, _LENGTH),
    "pm": Unit(0.01, _LENGTH),
    "bohr": Unit(_BOHR, _LENGTH),
    "Bohr": Unit(_BOHR, _LENGTH),
    "as": Unit(1e-3, _TIME),
    "fs": Unit(1.0, _TIME),
    "ps": Unit(1e3, _TIME),
    "ns": Unit(1e6, _TIME),
    "us": Unit(1e9, _TIME),
    "µs": Unit(1e9, _TIME),
    "ms": Unit(1e12, _TIME),
    "s": Unit(1e15, _TIME),
    "min": Unit(60e15, _TIME),
    "h": Unit(3600e15, _TIME),
    "d": Unit(86400e15, _TIME),
    "K": Unit(1.0, _TEMPERATURE),
    "Pa": Unit(1e-30 * _JOULE, _STRESS),
    "MPa": Unit(1e-24 * _JOULE, _STRESS),
    "GPa": Unit(1e-21 * _JOULE, _STRESS),
    "bar": Unit(1e-25 * _JOULE, _STRESS),
    "kbar": Unit(1e-22 * _JOULE, _STRESS),
    "atm": Unit(1.01325e-25 * _JOULE, _STRESS),
}

_ATOMIC_TIME = 0.024188843265857  # fs, CODATA 2018
_ATOMIC_NAMES = frozenset({"a.u.", "au", "a.u", "atomic units"})
_LARGEST_POWER, _LONGEST = 12, 200

_DIMENSIONS: dict[_Exponents, tuple[str, str]] = {
    _PURE: ("a plain number", "no unit"),
    _ENERGY: ("an energy", "eV, meV, kcal/mol"),
    _LENGTH: ("a length", "Å, nm, bohr"),
    _TIME: ("a time", "fs, ps, s, min, h"),
    _TEMPERATURE: ("a temperature", "K"),
    (1, -1, 0, 0): ("a force", "eV/Å, meV/Å, kcal/mol/Å"),
    _STRESS: ("a pressure or stress", "GPa, kbar, bar, eV/Å^3"),
    (0, 0, -1, 0): ("a rate", "1/fs, 1/ps"),
}

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$", re.DOTALL)
_FACTOR = re.compile(r"\s*([/*·]?)\s*(?:([A-Za-zÅµ%]+)(?:\s*(?:\^|\*\*)?\s*([+-]?\d+))?|(1)(?![\d.]))\s*")


def parse_unit(text: str) -> Unit:
    """The unit that `text` names; raises InputError naming the part that is no unit."""
    # the Ångström and Kelvin signs and the micro sign have look-alikes that copy and paste brings in
    rest = text.replace("\u212b", "Å").replace("A\u030a", "Å").replace("\u03bc", "µ").replace("⁻¹", "^-1")
    size, exponents, position = 1.0, list(_PURE), 0
    while position < len(rest):
        match = _FACTOR.match(rest, position)
        if match is None:
            raise InputError(f"{text!r} is not a unit")
        divide, name, power = match.group(1) == "/", match.group(2), int(match.group(3) or 1)
        if name is not None and name not in _UNITS:
            raise InputError(f"{name!r} is not a known unit")
        unit = _UNITS[name] if name is not None else Unit(1.0, _PURE)
        if abs(power) > _LARGEST_POWER:
            raise InputError(f"a power of {power} is not supported")
        power = -power if divide else power
        size *= unit.size**power
        exponents = [a + power * b for a, b in zip(exponents, unit.exponents, strict=True)]
        position = match.end()
    return Unit(size, (exponents[0], exponents[1], exponents[2], exponents[3]))


def _atomic_unit(unit: str) -> Unit:
    """The atomic unit of what `unit` measures: Hartree/Bohr for a force; temperatures have none."""
    exponents = parse_unit(unit).exponents
    energy, length, time, temperature = exponents
    if temperature or exponents == _PURE:
        raise InputError("it has no atomic unit")
    return Unit(_HARTREE**energy * _BOHR**length * _ATOMIC_TIME**time, exponents)


def describe_dimension(unit: str) -> str:
    """What a unit measures and how it may be written, for messages: `a force (eV/Å, meV/Å, ...)`."""
    kind, examples = _DIMENSIONS.get(parse_unit(unit).exponents, ("a quantity", unit))
    return f"{kind} ({examples})"


def parse_quantity(value: object, unit: str) -> float:
    """`value` as a number in `unit`.

    Parameters
    ----------
    value : int, float or str
        A bare number is taken to be in `unit`; a string may carry its own unit of the same dimension.
    unit : str
        The unit of the result; empty for a plain number.

    Raises
    ------
    InputError
        Not a finite number, not a unit, or a unit of another dimension (the message names the expected one).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"expected {_expected(unit)}, got {_shown(value)}")
    if isinstance(value, int | float):
        return _finite(float(value), value, unit)
    match = _NUMBER.match(value) if len(value) <= _LONGEST else None
    if match is None:
        raise InputError(f"expected {_expected(unit)}, got {_shown(value)}")
    number, suffix = float(match.group(1)), match.group(2)
    if not suffix:
        return _finite(number, value, unit)
    try:
        given = _atomic_unit(unit) if suffix.lower() in _ATOMIC_NAMES else parse_unit(suffix)
    except InputError as error:
        raise InputError(f"expected {_expected(unit)}, got {_shown(value)}: {error}") from None
    wanted = parse_unit(unit)
    if given.exponents != wanted.exponents:
        kind = _DIMENSIONS.get(given.exponents, (f"something in {suffix}", ""))[0]
        raise InputError(f"expected {_expected(unit)}, got {_shown(value)}, which is {kind}")
    return _finite(number * _ratio(given.size, wanted.size), value, unit)


def _ratio(given: float, wanted: float) -> float:
    """given / wanted without the rounding noise of powers of ten, so that 150 meV is 0.15 eV exactly."""
    return float(f"{given / wanted:.15g}")


def _finite(number: float, value: object, unit: str) -> float:
    if not math.isfinite(number):
        raise InputError(f"expected {_expected(unit)}, got {_shown(value)}, which is not finite")
    return float(f"{number:.15g}")


def _expected(unit: str) -> str:
    if unit in {"", "%"}:
        return "a number without a unit"
    return f"{describe_dimension(unit)}; a bare number is in {unit}"


def _shown(value: object) -> str:
    words = f'"{value}"' if isinstance(value, str) else str(value)
    return words if len(words) <= _LONGEST else words[:_LONGEST] + " ..."

import pytest

from thalweg.errors import InputError
from thalweg.settings.quantities import parse_quantity, parse_unit


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("0.15 eV/Å", "eV/Å", 0.15),
        ("0.15 eV/A", "eV/Å", 0.15),
        ("150 meV/Å", "eV/Å", 0.15),
        ("150meV/Ang", "eV/Å", 0.15),
        ("0.15 eV Å^-1", "eV/Å", 0.15),
        ("1.5 eV/nm", "eV/Å", 0.15),
        ("0.15 eV/\u212b", "eV/Å", 0.15),
        ("0.15 eV/A\u030a", "eV/Å", 0.15),
        ("50 ps", "ps", 50.0),
        ("500 fs", "ps", 0.5),
        ("0.5 ps", "fs", 500.0),
        ("2 h", "s", 7200.0),
        ("1.5 min", "s", 90.0),
        ("300 K", "K", 300.0),
        ("1 1/ps", "1/fs", 0.001),
        ("1 ps^-1", "1/fs", 0.001),
        ("1/ps", "1/fs", 0.001),
        ("95 %", "", 0.95),
        ("1e-3", "eV", 0.001),
        ("-.5 eV", "eV", -0.5),
        (0.15, "eV/Å", 0.15),
        (50, "ps", 50.0),
    ],
)
def test_value_in_the_wanted_unit(text, unit, number):
    assert parse_quantity(text, unit) == number


def test_conversions_agree_with_ase():
    import ase.units

    assert parse_quantity("1 kcal/mol/Å", "eV/Å") == pytest.approx(ase.units.kcal / ase.units.mol, rel=1e-7)
    assert parse_quantity("1 Ha/bohr", "eV/Å") == pytest.approx(ase.units.Hartree / ase.units.Bohr, rel=1e-7)
    assert parse_quantity("1 Ry", "eV") == pytest.approx(ase.units.Ry, rel=1e-7)
    assert parse_unit("J").size == pytest.approx(ase.units.J, rel=1e-7)


@pytest.mark.parametrize(
    ("text", "unit", "parts"),
    [
        ("0.15 eV", "eV/Å", ["a force (eV/Å", '"0.15 eV"', "which is an energy"]),
        ("50 K", "ps", ["a time (fs, ps", "which is a temperature"]),
        ("5 ps", "K", ["a temperature (K)", "which is a time"]),
        ("3 parsec", "Å", ["'parsec' is not a unit"]),
        ("warm", "K", ["a temperature", '"warm"']),
        (True, "K", ["a temperature", "True"]),
        (None, "ps", ["a time", "None"]),
        (float("inf"), "ps", ["not finite"]),
        ("1e999 ps", "ps", ["not finite"]),
        ("5 eV", "", ["a number without a unit"]),
        ("5 ps ??", "ps", ["is not a unit"]),
    ],
)
def test_refusal_names_the_dimension_and_what_came(text, unit, parts):
    with pytest.raises(InputError) as caught:
        parse_quantity(text, unit)
    for part in parts:
        assert part in str(caught.value)


def test_pressures():
    import ase.units

    assert parse_quantity("1 bar", "GPa") == 1e-4
    assert parse_quantity("15 kbar", "GPa") == 1.5
    assert parse_quantity("1 eV/Å^3", "GPa") == pytest.approx(1 / ase.units.GPa, rel=1e-8)
    with pytest.raises(InputError, match="expected a pressure or stress"):
        parse_quantity("1 eV", "GPa")

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
        ("3 parsec", "Å", ["'parsec' is not a known unit"]),
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


@pytest.mark.parametrize("text", ["1 Hartree/Bohr", "1 Eh/bohr", "1 a.u.", "1 au", "1 Ha/bohr"])
def test_atomic_units_of_a_force(text):
    assert parse_quantity(text, "eV/Å") == pytest.approx(
        51.42206747, rel=1e-8
    )  # CODATA 2018, 8.2387234983e-8 N


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("eV", 27.211386246),
        ("Å", 0.529177211),
        ("fs", 0.02418884327),
        ("GPa", 29421.01570),
        ("1/fs", 41.34137334),
    ],
)
def test_an_atomic_unit_is_that_of_the_dimension_asked_for(unit, value):
    assert parse_quantity("1 a.u.", unit) == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("300 a.u.", "K"),
        ("1 a.u.", ""),
        ("1 s^99999999999", "fs"),
        ("1 fs^" + "9" * 5000, "fs"),
        ("9" * 5000, "fs"),
    ],
)
def test_no_quantity_is_told_in_few_words(text, unit):
    with pytest.raises(InputError) as caught:
        parse_quantity(text, unit)
    assert len(str(caught.value)) < 600

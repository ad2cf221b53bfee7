"""The names under which programs write charges, moments, masses and held atoms."""

import numpy as np
import pytest

from thalweg.errors import InputError
from thalweg.store import read_structures
from thalweg.store.reading import read_moving
from thalweg.units import fs

TWO = "O 0 0 0 {0}\nH 0 0 0.97 {1}\n"


def read(tmp_path, comment, first="", second=""):
    path = tmp_path / "x.xyz"
    path.write_text(f"2\n{comment}\n{TWO.format(first, second)}")
    return read_structures(path)[0]


def with_column(tmp_path, column, first, second, comment=""):
    return read(tmp_path, f"Properties=species:S:1:pos:R:3:{column} {comment}", first, second)


@pytest.mark.parametrize(
    "name", ["charge", "Charge", "TotalCharge", "net_charge", "molecular_charge", "Total-Charge"]
)
def test_a_charge(tmp_path, name):
    assert read(tmp_path, f"{name}=-1").charge == -1


@pytest.mark.parametrize("name", ["multiplicity", "Mult", "spinMultiplicity"])
def test_a_multiplicity(tmp_path, name):
    assert read(tmp_path, f"{name}=2").multiplicity == 2
    assert read(tmp_path, "nUnpaired=1").multiplicity == 2


@pytest.mark.parametrize(
    ("comment", "expected"),
    [("-1 1", (-1, 1)), (" 0  2 ", (0, 2)), ("step 1 2", (None, None)), ("100 1", (None, None))],
)
def test_a_comment_of_charge_and_multiplicity(tmp_path, comment, expected):
    structure = read(tmp_path, comment)
    assert (structure.charge, structure.multiplicity) == expected


@pytest.mark.parametrize("name", ["charges", "charge", "partial_charges", "q"])
@pytest.mark.parametrize(("first", "charge"), [(-1.2001, -1), (-0.2, None), (-0.7, None)])
def test_partial_charges_that_sum_to_an_ion(tmp_path, name, first, charge):
    assert with_column(tmp_path, f"{name}:R:1", first, 0.2).charge == charge


def test_partial_charges_of_another_ion_are_refused(tmp_path):
    with pytest.raises(InputError, match="two things of its electrons: charge 1, partial charges -1"):
        with_column(tmp_path, "charges:R:1", -1.2, 0.2, comment="charge=1")


@pytest.mark.parametrize("name", ["magmom", "magmoms", "Magnetic_moments", "initial_magmom"])
def test_moments(tmp_path, name):
    assert with_column(tmp_path, f"{name}:R:1", 1.5, 0.5).magmoms.tolist() == [1.5, 0.5]


@pytest.mark.parametrize("name", ["mass", "Masses", "atomic_mass"])
def test_masses(tmp_path, name):
    assert with_column(tmp_path, f"{name}:R:1", 15.999, 2.014).amu.tolist() == [15.999, 2.014]


def test_masses_of_rounding_are_the_standard_ones(tmp_path):
    assert with_column(tmp_path, "mass:R:1", 15.9990000041, 1.00800000026).masses is None


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("fixed:L:1", "T", "F"),
        ("frozen:I:1", "1", "0"),
        ("move_mask:I:1", "0", "1"),
        ("movable:L:1", "F", "T"),
        ("selective_dynamics:L:3", "F F F", "T T T"),
    ],
)
def test_held_atoms(tmp_path, column, first, second):
    assert with_column(tmp_path, column, first, second).fixed.tolist() == [[True] * 3, [False] * 3]


def test_a_column_that_is_no_mask(tmp_path):
    with pytest.raises(InputError, match=r"'fixed' holds other values than 0 and 1.*move_mask"):
        with_column(tmp_path, "fixed:R:1", 0.3, 1)


def test_velocities_of_another_case(tmp_path):
    with_column(tmp_path, "Vel:R:3", "0 0 0.01", "0 0 0")
    np.testing.assert_allclose(read_moving(tmp_path / "x.xyz")[1], [[0, 0, 0.01 / fs], [0, 0, 0]])
    with_column(tmp_path, "V:R:3", "0 0 0.01", "0 0 0")
    with pytest.raises(InputError, match="column 'V' is in Å/fs to some programs"):
        read_moving(tmp_path / "x.xyz")


def test_unpaired_electrons_and_another_multiplicity_are_two_things(tmp_path):
    with pytest.raises(InputError, match=r"two things of its electrons: multiplicity 1, uhf \+ 1 3"):
        read(tmp_path, "uhf=2 multiplicity=1")


def test_a_column_v_of_one_number_is_no_velocity(tmp_path):
    with_column(tmp_path, "V:R:1", 0.3, 0.1)
    assert read_moving(tmp_path / "x.xyz")[1] is None

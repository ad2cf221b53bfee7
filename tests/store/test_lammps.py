"""Files of LAMMPS: elements are read where the file says them, and nowhere else."""

import gzip
import warnings

import pytest

from odd_files import TWO, lammps_data, lammps_dump
from thalweg.errors import InputError, InputWarning
from thalweg.store import read_moving, read_structures


def write(folder, text, name="x.data"):
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("masses", "labels", "numbers"),
    [
        ("1 63.546\n2 15.9994", "", [29, 8]),
        ("1 64.0 # Cu\n2 1.0 # O, of water", "", [29, 8]),
        ("1 63.546 # big ones\n2 2.014", "", [29, 1]),
        ("1 12.011\n2 1", "", [6, 1]),
        ("", "1 Cu\n2 O", [29, 8]),
        ("1 63.546\n2 15.999", "1 copper\n2 O", [29, 8]),
    ],
)
def test_types_are_told_by_mass_comment_or_label(tmp_path, masses, labels, numbers):
    path = write(tmp_path, lammps_data(*TWO, masses=masses, labels=labels))
    with pytest.warns(
        InputWarning, match=r"x.data: types of a LAMMPS data file: 1 is \w+, 2 is \w+; lengths"
    ):
        (structure,) = read_structures(path)
    assert structure.numbers.tolist() == numbers
    assert structure.positions.tolist() == [[0, 0, 0], [0, 0, 2]]
    assert structure.cell.diagonal().tolist() == [5, 5, 6]
    assert structure.pbc.all()


@pytest.mark.parametrize("name", ["x.data", "x.lmp", "x", "data.cu", "x.dat", "x.data.gz"])
def test_a_data_file_is_known_by_its_header(tmp_path, name):
    text = lammps_data(*TWO)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    else:
        write(tmp_path, text, name)
    with pytest.raises(InputError, match=r"does not say which element type 1 is; add a section Masses"):
        read_structures(tmp_path / name)


@pytest.mark.parametrize(
    ("masses", "words"),
    [
        ("1 1.0\n2 1.0 # bead", None),  # 1 amu is hydrogen, whatever is meant by it
        ("1 63.546\n2 100.0", "type 2 .* has a mass of 100 amu, which is no element's"),
        ("1 0.0\n2 16.0", "type 1 .* has a mass of 0 amu"),
        ("2 16.0", None),
    ],
)
def test_masses_of_no_element(tmp_path, masses, words):
    path = write(tmp_path, lammps_data(*TWO, masses=masses))
    if words is None and masses.startswith("1"):
        with pytest.warns(InputWarning):
            assert read_structures(path)[0].numbers.tolist() == [1, 1]
        return
    with pytest.raises(InputError, match=words or "x.data"):
        read_structures(path)


def test_velocities_of_a_data_file_are_kept(tmp_path):
    text = lammps_data(*TWO, masses="1 63.546\n2 15.999") + "\nVelocities\n\n1 0 0 1\n2 0 0 -4\n"
    with pytest.warns(InputWarning):
        _, velocities = read_moving(write(tmp_path, text))
    assert velocities[1, 2] == pytest.approx(-4 * velocities[0, 2])
    assert velocities[0, 2] > 0


ATOMS = ("1 1 {a} 0 0 0", "2 2 {b} 0 0 2")


@pytest.mark.parametrize("name", ["x.dump", "x.lammpstrj", "dump.cu", "x.dump.gz"])
def test_a_dump_without_elements_is_refused(tmp_path, name):
    text = lammps_dump("id type x y z", "1 1 0 0 0", "2 2 0 0 2")
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(
        InputError, match=r"structure 1: a LAMMPS dump without elements \(its columns: id type x y z\)"
    ):
        read_structures(tmp_path / name)


@pytest.mark.parametrize(("column", "a", "b"), [("element", "Cu", "O"), ("mass", "63.546", "15.999")])
def test_a_dump_with_elements_or_masses_is_read(tmp_path, column, a, b):
    atoms = [row.format(a=a, b=b) for row in ATOMS]
    path = write(tmp_path, lammps_dump(f"id type {column} x y z", *atoms), "x.dump")
    (structure,) = read_structures(path)
    assert structure.numbers.tolist() == [29, 8]


def test_the_frame_without_elements_is_named(tmp_path):
    whole = lammps_dump("id type element x y z", *(row.format(a="Cu", b="O") for row in ATOMS))
    path = write(tmp_path, whole + lammps_dump("id type x y z", "1 1 0 0 0", "2 2 0 0 2"), "x.dump")
    with pytest.raises(InputError, match="structure 2: a LAMMPS dump without elements"):
        read_structures(path)


def test_masses_of_a_dump_must_be_an_element_s(tmp_path):
    atoms = [row.format(a="63.546", b="100.0") for row in ATOMS]
    path = write(tmp_path, lammps_dump("id type mass x y z", *atoms), "x.dump")
    with pytest.raises(InputError, match=r"structure 1: .* its mass 100.0 is no element's"):
        read_structures(path)


def test_carbon_everywhere_is_lammps_default(tmp_path):
    atoms = [row.format(a="C", b="C") for row in ATOMS]
    with pytest.warns(InputWarning, match="all 2 types are C, which LAMMPS writes"):
        read_structures(write(tmp_path, lammps_dump("id type element x y z", *atoms), "x.dump"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one type may well be carbon
        read_structures(write(tmp_path, lammps_dump("id type element x y z", atoms[0]), "y.dump"))

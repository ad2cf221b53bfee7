"""D and T in extended XYZ: hydrogen with masses of its own."""

import gzip

import pytest

from thalweg.errors import InputError
from thalweg.store import read_labelled_file, read_structures

HEAVY_WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="F F F"
O 0 0 0 0 0 0
D 0.96 0 0 0 0 0.1
H -0.24 0.93 0 0 0 -0.1
"""
LATE_COLUMN = """2
Properties=pos:R:3:species:S:1 pbc="F F F"
0 0 0 T
0.74 0 0 H
"""


def test_isotopes_have_their_masses(tmp_path):
    path = tmp_path / "water.xyz"
    path.write_text(HEAVY_WATER + LATE_COLUMN)
    water, hydrogen = read_structures(path)
    assert water.numbers.tolist() == [8, 1, 1]
    assert water.amu.tolist() == pytest.approx([15.999, 2.01410178, 1.008])
    assert hydrogen.amu.tolist() == pytest.approx([3.01604928, 1.008])
    assert hydrogen.positions[1, 0] == 0.74


def test_labels_come_with_them(tmp_path):
    path = tmp_path / "water.xyz"
    path.write_text(HEAVY_WATER)
    ((structure, label),) = read_labelled_file(path)
    assert label.energy == -1.5
    assert label.forces[1, 2] == 0.1
    assert structure.masses is not None


def test_a_plain_and_a_compressed_file(tmp_path):
    with gzip.open(tmp_path / "d2.xyz.gz", "wt") as file:
        file.write("2\n\nD 0 0 0\nD 0 0 0.74\n")
    (structure,) = read_structures(tmp_path / "d2.xyz.gz")
    assert structure.amu.tolist() == pytest.approx([2.01410178] * 2)


def test_masses_of_the_file_go_before(tmp_path):
    path = tmp_path / "d.xyz"
    path.write_text("1\nProperties=species:S:1:pos:R:3:masses:R:1\nD 0 0 0 2.5\n")
    assert read_structures(path)[0].amu.tolist() == [2.5]


def test_another_word_or_format_is_still_refused(tmp_path):
    path = tmp_path / "x.xyz"
    path.write_text("1\n\nQ 0 0 0\n")
    with pytest.raises(InputError, match="'Q' is not a chemical element"):
        read_structures(path)
    path = tmp_path / "POSCAR"
    path.write_text("D\n1.0\n5 0 0\n0 5 0\n0 0 5\nD\n1\nDirect\n0 0 0\n")
    with pytest.raises(InputError, match="'D' is an isotope, which is not known in this format"):
        read_structures(path)

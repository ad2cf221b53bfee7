"""Velocities and masses of LAMMPS files."""

import numpy as np
import pytest

from thalweg.errors import InputError, InputWarning
from thalweg.store import read_labelled_file, read_structures
from thalweg.store.reading import read_moving
from thalweg.units import fs

DATA = """{title}

2 atoms
1 atom types
0 5 xlo xhi
0 5 ylo yhi
0 6 zlo zhi

Masses

1 63.546

Atoms # atomic

1 1 0 0 0
2 1 2.5 0 0

Velocities

1 {v} 0 0
2 -{v} 0 0
"""
DUMP = """{units}ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 5
0 5
0 6
ITEM: ATOMS id mass x y z vx vy vz fx fy fz
2 {mass} 2.5 0 0 -{v} 0 0 0 0 0
1 1.008 0 0 0 {v} 0 0 0 0 0
"""


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.mark.filterwarnings("ignore:.*types of a LAMMPS data file")
@pytest.mark.parametrize(("v", "per_fs"), [(0.002, 0.002), (2.0, 0.002)], ids=["real", "metal"])
def test_the_unit_that_makes_a_temperature(tmp_path, v, per_fs):
    path = written(tmp_path, "x.data", DATA.format(title="by hand", v=v))
    with pytest.warns(
        InputWarning, match=r"velocities are taken to be in Å/\w+ \(units \w+\), which makes 1"
    ):
        structure, velocities = read_moving(path)
    assert velocities[0, 0] == pytest.approx(per_fs / fs, rel=1e-6)
    assert structure.masses is None


def test_the_unit_that_a_file_names(tmp_path):
    path = written(tmp_path, "x.data", DATA.format(title="via write_data, units = real", v=2e-6))
    with pytest.warns(InputWarning, match="types of a LAMMPS data file"):
        velocities = read_moving(path)[1]
    assert velocities[0, 0] == pytest.approx(2e-6 / fs, rel=1e-6)


@pytest.mark.parametrize(
    ("title", "v", "words"),
    [
        ("x", 2e-9, "take the velocities out"),
        ("via write_data, units = electron", 0.002, "units electron, expected"),
    ],
)
def test_what_is_neither(tmp_path, title, v, words):
    with pytest.raises(InputError, match=words):
        read_structures(written(tmp_path, "x.data", DATA.format(title=title, v=v)))


def test_masses_and_units_of_a_dump(tmp_path):
    path = written(tmp_path, "x.dump", DUMP.format(units="ITEM: UNITS\nreal\n", mass=2.014, v=0.01))
    structure, velocities = read_moving(path)
    assert structure.numbers.tolist() == [1, 1]
    np.testing.assert_allclose(structure.amu, [1.008, 2.014])
    assert velocities[0, 0] == pytest.approx(0.01 / fs, rel=1e-6)


def test_a_dump_has_no_energies(tmp_path):
    path = written(tmp_path, "x.dump", DUMP.format(units="ITEM: UNITS\nmetal\n", mass=1.008, v=1.0))
    with pytest.raises(InputError, match="structure 1: it has no energy"):
        read_labelled_file(path)

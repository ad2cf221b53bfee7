"""Charge and multiplicity in files of quantum programs."""

import pytest

from thalweg.errors import InputError
from thalweg.store import read_labelled_file, read_structures

GAUSSIAN_IN = "%chk=a\n#p hf/sto-3g\n\ntitle\n\n{electrons}\nO 0.0 0.0 0.0\nH 0.0 0.0 0.97\n\n"
GAUSSIAN_OUT = """ Entering Gaussian System, Link 0=g16
 Charge = {charge} Multiplicity = {multiplicity}
                          Input orientation:
 ---------------------------------------------------------------------
 Center     Atomic      Atomic             Coordinates (Angstroms)
 Number     Number       Type             X           Y           Z
 ---------------------------------------------------------------------
      1          8           0        0.000000    0.000000    0.000000
      2          1           0        0.000000    0.000000    0.970000
 ---------------------------------------------------------------------
 SCF Done:  E(RHF) =  -74.1000000000     A.U. after    8 cycles
 Center     Atomic                   Forces (Hartrees/Bohr)
 Number     Number              X              Y              Z
 -------------------------------------------------------------------
      1        8           0.000000000    0.000000000    0.010000000
      2        1           0.000000000    0.000000000   -0.010000000
 -------------------------------------------------------------------
"""
COORD = "$coord\n 0.0 0.0 0.0 o\n 0.0 0.0 1.8 h\n{electrons}$end\n"


def test_gaussian_input(tmp_path):
    path = tmp_path / "x.gjf"
    path.write_text(GAUSSIAN_IN.format(electrons="-1 1"))
    (structure,) = read_structures(path)
    assert (structure.charge, structure.multiplicity) == (-1, 1)


def test_gaussian_output_is_counted(tmp_path):
    path = tmp_path / "x.log"
    path.write_text(GAUSSIAN_OUT.format(charge=-1, multiplicity=1))
    file = read_labelled_file(path)
    assert file[0][0].charge == -1
    assert file.taken.charges == {"-1": 1}


def test_two_charges_in_one_output_are_refused(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("".join(GAUSSIAN_OUT.format(charge=q, multiplicity=1) for q in (-1, 1)))
    with pytest.raises(
        InputError, match=r"x\.log: it is of calculations with more than one charge \(-1, 1\)"
    ):
        read_structures(path)


@pytest.mark.parametrize(
    ("electrons", "expected"),
    [
        ("$charge -1\n", (-1, None)),
        ("$chrg 1\n$spin 2\n", (1, 3)),
        ("$eht charge=0 unpaired=1\n", (0, 2)),
        ("", (None, None)),
    ],
)
def test_coord(tmp_path, electrons, expected):
    path = tmp_path / "coord"
    path.write_text(COORD.format(electrons=electrons))
    (structure,) = read_structures(path)
    assert (structure.charge, structure.multiplicity) == expected

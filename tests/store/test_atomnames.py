"""Elements are not guessed from names of atoms that leave a choice."""

import re

import pytest

from thalweg.errors import InputError
from thalweg.store import read_structures

ATOM = (
    "ATOM  {n:>5} {name:<4} {residue:>3} A   1    {x:8.3f}   0.000   0.000{occupancy:6.2f}  0.00"
    "          {element:>2}"
)


def pdb(*atoms, occupancy=1.0):
    """Atoms as (name, residue, element)."""
    rows = [
        ATOM.format(n=k, name=name, residue=residue, x=3.0 * k, occupancy=occupancy, element=element)
        for k, (name, residue, element) in enumerate(atoms, start=1)
    ]
    return "\n".join(["CRYST1   30.000   30.000   30.000  90.00  90.00  90.00 P 1", *rows, "END", ""])


@pytest.mark.parametrize(
    ("atoms", "numbers"),
    [
        ([("CA", "ALA", "C"), ("CA", "CA", "CA")], [6, 20]),
        ([("C1", "LIG", ""), ("O", "HOH", ""), ("1H2", "HOH", "H")], [6, 8, 1]),
        ([("NA", "NA", ""), ("CL", "CL", "")], [11, 17]),
    ],
)
def test_a_pdb_whose_elements_are_told(tmp_path, atoms, numbers):
    (tmp_path / "x.pdb").write_text(pdb(*atoms))
    assert read_structures(tmp_path / "x.pdb")[0].numbers.tolist() == numbers


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (
            [("N", "ALA", ""), ("CA", "ALA", "")],
            "structure 1: atom 1 (counted from 0), CA of ALA, has no element",
        ),
        ([("HG", "SER", "")], "atom 0 (counted from 0), HG of SER"),
        ([("MW", "WAT", "")], "atom 0 (counted from 0), MW of WAT"),
    ],
)
def test_a_pdb_whose_elements_would_be_guessed(tmp_path, atoms, words):
    (tmp_path / "x.pdb").write_text(pdb(*atoms))
    with pytest.raises(InputError, match=re.escape(words)):
        read_structures(tmp_path / "x.pdb")


def test_occupancies_of_a_pdb(tmp_path):
    (tmp_path / "x.pdb").write_text(pdb(("C1", "LIG", "C"), occupancy=0.5))
    with pytest.raises(InputError, match="not one whole atom: atom 0"):
        read_structures(tmp_path / "x.pdb")
    (tmp_path / "x.pdb").write_text(pdb(("C1", "LIG", "C"), occupancy=0.0))  # programs without any write this
    assert len(read_structures(tmp_path / "x.pdb")[0]) == 1


def gro(*atoms):
    rows = [
        f"    1{residue:<5}{name:>5}{k:>5}{0.3 * k:8.3f}   0.000   0.000"
        for k, (name, residue) in enumerate(atoms)
    ]
    return "\n".join(["a title", f"{len(atoms)}", *rows, "   3.00000   3.00000   3.00000", ""])


def test_a_gro_whose_names_tell_elements(tmp_path):
    (tmp_path / "x.gro").write_text(
        gro(("OW", "SOL"), ("HW1", "SOL"), ("CA", "ALA"), ("Na", "Na"), ("H", "X"))
    )
    assert read_structures(tmp_path / "x.gro")[0].numbers.tolist() == [8, 1, 6, 11, 1]


@pytest.mark.parametrize(("name", "residue"), [("MW", "SOL"), ("NA", "NA"), ("CL", "CL-"), ("LP1", "SOL")])
def test_a_gro_whose_names_would_be_taken_for_another_element(tmp_path, name, residue):
    (tmp_path / "x.gro").write_text(gro(("OW", "SOL"), (name, residue)))
    with pytest.raises(
        InputError, match=rf"structure 1: atom 1 \(counted from 0\), {name} of {residue}, is a virtual"
    ):
        read_structures(tmp_path / "x.gro")

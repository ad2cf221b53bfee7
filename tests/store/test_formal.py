"""Formal charges, isotopes and radicals of molfiles, SDF and PDB reach the structure."""

import gzip

import pytest

from thalweg.errors import InputError
from thalweg.store import read_structures

HYDROXIDE = (("O", 0.0, 0, 5), ("H", 0.97, 0, 0))


def record(*atoms, properties=(), version="V2000"):
    """A molecule; atoms as (symbol, x, difference of mass, code of charge)."""
    rows = [f"{x:10.4f}{0:10.4f}{0:10.4f} {symbol:<3}{mass:2d}{code:3d}" for symbol, x, mass, code in atoms]
    counts = f"{len(atoms):3d}  0  0  0  0  0            999 {version}"
    return "\n".join(["name", "  program", "", counts, *rows, *properties, "M  END", ""])


def read(tmp_path, *records, name="x.sdf"):
    path = tmp_path / name
    path.write_text("$$$$\n".join([*records, ""]) if name.endswith("sdf") else records[0])
    return read_structures(path)


def test_the_code_of_a_charge(tmp_path):
    (structure,) = read(tmp_path, record(*HYDROXIDE))
    assert structure.charge == -1
    assert structure.multiplicity is None


@pytest.mark.parametrize("name", ["x.sdf", "x.mol"])
def test_property_lines_go_before_codes(tmp_path, name):
    properties = ["M  CHG  2   1   2   2  -1", "M  ISO  1   2   2"]
    (structure,) = read(tmp_path, record(*HYDROXIDE, properties=properties), name=name)
    assert structure.charge == 1
    assert structure.amu.tolist() == pytest.approx([15.999, 2.01410178])


def test_what_nothing_is_said_of(tmp_path):
    (structure,) = read(tmp_path, record(("O", 0.0, 0, 0), ("H", 0.97, 0, 0), ("H", -0.97, 0, 0)))
    assert structure.particulars == {}


def test_differences_of_mass_and_symbols_of_isotopes(tmp_path):
    (structure,) = read(tmp_path, record(("C", 0.0, 1, 0), ("D", 1.1, 0, 0), ("I", -2.1, -2, 0)))
    assert structure.numbers.tolist() == [6, 1, 53]
    assert structure.amu.tolist() == pytest.approx([13.0033548, 2.01410178, 125.0])


@pytest.mark.parametrize(("code", "multiplicity"), [(1, 1), (2, 2), (3, 3)])
def test_a_radical(tmp_path, code, multiplicity):
    (structure,) = read(
        tmp_path, record(("O", 0.0, 0, 0), ("H", 0.97, 0, 0), properties=[f"M  RAD  1   1   {code}"])
    )
    assert structure.multiplicity == multiplicity
    (other,) = read(tmp_path, record(("O", 0.0, 0, 4), ("H", 0.97, 0, 0)))
    assert other.multiplicity == 2


def test_two_radical_centres_are_refused(tmp_path):
    both = record(("C", 0.0, 0, 4), ("C", 1.5, 0, 4))
    with pytest.raises(
        InputError, match=r"x\.sdf, structure 2: it has 2 radical centres .* multiplicity=2S\+1"
    ):
        read(tmp_path, record(*HYDROXIDE), both)


def test_every_molecule_of_an_sdf(tmp_path):
    with gzip.open(tmp_path / "x.sdf.gz", "wt") as file:
        file.write("$$$$\n".join([record(*HYDROXIDE), record(("He", 0.0, 0, 0)), ""]))
    first, second = read_structures(tmp_path / "x.sdf.gz")
    assert first.charge == -1
    assert second.numbers.tolist() == [2]
    assert second.charge is None


def test_another_version_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"structure 1: its fourth line is .*V3000.*convert it"):
        read(tmp_path, record(*HYDROXIDE, version="V3000"))


PDB_ATOM = (
    "HETATM{n:>5}  X   LIG A   1    {x:8.3f}   0.000   0.000  1.00  0.00          {element:>2}{charge:2}"
)


def pdb_atoms(*atoms):
    return "\n".join(
        PDB_ATOM.format(n=k, x=1.1 * k, element=element, charge=charge)
        for k, (element, charge) in enumerate(atoms, start=1)
    )


def test_a_pdb_with_charges_and_deuterium(tmp_path):
    ion, water = pdb_atoms(("N", "2+"), ("O", "1-"), ("H", "")), pdb_atoms(("O", ""), ("D", ""), ("H", ""))
    (tmp_path / "x.pdb").write_text(f"MODEL        1\n{ion}\nENDMDL\nMODEL        2\n{water}\nENDMDL\nEND\n")
    first, second = read_structures(tmp_path / "x.pdb")
    assert first.charge == 1
    assert first.masses is None
    assert second.charge is None
    assert second.amu.tolist() == pytest.approx([15.999, 2.01410178, 1.008])

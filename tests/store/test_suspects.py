"""Lengths in another unit are suspected where every atom says so, and nowhere else."""

import warnings

import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.collections import g2

from thalweg.errors import InputWarning
from thalweg.store import read_structures


def said(folder, atoms):
    atoms.write(folder / "x.xyz", format="extxyz")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_structures(folder / "x.xyz")
    return [str(one.message) for one in caught if one.category is InputWarning]


@pytest.mark.parametrize("name", ["H2O", "CH3CH2OH", "C6H6", "CH3Cl", "NH3"])
def test_molecules_in_bohr_and_twice_converted(tmp_path, name):
    atoms = molecule(name)
    assert said(tmp_path, atoms) == []
    for factor, words in ((1 / ase.units.Bohr, "in Bohr"), (ase.units.Bohr, "converted twice")):
        scaled = atoms.copy()
        scaled.positions *= factor
        (message,) = said(tmp_path, scaled)
        assert words in message
        assert "Expected: Å" in message


def test_no_molecule_of_the_g2_set_is_suspected(tmp_path):
    assert [name for name in g2.names if said(tmp_path, molecule(name))] == []


def test_structures_that_are_apart_for_good_reasons(tmp_path):
    atoms = [
        Atoms("Ar4", 3.8 * np.eye(4)[:, :3]),
        Atoms("OHH", [[0, 0, 0], [0, 0, 0.96], [0, 0, 5.0]]),
        Atoms("H3", [[0, 0, 0], [0, 0, 9.0], [0, 9.0, 0]]),
        bulk("NaCl", "rocksalt", a=5.64, cubic=True),
        bulk("Cs", cubic=True) * (2, 1, 1),
        bulk("C", cubic=True, a=2.6),
        fcc111("Pt", (2, 2, 3), vacuum=8.0),
    ]
    for one in atoms:
        one.info.clear()
        assert said(tmp_path, one) == []

"""Crystals are told from liquids by twins among their atoms."""

import pytest
from ase.build import bulk, molecule
from ase.spacegroup import crystal

from thalweg.explorers.order import is_crystal
from thalweg.structure import Structure


def rattled(atoms, by):
    atoms = atoms.copy()
    atoms.rattle(by, seed=3)
    return Structure.from_atoms(atoms)


CUBIC = bulk("Cu", cubic=True) * (2, 2, 2)
QUARTZ = crystal(
    ["Si", "O"],
    [(0.4697, 0, 0), (0.4135, 0.2669, 0.1191)],
    spacegroup=152,
    cellpar=[4.916, 4.916, 5.4054, 90, 90, 120],
)


@pytest.mark.parametrize("atoms", [bulk("Cu"), bulk("SiC", "zincblende", a=4.36), CUBIC, QUARTZ])
def test_crystals_of_one_atom_or_many_are_crystals(atoms):
    assert is_crystal(Structure.from_atoms(atoms))


def test_a_vacancy_leaves_a_crystal_a_crystal():
    atoms = CUBIC.copy()
    del atoms[0]
    assert is_crystal(Structure.from_atoms(atoms))


def test_disorder_is_no_crystal_and_a_little_noise_of_a_relaxation_is_none():
    assert not is_crystal(rattled(CUBIC, 0.3))
    assert is_crystal(rattled(CUBIC, 0.003))


def test_what_is_not_periodic_is_no_crystal():
    assert not is_crystal(Structure.from_atoms(molecule("C6H6")))

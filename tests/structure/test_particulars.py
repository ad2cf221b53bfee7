"""What a file says of its atoms beyond their places: kept under every name, or refused with the cure."""

from __future__ import annotations

import ase
import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixScaled, Hookean

from thalweg.errors import InputError
from thalweg.store import read_structures
from thalweg.structure import Structure


def water(**info) -> ase.Atoms:
    atoms = molecule("H2O")
    atoms.info |= info
    return atoms


def slab() -> ase.Atoms:
    atoms = fcc111("Cu", (2, 2, 3), vacuum=8.0, orthogonal=True)
    atoms.set_constraint(FixAtoms([0, 1, 2, 3]))
    return atoms


def full() -> Structure:
    """All there is at once."""
    atoms = water(charge=1, multiplicity=2)
    atoms.set_masses([15.995, 2.014, 2.014])
    atoms.set_initial_magnetic_moments([1.0, 0.0, 0.0])
    atoms.set_constraint([FixAtoms([0]), FixCartesian([1], mask=(False, True, False))])
    return Structure.from_atoms(atoms)


def same(one: Structure, other: Structure) -> bool:
    assert one.particulars.keys() == other.particulars.keys()
    return all(np.array_equal(value, other.particulars[name]) for name, value in one.particulars.items())


def test_all_of_it_survives_ase_and_back():
    structure = full()
    assert structure.charge == 1
    assert structure.multiplicity == 2
    assert structure.fixed.tolist() == [[True] * 3, [False, True, False], [False] * 3]
    assert structure.n_free == 5
    again = Structure.from_atoms(structure.to_atoms())
    assert same(structure, again)
    assert again.content_hash == structure.content_hash
    assert structure.to_atoms(constraints=False).constraints == []


@pytest.mark.parametrize("form", ["extxyz", "traj", "json"])
def test_all_of_it_survives_a_file(tmp_path, form):
    path = tmp_path / ("one.xyz" if form == "extxyz" else f"one.{form}")
    if form == "json":
        with ase.db.connect(path) as database:
            atoms = full().to_atoms()
            database.write(atoms, total_charge=1, multiplicity=2)
    else:
        ase.io.write(path, full().to_atoms(), format=form)
    (read,) = read_structures(path)
    assert same(full(), read)


def test_selective_dynamics_of_a_poscar_hold_atoms(tmp_path):
    ase.io.write(tmp_path / "POSCAR", slab(), format="vasp")
    (read,) = read_structures(tmp_path / "POSCAR")
    assert read.fixed.all(axis=1).sum() == 4
    atoms = slab()
    atoms.set_constraint(FixScaled([5], mask=(False, False, True)))
    assert Structure.from_atoms(atoms).fixed[5].tolist() == [False, False, True]


def test_every_particular_is_part_of_the_identity():
    plain = Structure.from_atoms(molecule("H2O"))
    hashes = {plain.content_hash}
    for name, value in full().particulars.items():
        one = Structure(plain.numbers, plain.positions, plain.cell, plain.pbc, **{name: value})
        hashes.add(one.content_hash)
    assert len(hashes) == 6
    # of a structure that says nothing it is what it always was
    assert plain.content_hash == Structure(plain.numbers, plain.positions, plain.cell, plain.pbc).content_hash
    assert plain.particulars == {}


def test_what_says_nothing_is_nothing():
    atoms = molecule("H2O")
    atoms.set_masses(atoms.get_masses())
    atoms.set_initial_magnetic_moments([0, 0, 0])
    atoms.set_initial_charges([0, 0, 0])
    atoms.set_constraint(FixAtoms([]))
    assert Structure.from_atoms(atoms).particulars == {}


@pytest.mark.parametrize(
    ("info", "charge", "multiplicity"),
    [
        ({"total_charge": -1}, -1, None),
        ({"Charge": np.int64(2)}, 2, None),
        ({"charge": 1.0}, 1, None),
        ({"uhf": 1}, None, 2),
        ({"spin_multiplicity": 3}, None, 3),
        ({"spin": 0}, None, 1),
        ({"spin": 0.5}, None, 2),
        ({"multiplicity": 3, "spin": 1}, None, 3),
    ],
)
def test_names_of_charge_and_spin(info, charge, multiplicity):
    structure = Structure.from_atoms(water(**info))
    assert (structure.charge, structure.multiplicity) == (charge, multiplicity)


def test_initial_charges_are_a_total_charge():
    atoms = molecule("OH")
    atoms.set_initial_charges([-1.2, 0.2])
    assert Structure.from_atoms(atoms).charge == -1
    atoms.info["charge"] = 1
    with pytest.raises(InputError, match=r"two things of its electrons: charge 1, initial charges -1"):
        Structure.from_atoms(atoms)
    atoms.set_initial_charges([-0.8, 0.3])
    with pytest.raises(InputError, match=r"initial charges sum to -0.5 e, expected a whole number"):
        Structure.from_atoms(atoms)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"charge": 0.5}, "its charge is charge=0.5"),
        ({"charge": "+1"}, "charge='\\+1' is not one number"),
        ({"charge": np.nan}, "is not one number"),
        ({"charge": 10_000}, "charge must be a whole number"),
        ({"charge": 1, "total_charge": 2}, "two things of its electrons"),
        ({"multiplicity": 0}, "multiplicity must be a whole number from 1"),
        ({"multiplicity": 1.5}, "multiplicity is 2S"),
        ({"multiplicity": 1, "uhf": 2}, "two things"),
        ({"spin": 1}, "spin=1 is S to some programs"),
        ({"spin": 0.3}, "spin=0.3 is S to some programs"),
    ],
)
def test_what_cannot_be_of_electrons_is_refused(info, words):
    with pytest.raises(InputError, match=words):
        Structure.from_atoms(water(**info))


def test_masses_that_no_isotope_has_are_refused():
    atoms = molecule("H2O")
    for wrong in ([15.999, 0.0, 1.0], [15.999, -1.0, 1.0], [15.999, np.nan, 1.0], [29165.0, 1837.0, 1837.0]):
        atoms.arrays["masses"] = np.array(wrong)
        with pytest.raises(InputError, match="masses are in amu"):
            Structure.from_atoms(atoms)
    atoms.arrays.pop("masses")
    atoms.arrays["mass"] = np.array([15.999, 3.016, 1.008])  # as GPUMD writes it
    assert Structure.from_atoms(atoms).amu.tolist() == [15.999, 3.016, 1.008]


@pytest.mark.parametrize("constraint", [FixBondLength(0, 1), Hookean(0, 1, 5.0, 1.0)])
def test_other_constraints_are_refused_by_name(constraint):
    atoms = molecule("H2O")
    atoms.set_constraint(constraint)
    with pytest.raises(InputError, match=type(constraint).__name__):
        Structure.from_atoms(atoms)


def test_a_mask_along_skew_vectors_is_refused():
    atoms = bulk("Cu")
    atoms.set_constraint(FixScaled([0], mask=(True, False, False)))
    with pytest.raises(InputError, match="do not lie along x, y and z"):
        Structure.from_atoms(atoms)
    atoms.set_constraint(FixScaled([0], mask=(True, True, True)))
    assert Structure.from_atoms(atoms).fixed.all()


def test_moments_collinear_or_not():
    atoms = molecule("O2")
    atoms.set_initial_magnetic_moments([1.0, 1.0])
    assert Structure.from_atoms(atoms).magmoms.tolist() == [1.0, 1.0]
    atoms = molecule("O2")
    del atoms.arrays["initial_magmoms"]
    atoms.set_initial_magnetic_moments([[0, 0, 1.0], [1.0, 0, 0]])
    structure = Structure.from_atoms(atoms)
    assert structure.to_atoms().get_initial_magnetic_moments().tolist() == [[0, 0, 1.0], [1.0, 0, 0]]
    with pytest.raises(InputError, match="Bohr magnetons"):
        Structure(structure.numbers, structure.positions, structure.cell, structure.pbc, magmoms=[50.0, 0.0])


def test_moved_strained_and_in_part():
    structure = full()
    moved = structure.with_positions(structure.positions + 1.0)
    assert same(structure, moved)
    held = Structure.from_atoms(slab())
    part = held.part(np.array([5, 0]), held.positions[[5, 0]], np.zeros((3, 3)), np.zeros(3, bool))
    assert part.fixed.tolist() == [[False] * 3, [True] * 3]
    with pytest.raises(InputError, match="which share of it a part has"):
        structure.part(np.array([0]), structure.positions[:1], structure.cell, structure.pbc)


def test_another_order_of_the_atoms_keeps_all_of_it():
    structure = full()
    turned = structure.reordered(np.array([2, 0, 1]))
    assert (turned.charge, turned.multiplicity) == (1, 2)
    assert turned.amu.tolist() == structure.amu[[2, 0, 1]].tolist()
    assert turned.fixed[1].all()
    assert turned.content_hash != structure.content_hash
    assert turned.reordered(np.array([1, 2, 0])).content_hash == structure.content_hash


def test_repeated():
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.info |= {"charge": 1, "multiplicity": 2}
    atoms.set_masses([22.99, 36.966])
    atoms.set_constraint(FixAtoms([1]))
    large = Structure.from_atoms(atoms).repeated((2, 1, 1))
    assert (large.charge, large.multiplicity) == (2, 3)
    assert large.amu.tolist() == [22.99, 36.966] * 2
    assert large.fixed.all(axis=1).tolist() == [False, True] * 2


def test_remarks_say_all_of_it():
    assert full().remarks == [
        "charge +1",
        "multiplicity 2",
        "magnetic moments of the file",
        "3 atoms with a mass of the file",
        "2 of 3 atoms held",
    ]
    assert Structure.from_atoms(molecule("H2O")).remarks == []

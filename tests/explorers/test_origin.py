"""What a walker is held against: pieces that leave, cells that flow; and what by right may change."""

import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule

from thalweg.explorers.origin import Origin, Parting, is_open
from thalweg.structure import Structure


def origin_of(atoms, *, holds_shape=False):
    return Origin.of(Structure.from_atoms(atoms), holds_shape=holds_shape)


def moved(atoms, group, by):
    atoms = atoms.copy()
    atoms.positions[group] += by
    return Structure.from_atoms(atoms)


def test_a_molecule_that_loses_an_atom_has_dissociated_and_one_that_stretches_has_not():
    methane = molecule("CH4")
    how, text = origin_of(methane).parting(moved(methane, [4], methane.positions[4] * 5))
    assert how is Parting.DISSOCIATED
    assert text.startswith("H has left, ")
    assert origin_of(methane).parting(moved(methane, [4], methane.positions[4])) is None


def test_two_molecules_that_were_apart_may_come_together_and_part_again():
    pair = molecule("CH4") + molecule("H2O")
    pair.positions[5:, 0] += 9.0
    origin = origin_of(pair)
    assert origin.n_pieces == 2
    assert origin.parting(moved(pair, range(5, 8), [-5.5, 0, 0])) is None
    assert origin.parting(moved(pair, range(5, 8), [4.0, 0, 0])) is None
    three = moved(pair, [7], [0, 0, 9.0])
    assert origin.parting(three)[0] is Parting.DISSOCIATED


def test_what_fills_its_cell_has_nowhere_to_go():
    crystal, slab = bulk("Cu", cubic=True) * 2, fcc111("Cu", (2, 2, 2), vacuum=8.0, periodic=True)
    assert not is_open(Structure.from_atoms(crystal))
    assert is_open(Structure.from_atoms(slab))
    assert origin_of(crystal).n_pieces is None
    assert origin_of(slab).parting(moved(slab, [-1], [0, 0, 6.0]))[0] is Parting.DISSOCIATED


@pytest.mark.parametrize(
    ("deform", "flows"),
    [
        (np.diag([1.1, 1.0, 0.95]), False),
        (np.eye(3) + 0.05 * (1 - np.eye(3)), False),
        (np.diag([1.5, 1.0, 1.0]), True),
        (np.array([[1, 0.8, 0], [0, 1, 0], [0, 0, 1]]), True),
        (np.eye(3) * 1.3, True),
        (np.eye(3) * 0.75, True),
    ],
)
def test_a_cell_flows_when_it_is_deformed_beyond_what_a_solid_bears(deform, flows):
    atoms = bulk("Cu", cubic=True)
    strained = atoms.copy()
    strained.set_cell(atoms.cell @ deform, scale_atoms=True)
    structure = Structure.from_atoms(strained)
    found = origin_of(atoms, holds_shape=True).parting(structure)
    assert (found is not None and found[0] is Parting.FLOWED) == flows
    assert origin_of(atoms).parting(structure) is None


def test_turning_a_cell_is_no_flow():
    atoms = bulk("Cu", cubic=True)
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    assert origin_of(atoms, holds_shape=True).parting(Structure.from_atoms(turned)) is None

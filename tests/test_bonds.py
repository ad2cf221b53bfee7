"""Fragments by bonds, pieces by contacts, and what has left."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from thalweg.bonds import Skeleton, departure, formula, fragments, named, pieces
from thalweg.structure import Structure


def structure_of(atoms):
    return Structure.from_atoms(atoms)


def two(name, other, apart):
    """Two molecules, the second moved along x."""
    first, second = molecule(name), molecule(other)
    second.positions[:, 0] += apart
    return structure_of(first + second)


def test_a_molecule_is_one_fragment_and_its_broken_bond_makes_two():
    assert len(fragments(structure_of(molecule("CH3CH2OH")))) == 1
    stretched = structure_of(Atoms("OH", [[0, 0, 0], [0, 0, 0.97 * 1.6]]))
    assert [formula(stretched, group) for group in fragments(stretched)] == ["O", "H"]
    assert len(pieces(stretched)) == 1


def test_molecules_that_touch_are_fragments_of_one_piece():
    near, far = two("H2O", "H2O", 3.0), two("H2O", "H2O", 8.0)
    assert len(fragments(near)) == len(fragments(far)) == 2
    assert (len(pieces(near)), len(pieces(far))) == (1, 2)
    assert named(near, fragments(near)) == "2 H2O"
    mixed = two("CH3Cl", "H2O", 8.0)
    assert named(mixed, fragments(mixed)) == "CH3Cl, H2O"


def test_what_left_is_named_with_its_distance_and_only_beyond_the_pieces_of_the_start():
    far = two("CH4", "H2O", 9.0)
    left = departure(far, 1)
    assert left is not None
    assert (left.formula, left.n_pieces, left.n_before) == ("H2O", 2, 1)
    d = np.linalg.norm(far.positions[:5, None] - far.positions[None, 5:], axis=2).min()
    assert left.distance == pytest.approx(d)
    assert departure(far, 2) is None
    assert departure(two("CH4", "H2O", 3.5), 1) is None


def test_a_bond_across_the_cell_holds_a_crystal_together_and_a_gap_parts_a_slab():
    assert len(fragments(structure_of(bulk("NaCl", "rocksalt", a=5.6)))) == 1
    assert len(pieces(structure_of(bulk("Cu")))) == 1
    slab = fcc111("Cu", (2, 2, 2), vacuum=8.0)
    assert len(pieces(structure_of(slab))) == 1
    slab.positions[-1, 2] += 5.0
    evaporated = departure(structure_of(slab), 1)
    assert evaporated is not None
    assert evaporated.formula == "Cu"


def test_atoms_near_through_the_boundary_are_near():
    across = structure_of(Atoms("CuCu", [[0.2, 5, 5], [9.8, 5, 5]], cell=[10, 10, 10], pbc=True))
    apart = structure_of(Atoms("CuCu", [[0.2, 5, 5], [9.8, 5, 5]], cell=[10, 10, 10], pbc=False))
    assert len(pieces(across)) == 1
    assert len(pieces(apart)) == 2


def test_a_lone_atom_is_one_piece():
    assert pieces(structure_of(Atoms("Ar"))) == ((0,),)


@pytest.mark.parametrize(
    "atoms",
    [
        molecule("CH3CH2OH"),
        molecule("CH4") + Atoms("Ar", [[0, 0, 9]]),
        fcc111("Cu", (2, 2, 2), vacuum=8.0),
        Atoms("Ar"),
    ],
)
def test_a_skeleton_is_the_fewest_contacts_that_hold_the_pieces(atoms):
    structure = structure_of(atoms)
    skeleton = Skeleton.of(structure)
    assert len(skeleton.i) == len(structure) - len(pieces(structure))
    assert skeleton.holds(structure)


def test_a_skeleton_never_holds_what_has_fallen_apart():
    rng = np.random.default_rng(0)
    start = two("CH3Cl", "H2O", 3.5)
    skeleton, apart, held = Skeleton.of(start), 0, 0
    for size in np.repeat([0.2, 0.6, 1.0, 2.0], 50):
        moved = start.with_positions(start.positions + rng.normal(size=start.positions.shape) * size)
        holds = skeleton.holds(moved)
        assert not holds or len(pieces(moved)) == 1
        apart, held = apart + (len(pieces(moved)) > 1), held + holds
    assert min(apart, held) > 20


def test_a_skeleton_reaches_through_the_boundary_and_does_not_mind_where_atoms_are_wrapped():
    across = structure_of(
        Atoms("CuCu", [[0.2, 5, 5], [9.8, 5, 5]], cell=[10, 10, 10], pbc=[True, True, False])
    )
    skeleton = Skeleton.of(across)
    assert skeleton.holds(across)
    assert not skeleton.holds(across.with_positions(across.positions + np.array([[0, 0, 0], [0, 0, 6]])))

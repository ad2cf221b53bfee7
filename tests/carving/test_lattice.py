"""Translations of crystals, their sublattices, and the cells that they repeat."""

import numpy as np
import pytest
from ase.build import bulk, fcc111

from thalweg.carving.lattice import (
    around,
    best_sublattice,
    crystal_lattice,
    gauge,
    packed_lattice,
    reduced,
)
from thalweg.carving.surroundings import surroundings
from thalweg.structure import Structure

ALL = np.ones(3, dtype=bool)


def hot(crystal, repeat, size=0.1, seed=0):
    atoms = crystal.repeat(repeat)
    atoms.rattle(size, seed=seed)
    return Structure.from_atoms(atoms)


def found(structure, across=ALL, atom=0):
    return crystal_lattice(structure, surroundings(structure, atom, 16.0), across)


CRYSTALS = {
    "fcc": bulk("Cu", cubic=True),
    "bcc": bulk("Fe", cubic=True),
    "diamond": bulk("Si", cubic=True),
    "rocksalt": bulk("NaCl", "rocksalt", a=5.64, cubic=True),
    "hcp": bulk("Mg"),
}
PRIMITIVE = {"fcc": 1, "bcc": 1, "diamond": 2, "rocksalt": 2, "hcp": 2}


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_translations_of_a_hot_crystal_are_exact_fractions_of_its_box(name):
    crystal = CRYSTALS[name]
    structure = hot(crystal, (6, 6, 6) if name != "hcp" else (12, 12, 7))
    lattice = found(structure)
    times = structure.cell @ np.linalg.inv(lattice.vectors)
    assert np.abs(times - np.rint(times)).max() < 1e-9
    atoms_per_cell = len(structure) * abs(np.linalg.det(lattice.vectors)) / structure.volume
    assert atoms_per_cell == pytest.approx(PRIMITIVE[name])


def test_a_defect_at_the_target_does_not_hide_the_crystal():
    atoms = bulk("Si", cubic=True).repeat(6)
    atoms.append("Si")
    atoms.positions[-1] = atoms.get_cell().sum(axis=0) / 2 + 1.3
    atoms.rattle(0.1, seed=1)
    structure = Structure.from_atoms(atoms)
    assert found(structure, atom=len(atoms) - 1) is not None


def test_an_alloy_without_order_repeats_its_sites_and_a_salt_its_elements():
    atoms = bulk("Cu", cubic=True).repeat(6)
    atoms.numbers[np.random.default_rng(0).random(len(atoms)) < 0.5] = 79
    atoms.rattle(0.08, seed=0)
    alloy = Structure.from_atoms(atoms)
    volume = abs(np.linalg.det(found(alloy).vectors))
    assert volume == pytest.approx(3.61**3 / 4)
    salt = abs(np.linalg.det(found(hot(CRYSTALS["rocksalt"], 6)).vectors))
    assert salt == pytest.approx(5.64**3 / 4)


def test_a_liquid_has_none():
    atoms = bulk("Cu", cubic=True).repeat(7)
    atoms.positions[:] = np.random.default_rng(0).uniform(0, 7 * 3.61, atoms.positions.shape)
    assert found(Structure.from_atoms(atoms)) is None


def test_across_a_slab_the_box_stands_for_a_translation():
    atoms = fcc111("Cu", size=(10, 10, 6), vacuum=8.0, orthogonal=True)
    atoms.pbc = True
    atoms.rattle(0.05, seed=0)
    structure = Structure.from_atoms(atoms)
    lattice = found(structure, np.array([True, True, False]))
    assert lattice.free.tolist() == [True, True, False]
    assert np.allclose(lattice.vectors[2], structure.cell[2])
    assert np.abs(lattice.vectors[:2, 2]).max() < 1e-9


@pytest.mark.parametrize("name", ["fcc", "bcc", "diamond"])
def test_no_sublattice_of_that_size_has_a_longer_shortest_vector(name):
    lattice = found(hot(CRYSTALS[name], 6, 0.0))
    for times in (4, 8, 12):
        vectors, shortest = best_sublattice(lattice, times)
        assert abs(np.linalg.det(vectors)) == pytest.approx(times * abs(np.linalg.det(lattice.vectors)))
        whole = vectors @ np.linalg.inv(lattice.vectors)
        assert np.abs(whole - np.rint(whole)).max() < 1e-9
        assert np.linalg.norm(around(reduced(vectors)), axis=1).min() == pytest.approx(shortest)
        assert shortest >= longest_of_random(lattice.vectors, times) - 1e-9


def longest_of_random(vectors, times):
    """The longest shortest vector among sublattices of this index met by chance."""
    rng = np.random.default_rng(0)
    best, seen = 0.0, 0
    while seen < 60:
        matrix = rng.integers(-3, 4, (3, 3))
        if abs(round(np.linalg.det(matrix))) == times:
            seen += 1
            best = max(best, np.linalg.norm(around(reduced(matrix @ vectors)), axis=1).min())
    return best


def test_eight_cells_of_face_centred_copper_are_again_face_centred():
    lattice = found(hot(CRYSTALS["fcc"], 6, 0.0))
    _, shortest = best_sublattice(lattice, 8)
    assert shortest == pytest.approx(2 * 3.61 / np.sqrt(2))


@pytest.mark.parametrize(("size", "volume"), [(1, 1.0), (2, np.sqrt(0.75)), (3, np.sqrt(0.5))])
def test_packed_cells_are_as_small_as_their_shortest_vector_allows(size, volume):
    directions = np.random.default_rng(size).normal(size=(size, 3))
    vectors = packed_lattice(directions, 3.0)
    assert np.linalg.norm(around(vectors), axis=1).min() == pytest.approx(3.0)
    assert np.sqrt(np.linalg.det(vectors @ vectors.T)) == pytest.approx(volume * 3.0**size)
    assert np.linalg.matrix_rank(np.vstack([directions, vectors]), tol=1e-9) == size


def test_the_gauge_is_one_on_the_face_of_the_cell_and_tiles_space():
    vectors = packed_lattice(np.eye(3), 4.0)
    neighbours = around(reduced(vectors))
    assert gauge(vectors[:1] / 2, neighbours) == pytest.approx(1.0)
    assert gauge(np.zeros((1, 3)), neighbours) == 0.0
    points = np.random.default_rng(0).uniform(-6, 6, (40_000, 3))
    share = (gauge(points, neighbours) <= 1).mean()
    assert share * 12**3 == pytest.approx(abs(np.linalg.det(vectors)), rel=0.03)

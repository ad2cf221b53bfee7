"""Shortest lattice vectors and the repeats that make them long enough."""

import math

import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule

from thalweg.cells import repeats_to_reach, shortest_vector
from thalweg.structure import Structure


def test_the_shortest_vector_is_found_in_any_choice_of_the_cell():
    primitive = Structure.from_atoms(bulk("Cu", a=3.6))
    assert shortest_vector(primitive)[0] == pytest.approx(3.6 / math.sqrt(2))
    skewed = Structure(
        primitive.numbers,
        primitive.positions,
        np.array([[1, 0, 0], [3, 1, 0], [-2, 4, 1]]) @ primitive.cell,
        primitive.pbc,
    )
    length, step = shortest_vector(skewed)
    assert length == pytest.approx(3.6 / math.sqrt(2))
    assert np.linalg.norm(step @ skewed.cell) == pytest.approx(length)


def test_without_periodicity_there_is_no_image():
    assert shortest_vector(Structure.from_atoms(molecule("H2O")))[0] == math.inf
    assert repeats_to_reach(Structure.from_atoms(molecule("H2O")), 5.0) == (1, 1, 1)


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (bulk("Cu", a=3.6), (2, 2, 2)),
        (bulk("Cu", a=3.6, cubic=True), (2, 2, 2)),
        (bulk("Cu", a=3.6, cubic=True) * (2, 2, 2), (1, 1, 1)),
        (bulk("Cu", a=3.6, cubic=True) * (1, 1, 3), (2, 2, 1)),
        (fcc111("Cu", (1, 1, 3), a=3.6, vacuum=8.0), (2, 2, 1)),
    ],
)
def test_repeats_are_as_few_as_will_do(atoms, expected):
    structure = Structure.from_atoms(atoms)
    assert repeats_to_reach(structure, 5.0) == expected
    assert shortest_vector(structure, expected)[0] >= 5.0

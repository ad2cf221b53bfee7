"""What a structure must obey, and what one that is handed in must obey beyond that."""

import numpy as np
import pytest
from ase.build import bulk, molecule

from thalweg.border import check_connected, check_filled, check_input, check_timestep
from thalweg.calculator import ThalwegCalculator
from thalweg.errors import InputError
from thalweg.structure import Structure
from thalweg.units import fs

BOX = np.diag([5.0, 5.0, 5.0])


def atoms(positions, cell=BOX, pbc=(True, True, True), number=14):
    return Structure(np.full(len(positions), number), positions, cell, pbc)


@pytest.mark.parametrize(
    ("numbers", "positions", "cell", "words"),
    [
        ([0], [[0, 0, 0]], BOX, "atom 0 .* not a chemical element"),
        ([14, 119], [[0, 0, 0], [2, 0, 0]], BOX, "atom 1 .* atomic number is 119"),
        ([-3], [[0, 0, 0]], BOX, "not a chemical element"),
        (["Si"], [[0, 0, 0]], BOX, "numbers must be numbers"),
        ([14], [["a", 0, 0]], BOX, "positions must be numbers"),
        ([[14], [14, 14]], [[0, 0, 0]], BOX, "numbers"),
        ([10**30], [[0, 0, 0]], BOX, "numbers"),
        ([14], [[0, np.nan, 0]], BOX, "positions hold NaN or infinity: atom 0"),
        ([14, 14], [[0, 0, 0], [0, -np.inf, 0]], BOX, "NaN or infinity: atom 1"),
        ([14], [[0, 1e8, 0]], BOX, "beyond 1e.06 Å: atom 0"),
        ([14], [[0, 0, 0]], BOX * 1e7, "cell vectors are beyond"),
        ([14], [[0, 0, 0]], BOX * np.nan, "cell vectors hold NaN"),
        ([14], [[0, 0, 0]], BOX * 0, "no cell vector"),
        ([14], [[0, 0, 0]], BOX * 1e-5, "not a linearly independent one"),
        ([14], [[0, 0, 0]], BOX[[0, 0, 2]], "not a linearly independent one"),
    ],
)
def test_no_structure_is_made_of_what_is_none(numbers, positions, cell, words):
    with pytest.raises(InputError, match=words):
        Structure(numbers, positions, cell, np.ones(3, dtype=bool))
    assert len(atoms([[0, 0, 0]])) == 1


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        (atoms([[0, 0, 0], [2e5, 0, 0]]), "atom 1 .* within 100000 Å"),
        (atoms([[0, 0, 0]], np.diag([2e5, 5, 5])), "longer than 100000 Å"),
        (atoms([[0, 0, 0]], np.diag([0.005, 5, 5])), "vector 1 are 0.005 Å apart"),
        (atoms([[0, 0, 0]], np.diag([5, 5, 0.05]), (True, False, True)), "vector 3 are 0.05 Å apart"),
        (atoms([[0, 0, 0]], BOX + np.diag([5000.0, 0], k=1)), "minkowski_reduce"),
        (atoms([[0, 0, 0]], BOX * 0.1), "at least 0.5 Å³"),
        (atoms([[0, 0, 0], [0, 0, 0.09]]), "Si0 and Si1 .* the same position"),
        (atoms([[0, 1, 0], [5.001, -4, 10]]), "Si0 and Si1 .* images counted"),
        (atoms([[0, 0, 0], [0, 0, 0]], BOX * 0, (False,) * 3), "less than 0.1 Å apart; remove"),
    ],
)
def test_absurd_input_is_refused_with_what_is_allowed(structure, words):
    with pytest.raises(InputError, match=rf"file.xyz, structure 3: .*{words}"):
        check_input(structure, "file.xyz, structure 3")


def test_odd_but_sane_structures_pass():
    left_handed = atoms([[0, 0, 0], [2, 1, 1]], -BOX)
    skewed = atoms([[0, 0, 0]], [[5, 0, 0], [30, 5, 0], [0, 20, 5]])
    slab = atoms([[0, 0, 0]], [[3, 0, 0], [0, 3, 0], [0, 0, 0]], (True, True, False))
    close = atoms([[0, 0, 0], [0, 0, 0.12]])
    for structure in (left_handed, skewed, slab, close, Structure.from_atoms(molecule("C60"))):
        assert check_input(structure, "file") is structure


@pytest.mark.parametrize("axis", range(3))
def test_an_atom_one_angstrom_away_is_no_image_where_nothing_is_periodic(axis):
    pair = np.zeros((2, 3))
    pair[1, axis] = 1.0
    check_input(atoms(pair, BOX * 0, (False,) * 3), "pair")
    slab = np.array([True, True, True])
    slab[axis] = False
    check_input(atoms(pair, BOX * slab[:, None], tuple(slab)), "pair across a layer")
    pair[1, axis] = 5.0 - 1e-17
    with pytest.raises(InputError, match="images counted"):
        check_input(atoms(pair), "image")


def test_too_many_atoms_are_told_with_the_limit():
    with pytest.raises(InputError, match="file: 3 atoms, the limit is 2"):
        check_input(atoms([[0, 0, 0], [2, 0, 0], [0, 2, 0]]), "file", most_atoms=2)


@pytest.mark.parametrize("seed", range(20))
def test_atoms_on_one_place_are_found_in_any_cell(seed):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) * 2 + np.diag([9, -9, 9])
    base = atoms(rng.random((5, 3)) @ cell, cell)
    check_input(base, "control")
    moved = base.positions.copy()
    moved[1] = moved[3] + rng.integers(-3, 4, 3) @ cell + rng.normal(size=3) * 0.002
    with pytest.raises(InputError, match=r"Si1 and Si3 .* the same position"):
        check_input(base.with_positions(moved), "pair")


def test_many_atoms_on_one_place_take_no_memory():
    heap = np.random.default_rng(0).normal(size=(30_000, 3)) * 1e-3
    with pytest.raises(InputError, match="the same position"):
        check_input(atoms(heap, BOX * 0, (False,) * 3), "heap")


def test_parts_that_do_not_feel_each_other():
    near = atoms([[0, 0, 0], [24, 0, 0]], BOX * 0, (False,) * 3)
    check_connected(near, "file")
    far = atoms([[0, 0, 0], [1, 0, 0], [80, 0, 0]], BOX * 0, (False,) * 3)
    with pytest.raises(InputError, match=r"1 of its 3 atoms, such as atom 2 .* Hand in each part separately"):
        check_connected(far, "file")
    check_connected(atoms([[0, 0, 0], [80, 0, 0]]), "in a periodic direction there is no far")
    slab = atoms([[0, 0, 0], [0, 0, 80]], [[3, 0, 0], [0, 3, 0], [0, 0, 0]], (True, True, False))
    with pytest.raises(InputError, match="more than 25 Å"):
        check_connected(slab, "slab")


def test_time_steps_that_cannot_follow_the_lightest_atom():
    water, copper = Structure.from_atoms(molecule("H2O")), Structure.from_atoms(bulk("Cu"))
    assert check_timestep([water], 0.5, "it") is None
    assert "2 fs is long for H" in check_timestep([water, copper], 2.0, "it")
    assert check_timestep([copper], 5.0, "it") is None
    with pytest.raises(InputError, match="5 fs cannot follow the vibrations of H, the limit is 3 fs"):
        check_timestep([copper, water], 5.0, "it")


def test_vacuum_at_constant_pressure():
    cell = bulk("Cu", cubic=True) * (1, 1, 3)
    check_filled(Structure.from_atoms(cell), "npt")
    cell.center(vacuum=6.0, axis=2)
    with pytest.raises(InputError, match=r"vector 3 there are 12.0 Å without an atom"):
        check_filled(Structure.from_atoms(cell), "npt")


def test_the_calculator_refuses_a_collapsed_cell(copper_like):
    potential, cell = copper_like
    cell.calc = ThalwegCalculator(potential)
    assert np.isfinite(cell.get_potential_energy())
    cell.set_cell(np.diag([0.01, 5, 5]))
    with pytest.raises(InputError, match="these atoms: the cell's faces"):
        cell.get_potential_energy()


@pytest.fixture
def copper_like():
    from small_potentials import random_potential, silicon

    return random_potential("Si", train=[silicon()]), silicon().to_atoms()


def test_velocities_are_in_ase_units():
    assert fs == pytest.approx(0.0982, rel=1e-3)  # by which store.reading.FASTEST is 2 Å/fs

"""The least skewed cell of a lattice: the same crystal along the same axes."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cell import Cell

from small_potentials import random_potential, silicon
from thalweg.calculator import ThalwegCalculator
from thalweg.neighbours import pairs_within
from thalweg.reducing import least_skewed, reduce_atoms
from thalweg.structure import Structure

SKEW = np.array([[1, 0, 0], [40, 1, 0], [3, -17, 1]])
ALL = np.ones(3, dtype=bool)


def distances(atoms: Atoms) -> np.ndarray:
    _, _, _, d = pairs_within(Structure.from_atoms(atoms), 4.0)
    return np.sort(d)


@pytest.mark.parametrize("seed", range(10))
def test_the_lattice_its_handedness_and_its_crystal_stay(seed):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.choice([-1, 1], 3) * rng.uniform(3, 6, 3)) + rng.normal(0, 0.3, (3, 3))
    plain = Atoms("Si3", rng.random((3, 3)) @ cell, cell=cell, pbc=True)
    tilted = plain.copy()
    tilted.set_cell(SKEW[rng.permutation(3)] @ cell)
    tilted.positions += rng.integers(-3, 4, (3, 3)) @ cell
    old = np.array(tilted.cell)
    assert reduce_atoms(tilted)
    sums = np.array(tilted.cell) @ np.linalg.inv(cell)
    assert sums == pytest.approx(np.rint(sums), abs=1e-6)
    assert np.sign(np.linalg.det(tilted.cell)) == np.sign(np.linalg.det(old))
    fractions = tilted.get_scaled_positions(wrap=False)
    assert (fractions > -1e-9).all()
    assert (fractions < 1 + 1e-9).all()
    assert distances(tilted) == pytest.approx(distances(plain), abs=1e-6)
    assert not reduce_atoms(tilted)


@pytest.mark.parametrize("pbc", [(1, 1, 0), (1, 0, 1), (0, 1, 1)])
@pytest.mark.parametrize("vacuum", [0.0, 20.0])
def test_layers_keep_what_is_not_periodic(pbc, vacuum):
    pbc = np.array(pbc, dtype=bool)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    cell = np.diag(np.where(pbc, 3.0, vacuum))
    first, second = np.flatnonzero(pbc)
    skewed = cell.copy()
    skewed[first] += 30 * skewed[second]
    short = least_skewed(skewed @ turn, pbc)
    assert short is not None
    assert np.linalg.norm(short[pbc], axis=1) == pytest.approx([3.0, 3.0])
    assert short[~pbc] == pytest.approx(cell[~pbc] @ turn)
    atoms = Atoms("Cu2", [[0, 0, 0], [70, 80, 90]], cell=skewed @ turn, pbc=pbc)
    across = np.cross(*short[pbc])
    heights = atoms.positions @ across
    assert reduce_atoms(atoms)
    assert atoms.positions @ across == pytest.approx(heights)


@pytest.mark.parametrize(
    "cell",
    [
        *(np.array(bulk("Cu", kind, a=3.6).cell) for kind in ("fcc", "bcc", "hcp", "sc")),
        np.array(bulk("Bi").cell),
        np.array(Cell.fromcellpar([10.5, 10.5, 10.5, 24, 24, 24])),
        np.array([[5, 0, 0], [0, 6, 0], [-7 * np.sqrt(0.5), 0, 7 * np.sqrt(0.5)]]),
        np.diag([2.5, 30.0, 30.0]),
        np.diag([1.0, 1.0, 0.0]),
        np.array([[5, 0, 0], [5, 0, 0], [0, 0, 5]]),
        np.diag([5, 5, np.nan]),
        np.array([[1e300, 0, 0], [1e300, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [1e12, 1, 0], [0, 0, 1]]),
    ],
)  # fmt: skip
def test_usual_cells_and_such_as_are_none_stay(cell):
    assert least_skewed(cell, ALL) is None


def test_the_calculator_is_the_same_in_every_cell_of_a_lattice():
    atoms = silicon().to_atoms()
    potential = random_potential("Si", train=[silicon()])
    tilted = atoms.copy()
    tilted.set_cell(SKEW @ np.array(atoms.cell))
    for one in (atoms, tilted):
        one.calc = ThalwegCalculator(potential)
    assert tilted.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
    assert tilted.get_forces() == pytest.approx(atoms.get_forces(), abs=1e-6)
    assert tilted.get_stress() == pytest.approx(atoms.get_stress(), abs=1e-7)
    assert np.abs(atoms.get_stress()).max() > 1e-3
    assert tilted.calc.results["forces_bound"] == pytest.approx(atoms.calc.results["forces_bound"], abs=1e-6)
    assert np.array(tilted.cell) == pytest.approx(SKEW @ np.array(atoms.cell))
    kept = tilted.calc.results["forces"]
    assert tilted.get_forces() is not kept
    assert tilted.calc.results["forces"] is kept  # nothing was computed again

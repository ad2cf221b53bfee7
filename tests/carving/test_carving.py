"""Cells cut out of large structures: what the target sees is kept, the rest is ordinary and not too much."""

from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from large_structures import R_CUT, copper_potential, hot, liquid, salt_potential, water_box, water_potential

from thalweg.carving import Cell, CellKind, carve, carve_uncertain
from thalweg.errors import InputError
from thalweg.structure import Structure


def sees(structure: Structure, atom: int) -> np.ndarray:
    """Element and vector of everything within the cutoff, as sorted rows."""
    from vesin import ase_neighbor_list

    i, j, D = ase_neighbor_list("ijD", structure.to_atoms(), R_CUT)
    mine = D[i == atom]
    numbers = structure.numbers[j[i == atom]]
    order = np.lexsort((*np.round(mine.T, 6), numbers))
    return np.column_stack([numbers[order], mine[order]])


def check_cell(cell: Cell, large: Structure, max_atoms: int) -> None:
    """What holds of every cell."""
    small = cell.structure
    assert len(small) <= max_atoms
    assert np.array_equal(small.numbers, large.numbers[cell.parent])
    assert cell.parent[cell.target] == cell.atom
    assert len(set(cell.parent)) == len(cell.parent)
    assert np.array_equal(small.pbc, large.pbc) or cell.kind is CellKind.CLUSTER
    assert np.isfinite(cell.bound).all()
    if cell.target_change == 0:
        before, after = sees(large, cell.atom), sees(small, cell.target)
        assert before.shape == after.shape
        assert np.abs(before - after).max() < 1e-9


def shortest(structure):
    from vesin import ase_neighbor_list

    return ase_neighbor_list("d", structure.to_atoms(), 4.0)[0].min()


def density(structure):
    return len(structure) / structure.volume


@pytest.mark.parametrize("max_atoms", [32, 64, 100])
def test_a_crystal_is_cut_along_its_lattice(max_atoms):
    large = Structure.from_atoms(hot(bulk("Cu", cubic=True), 8))
    cell = carve(large, copper_potential(), 1000, max_atoms=max_atoms)
    check_cell(cell, large, max_atoms)
    assert cell.kind is CellKind.CRYSTAL
    assert cell.target_change == 0
    assert density(cell.structure) == pytest.approx(density(large), rel=1e-6)
    primitive = large.cell / 16 @ (np.ones((3, 3)) - np.eye(3))
    times = cell.structure.cell @ np.linalg.inv(primitive)
    assert np.abs(times - np.rint(times)).max() < 1e-6
    assert shortest(cell.structure) > 0.9 * shortest(large)


def test_of_an_ideal_crystal_hardly_more_is_cut_than_the_target_must_have():
    """Whose images are two cutoffs apart: a close-packed lattice has that at a volume of (2 r_cut)³ / √2."""
    large = Structure.from_atoms(bulk("Cu", cubic=True).repeat(9))
    cell = carve(large, copper_potential(), 1000, max_atoms=240)
    check_cell(cell, large, 240)
    assert cell.target_change == 0
    least = (2 * R_CUT) ** 3 / np.sqrt(2) / (3.61**3 / 4)
    assert least < len(cell.structure) < 1.25 * least


def test_more_atoms_keep_the_environments_beside_the_target_too():
    large = Structure.from_atoms(hot(bulk("Cu", cubic=True), 9))
    few, many = (carve(large, copper_potential(), 1000, max_atoms=n) for n in (30, 140))
    assert few.target_change == many.target_change == 0
    assert many.kept.sum() >= 13 > few.kept.sum()
    i = np.flatnonzero(many.kept)
    assert all(np.abs(sees(large, many.parent[k]) - sees(many.structure, k)).max() < 1e-9 for k in i)


def test_the_bound_of_the_target_is_that_of_the_large_structure_where_its_neighbours_are_kept():
    large = Structure.from_atoms(hot(bulk("Cu", cubic=True), 9))
    there = copper_potential().predict(large)
    cell = carve(large, copper_potential(), 1000, max_atoms=240)
    assert cell.bound_before == pytest.approx(there.forces_bound[1000], rel=1e-9)
    assert cell.bound[cell.target] == pytest.approx(there.forces_bound[1000], rel=0.02)


def test_a_cell_too_small_for_the_environment_says_so_and_comes_near_it():
    large = Structure.from_atoms(hot(bulk("Cu", cubic=True), 8))
    cells = [carve(large, copper_potential(), 1000, max_atoms=n) for n in (4, 8, 16, 40)]
    changes = [cell.target_change for cell in cells]
    assert changes[0] > changes[2] > changes[3] == 0
    for cell in cells:
        check_cell(cell, large, 40)


@pytest.mark.parametrize("what", ["vacancy", "interstitial"])
def test_a_defect_stays_one_and_brings_no_other(what):
    atoms = hot(bulk("Cu", cubic=True), 8)
    middle = 1000
    if what == "vacancy":
        distance = atoms.get_distances(middle, range(len(atoms)), mic=True)
        del atoms[[int(np.argsort(distance)[1])]]
        extra = -1
    else:
        atoms.append("Cu")
        atoms.positions[-1] = atoms.positions[middle] + [1.8, 0.0, 0.0]
        middle, extra = len(atoms) - 1, 1
    if what == "vacancy":
        middle -= int(np.argsort(distance)[1]) < middle
    large = Structure.from_atoms(atoms)
    cell = carve(large, copper_potential(), middle, max_atoms=80)
    check_cell(cell, large, 80)
    assert cell.kind is CellKind.CRYSTAL
    sites = cell.structure.volume / (3.61**3 / 4)
    assert sites == pytest.approx(round(sites), abs=1e-6)
    assert len(cell.structure) == round(sites) + extra


def test_a_salt_stays_neutral():
    large = Structure.from_atoms(hot(bulk("NaCl", "rocksalt", a=5.64, cubic=True), 6, 0.1))
    cell = carve(large, salt_potential(), 700, max_atoms=64)
    check_cell(cell, large, 64)
    assert cell.target_change == 0
    assert (cell.structure.numbers == 11).sum() == (cell.structure.numbers == 17).sum()


@cache
def liquid_cell():
    return carve(liquid(), copper_potential(), 77, max_atoms=60)


def test_a_liquid_is_cut_to_a_compact_cell_of_its_density():
    large, cell = liquid(), liquid_cell()
    check_cell(cell, large, 60)
    assert cell.kind is CellKind.PACKED
    assert cell.target_change == 0
    assert density(cell.structure) == pytest.approx(density(large), rel=0.12)
    assert shortest(cell.structure) > 0.65 * shortest(large)


@pytest.mark.parametrize("atom", [11, 300])
def test_a_molten_salt_tends_to_whole_formula_units(atom, monkeypatch):
    atoms = hot(bulk("NaCl", "rocksalt", a=5.64, cubic=True), 6, 0.1)
    atoms.rattle(0.6, seed=5)
    large = Structure.from_atoms(atoms)
    charge = {}
    for formula in ("kept", "not looked at"):
        cell = carve(large, salt_potential(), atom, max_atoms=90)
        check_cell(cell, large, 90)
        assert cell.kind is CellKind.PACKED
        sodium, chlorine = ((cell.structure.numbers == z).sum() for z in (11, 17))
        charge[formula] = abs(int(sodium) - int(chlorine))
        monkeypatch.setattr("thalweg.carving.place.Place.formula", None)
    assert charge["kept"] == 0
    assert charge["not looked at"] >= 2


def test_molecules_of_a_liquid_stay_whole():
    large = Structure.from_atoms(water_box())
    cell = carve(large, water_potential(), 300, max_atoms=100)
    check_cell(cell, large, 100)
    assert cell.target_change == 0
    per_molecule = np.bincount(cell.parent // 3)
    assert set(per_molecule[per_molecule > 0]) == {3}


def test_of_a_droplet_a_cluster_of_whole_molecules_is_cut():
    large = Structure.from_atoms(water_box(periodic=False))
    cell = carve(large, water_potential(), 513, max_atoms=100)
    check_cell(cell, large, 100)
    assert cell.kind is CellKind.CLUSTER
    assert not cell.structure.pbc.any()
    assert cell.target_change == 0
    per_molecule = np.bincount(cell.parent // 3)
    assert set(per_molecule[per_molecule > 0]) == {3}
    assert cell.moved == 0


def test_a_molecule_larger_than_allowed_is_cut_through():
    chain = Structure.from_atoms(Atoms("H" * 40, positions=[[1.0 * k, 0.0, 0.0] for k in range(40)]))
    cell = carve(chain, water_potential(), 20, max_atoms=12)
    check_cell(cell, chain, 12)
    assert cell.target_change == 0


@pytest.mark.parametrize("pbc", [(True, True, True), (True, True, False)], ids=["box", "slab"])
def test_a_slab_keeps_its_surface_and_its_vacuum(pbc):
    atoms = fcc111("Cu", size=(10, 10, 5), vacuum=8.0, orthogonal=True)
    atoms.pbc = pbc
    atoms.rattle(0.05, seed=1)
    large = Structure.from_atoms(atoms)
    top = int(atoms.positions[:, 2].argmax())
    cell = carve(large, copper_potential(), top, max_atoms=100)
    check_cell(cell, large, 100)
    assert cell.target_change == 0
    assert np.allclose(np.abs(np.linalg.det(cell.structure.cell)), large_area(cell) * large.cell[2, 2])
    assert len(cell.structure) % 5 == 0


def large_area(cell):
    """Area of the cell's two vectors that lie in the plane of the surface, Å²."""
    inplane = [v for v in cell.structure.cell if abs(v[2]) < 1e-6]
    assert len(inplane) == 2
    return np.linalg.norm(np.cross(*inplane))


def test_what_is_small_enough_is_left_whole():
    small = Structure.from_atoms(hot(bulk("Cu", cubic=True), 2))
    cell = carve(small, copper_potential(), 5, max_atoms=40)
    assert cell.kind is CellKind.WHOLE
    assert cell.structure is small
    assert cell.target == 5


def test_settling_leaves_what_the_target_sees_and_calms_the_boundary():
    """A boundary with two atoms pushed together: settled, it is far less uncertain, and the target sees the same."""
    from thalweg.carving.relaxing import settle

    potential = copper_potential()
    atoms = hot(bulk("Cu", cubic=True), 2, 0.05)
    start = Structure.from_atoms(atoms)
    distance = atoms.get_distances(0, range(32), mic=True)
    far = int(np.argmax(distance))
    near = int(np.argsort(atoms.get_distances(far, range(32), mic=True))[1])
    positions = np.array(start.positions)
    positions[far] += 0.55 * atoms.get_distance(far, near, mic=True, vector=True)
    jammed = start.with_positions(positions)
    movable = distance > R_CUT

    def excess(prediction):
        return float(prediction.forces_bound[movable].max() / potential.predict(start).forces_bound.max())

    settled = settle(jammed, potential, movable, target=0, keep=R_CUT, ordinary_force=0.5, excess=excess)
    assert settled.excess < 0.7 * excess(potential.predict(jammed))
    still = np.linalg.norm(settled.structure.positions - jammed.positions, axis=1)
    assert still[~movable].max() == 0
    assert still.max() > 0.05
    assert (
        settled.structure.to_atoms().get_distances(0, np.flatnonzero(movable), mic=True).min() > R_CUT - 1e-9
    )


# ---- several ------------------------------------------------------------------------------------------


def test_the_worst_comes_first_and_what_a_cell_covers_gets_none_of_its_own():
    large = Structure.from_atoms(hot(bulk("Cu", cubic=True), 9))
    bound = np.full(len(large), 0.05)
    near = int(np.argsort(large.to_atoms().get_distances(100, range(len(large)), mic=True))[1])
    far = int(np.argmax(large.to_atoms().get_distances(100, range(len(large)), mic=True)))
    bound[[100, near, far]] = 0.41, 0.40, 0.30
    cells = carve_uncertain(large, copper_potential(), bound=bound, max_atoms=140, n_cells=5)
    assert [cell.atom for cell in cells] == [100, far]
    assert [c.atom for c in carve_uncertain(large, copper_potential(), bound=bound, n_cells=1)] == [100]
    high = carve_uncertain(large, copper_potential(), bound=bound, n_cells=5, above=0.35, max_atoms=140)
    assert [cell.atom for cell in high] == [100]
    with pytest.raises(InputError, match=r"no atom has a bound of 0\.5 eV/Å or more; the largest is 0\.41"):
        carve_uncertain(large, copper_potential(), bound=bound, above=0.5)
    with pytest.raises(InputError, match="2916 atoms need as many bounds"):
        carve_uncertain(large, copper_potential(), bound=bound[:-1])


def test_without_bounds_the_potential_is_asked():
    large = Structure.from_atoms(hot(bulk("Cu", cubic=True), 7))
    (cell,) = carve_uncertain(large, copper_potential(), max_atoms=40)
    assert cell.atom == int(copper_potential().predict(large).forces_bound.argmax())


def test_the_same_input_gives_the_same_cell_and_another_atom_another():
    again = carve(liquid(), copper_potential(), 77, max_atoms=60)
    assert again.structure.content_hash == liquid_cell().structure.content_hash
    other = carve(liquid(), copper_potential(), 78, max_atoms=40)
    assert other.parent[other.target] == 78
    assert other.structure.content_hash != again.structure.content_hash


@pytest.mark.parametrize(
    ("atom", "max_atoms", "words"),
    [(-1, 50, "there is no atom -1"), (99_999, 50, "there is no atom 99999"), (0, 0, "at least one atom")],
)
def test_what_cannot_be_cut_is_said(atom, max_atoms, words):
    with pytest.raises(InputError, match=words):
        carve(liquid(), copper_potential(), atom, max_atoms=max_atoms)


def test_an_element_that_the_potential_lacks_is_named():
    with pytest.raises(InputError, match="Na"):
        carve(
            Structure.from_atoms(hot(bulk("NaCl", "rocksalt", a=5.64, cubic=True), 3)), copper_potential(), 0
        )

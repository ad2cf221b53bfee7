"""ZBL against its closed form, its smoothness at the cutoff, and finite differences."""

from __future__ import annotations

import ase
import numpy as np
import pytest
from ase.build import bulk, molecule

from thalweg.errors import InputError
from thalweg.features.zbl import ZblBaseline, ZblCutoffs
from thalweg.structure import Structure

ELEMENTS = ("H", "C", "O")


def dimer(r: float, pair: str = "CO") -> Structure:
    return Structure.from_atoms(ase.Atoms(pair, [[0.1, 0.2, 0.3], [0.1, 0.2 + 0.6 * r, 0.3 + 0.8 * r]]))


def energy_and_slope(r: float) -> tuple[float, float]:
    energies, forces, _ = ZblBaseline(ELEMENTS).compute([dimer(r)])
    return float(energies[0]), float(-(forces[1] @ [0.0, 0.6, 0.8]))


def closed_form(r: float) -> float:
    """Unswitched C-O repulsion, from the formula as LAMMPS documents it."""
    a = 0.46850 / (6**0.23 + 8**0.23)
    amplitude, decay = (
        np.array([0.18175, 0.50986, 0.28022, 0.02817]),
        np.array([3.19980, 0.94229, 0.40290, 0.20162]),
    )
    return float(14.399645 * 48 / r * (amplitude @ np.exp(-decay * r / a)))


def cutoffs_of_co() -> tuple[float, float]:
    table = ZblCutoffs.from_covalent_radii(ELEMENTS)
    return float(table.inner[1, 2]), float(table.outer[1, 2])


def test_default_cutoffs_lie_below_bonds() -> None:
    inner, outer = cutoffs_of_co()
    assert outer == pytest.approx(0.8 * (0.76 + 0.66))
    assert inner == pytest.approx(0.4 * (0.76 + 0.66))
    energies, _, _ = ZblBaseline(ELEMENTS).compute([Structure.from_atoms(molecule("CH3OH"))])
    assert energies[0] == 0.0


def test_cutoffs_are_drawn_in_to_the_shortest_distance_of_each_pair() -> None:
    wide = ZblCutoffs.from_covalent_radii(ELEMENTS)
    structures = [dimer(1.0), dimer(0.9), dimer(0.7, "HO")]
    drawn = wide.inside(structures)
    assert drawn.outer[1, 2] == pytest.approx(0.9)
    assert drawn.inner[2, 1] == pytest.approx(0.45)
    assert drawn.outer[0, 2] == pytest.approx(0.7)
    untouched = np.ones((3, 3), dtype=bool)
    untouched[[1, 2, 0, 2], [2, 1, 2, 0]] = False
    assert np.array_equal(drawn.outer[untouched], wide.outer[untouched])
    step_by_step = wide.inside(structures[:1]).inside(structures[1:])
    assert np.array_equal(step_by_step.outer, drawn.outer)
    assert drawn.inside([dimer(1.5), *structures]) is drawn
    for structure in structures:
        assert ZblBaseline(ELEMENTS, wide).compute([structure])[0][0] > 0.0
        assert ZblBaseline(ELEMENTS, drawn).compute([structure])[0][0] == 0.0


def test_in_what_has_drawn_it_in_the_repulsion_is_zero_to_the_last_bit() -> None:
    """Distances to images and across a box come out a little different each time they are computed."""
    rng, wide = np.random.default_rng(0), ZblCutoffs.from_covalent_radii(ELEMENTS)
    repelled = 0
    for _ in range(200):
        n, cell = rng.integers(1, 9), np.diag(rng.uniform(1.2, 4.0, 3)) + rng.normal(0, 0.3, (3, 3))
        positions = rng.uniform(0, 1, (n, 3)) @ cell + rng.integers(-20, 20, (n, 3)) @ cell
        atoms = ase.Atoms(rng.choice(ELEMENTS, n), positions=positions, cell=cell, pbc=True)
        structure = Structure.from_atoms(atoms)
        repelled += ZblBaseline(ELEMENTS, wide).compute([structure])[0][0] > 0.0
        energies, forces, strain = ZblBaseline(ELEMENTS, wide.inside([structure])).compute([structure])
        assert energies[0] == 0.0
        assert not forces.any()
        assert not strain.any()
    assert repelled > 100


def test_inside_the_inner_cutoff_only_a_constant_is_added() -> None:
    inner, _ = cutoffs_of_co()
    radii = np.linspace(0.1, inner - 1e-6, 7)
    shifts = np.array([energy_and_slope(r)[0] - closed_form(r) for r in radii])
    assert np.ptp(shifts) < 1e-12 * closed_form(0.1)
    assert shifts[0] < -0.1  # the constant is not nothing
    h = 1e-5
    for r in radii[1:-1]:
        slope = (closed_form(r + h) - closed_form(r - h)) / (2 * h)
        assert energy_and_slope(r)[1] == pytest.approx(slope, rel=1e-7)


def test_energy_force_and_curvature_vanish_at_the_outer_cutoff() -> None:
    inner, outer = cutoffs_of_co()
    h = 1e-4
    energy, slope = energy_and_slope(outer - 1e-9)
    curvature = (energy_and_slope(outer - 1e-9)[1] - energy_and_slope(outer - 1e-6)[1]) / 1e-6
    assert abs(energy) < 1e-12
    assert abs(slope) < 1e-9
    assert abs(curvature) < 0.01
    middle = 0.5 * (inner + outer)
    energy, slope = energy_and_slope(middle)
    curvature = (energy_and_slope(middle + h)[1] - energy_and_slope(middle - h)[1]) / (2 * h)
    assert energy > 1.0
    assert slope < -10.0
    assert curvature > 100.0
    assert energy_and_slope(outer + 1e-9) == (0.0, 0.0)


@pytest.mark.parametrize("periodic", [False, True])
def test_forces_and_strain_equal_finite_differences(periodic: bool) -> None:
    if periodic:
        atoms = bulk("C", "diamond", a=1.9).repeat((1, 1, 2))  # squeezed until cores touch
    else:
        atoms = molecule("CH3OH")
        atoms.positions *= 0.5
    atoms.positions += np.random.default_rng(1).normal(0, 0.02, atoms.positions.shape)
    baseline, h = ZblBaseline(ELEMENTS), 1e-5

    def energy(moved: ase.Atoms) -> float:
        return float(baseline.compute([Structure.from_atoms(moved)])[0][0])

    _, forces, strain = baseline.compute([Structure.from_atoms(atoms)])
    assert np.abs(forces).max() > 1.0
    for atom, axis in [(0, 0), (1, 2), (3, 1)]:
        values = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * h
            values.append(energy(moved))
        assert forces[atom, axis] == pytest.approx(-(values[0] - values[1]) / (2 * h), rel=1e-6, abs=1e-6)
    for a, b in [(0, 0), (1, 2), (2, 0)]:
        values = []
        for sign in (1, -1):
            moved = atoms.copy()
            deformation = np.eye(3)
            deformation[a, b] += sign * h
            moved.positions = atoms.positions @ deformation
            moved.cell = np.asarray(atoms.cell) @ deformation
            values.append(energy(moved))
        assert strain[0, a, b] == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-6, abs=1e-6)


def test_batch_equals_one_by_one() -> None:
    baseline = ZblBaseline(ELEMENTS)
    structures = [dimer(0.7), dimer(0.6, "CH"), dimer(0.4, "OO")]
    energies, forces, strain = baseline.compute(structures)
    singles = [baseline.compute([s]) for s in structures]
    assert np.array_equal(energies, np.concatenate([s[0] for s in singles]))
    assert np.array_equal(forces, np.concatenate([s[1] for s in singles]))
    assert np.array_equal(strain, np.concatenate([s[2] for s in singles]))
    assert (energies > 0).all()


def test_wrong_cutoffs_and_elements_are_refused() -> None:
    with pytest.raises(InputError, match="0 < inner < outer"):
        ZblCutoffs(("H",), np.array([[0.5]]), np.array([[0.4]]))
    with pytest.raises(InputError, match="symmetric"):
        ZblCutoffs(("H", "C"), np.ones((2, 2)), np.array([[2.0, 2.1], [2.2, 2.0]]))
    with pytest.raises(InputError, match="contains N"):
        ZblBaseline(ELEMENTS).compute([Structure.from_atoms(molecule("N2"))])


def test_a_pair_with_zero_cutoffs_feels_nothing() -> None:
    none = ZblBaseline(("C", "O"), ZblCutoffs(("C", "O"), np.zeros((2, 2)), np.zeros((2, 2))))
    assert none.compute([dimer(0.3)])[0][0] == 0.0
    assert ZblBaseline(("C", "O")).compute([dimer(0.3)])[0][0] > 0.0

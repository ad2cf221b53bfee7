"""The ASE calculator against the potential and against ASE's own numerical derivatives."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.optimize import BFGS

from small_potentials import ethanol, random_potential, silicon
from thalweg.calculator import ThalwegCalculator
from thalweg.errors import ExtrapolationError, InputError
from thalweg.features.zbl import ZblCutoffs
from thalweg.potential import Potential


@pytest.fixture(scope="module")
def crystal() -> Potential:
    return random_potential("Si", train=[silicon(k) for k in range(4)])


def test_sites_that_are_no_atoms_have_no_energy(crystal: Potential) -> None:
    atoms = silicon(5).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    energy = atoms.get_potential_energy()
    atoms.info["occupancy"] = {"0": {"Si": 1.0}}
    atoms.arrays["spacegroup_kinds"] = np.zeros(len(atoms), dtype=int)
    atoms.calc.reset()
    assert atoms.get_potential_energy() == energy
    atoms.info["occupancy"] = {"0": {"Si": 0.5, "Ge": 0.5}}
    atoms.calc.reset()
    with pytest.raises(InputError, match=r"these atoms: .*atom 0 \(counted from 0\) Si 0.5, Ge 0.5"):
        atoms.get_potential_energy()


def test_results_are_the_prediction(crystal: Potential) -> None:
    atoms = silicon(5).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    prediction = crystal.predict(silicon(5))
    assert atoms.get_potential_energy() == prediction.energy
    assert atoms.get_potential_energy(force_consistent=True) == prediction.energy
    np.testing.assert_array_equal(atoms.get_forces(), prediction.forces)
    np.testing.assert_array_equal(atoms.get_stress(), prediction.stress)
    results = atoms.calc.results
    assert results["energy_uncertainty"] == prediction.energy_uncertainty > 0
    for key, expected in [
        ("forces_uncertainty", prediction.forces_deviation),
        ("forces_bound", prediction.forces_bound),
        ("novelty", prediction.novelty),
    ]:
        assert results[key].shape == (8,)
        np.testing.assert_array_equal(results[key], expected)


def test_ase_finds_the_same_derivatives(crystal: Potential) -> None:
    atoms = silicon(6).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    forces, stress = atoms.get_forces(), atoms.get_stress()
    assert np.abs(forces).max() > 0.1
    np.testing.assert_allclose(
        calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 5]), forces[[0, 5]], atol=1e-4
    )
    np.testing.assert_allclose(calculate_numerical_stress(atoms, eps=1e-5), stress, atol=1e-5)


def test_moving_atoms_renews_the_results(crystal: Potential) -> None:
    atoms = silicon(7).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    before = atoms.get_potential_energy()
    assert BFGS(atoms, logfile=None).run(fmax=10.0, steps=2) in (True, False)
    atoms.positions[0] += 0.05
    assert atoms.get_potential_energy() != before
    # The kept list's order of pairs is another than a fresh one's.
    fresh = crystal.predict(silicon(7).from_atoms(atoms)).energy
    assert atoms.get_potential_energy() == pytest.approx(fresh, abs=1e-10)


@pytest.mark.parametrize("skin", [0.0, 0.5])
def test_a_kept_list_serves_however_far_atoms_move(crystal: Potential, skin: float) -> None:
    atoms = silicon(7).to_atoms()
    atoms.calc = ThalwegCalculator(crystal, skin=skin)
    rng = np.random.default_rng(3)
    for size in (0.01, 0.05, 0.4, 0.01, 3.0):
        atoms.positions += size * rng.standard_normal(atoms.positions.shape)
        fresh = crystal.predict(silicon(7).from_atoms(atoms))
        np.testing.assert_allclose(atoms.get_forces(), fresh.forces, atol=1e-9 * np.abs(fresh.forces).max())
        assert np.abs(fresh.forces).max() > 0.01
    atoms.set_cell(1.03 * atoms.cell, scale_atoms=False)
    fresh = crystal.predict(silicon(7).from_atoms(atoms))
    np.testing.assert_allclose(atoms.get_stress(), fresh.stress, rtol=1e-9)


def test_uncertainty_can_be_left_out(crystal: Potential) -> None:
    atoms = silicon(7).to_atoms()
    with_bounds, plain = ThalwegCalculator(crystal), ThalwegCalculator(crystal, uncertainty=False)
    np.testing.assert_allclose(plain.get_forces(atoms), with_bounds.get_forces(atoms), atol=1e-10)
    np.testing.assert_allclose(plain.get_stress(atoms), with_bounds.get_stress(atoms), atol=1e-12)
    assert "forces_bound" in with_bounds.results
    assert "forces_bound" not in plain.results


def test_mixed_precision_is_close_and_not_the_same(crystal: Potential) -> None:
    atoms = silicon(7).to_atoms()
    double, mixed = ThalwegCalculator(crystal), ThalwegCalculator(crystal, precision="mixed")
    exact, rounded = double.get_forces(atoms), mixed.get_forces(atoms)
    error = np.abs(exact - rounded).max()
    assert 0 < error < 1e-4 * np.abs(exact).max()
    np.testing.assert_allclose(mixed.results["forces_bound"], double.results["forces_bound"], rtol=1e-3)


def test_wrong_options_are_refused(crystal: Potential) -> None:
    with pytest.raises(InputError, match="'double' or 'mixed'"):
        ThalwegCalculator(crystal, precision="half")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="skin"):
        ThalwegCalculator(crystal, skin=-1.0)


def through_pickle(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, through_pickle], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("options", [{}, {"precision": "mixed", "uncertainty": False, "skin": 0.3}])
def test_copies_give_the_same_numbers_and_stand_alone(crystal: Potential, duplicate, options) -> None:
    atoms = silicon(7).to_atoms()
    atoms.calc = ThalwegCalculator(crystal, **options)
    before = atoms.get_forces()
    twin = duplicate(atoms)
    assert twin.calc is not atoms.calc
    twin.calc.reset()
    np.testing.assert_array_equal(twin.get_forces(), before)
    assert twin.calc.results.keys() == atoms.calc.results.keys()
    twin.positions[0] += 0.3  # beyond the skin: the lists are two
    assert np.abs(twin.get_forces() - before).max() > 1e-3
    np.testing.assert_array_equal(atoms.get_forces(), before)
    assert (twin.calc.precision, twin.calc.uncertainty, twin.calc.skin) == (
        atoms.calc.precision,
        atoms.calc.uncertainty,
        atoms.calc.skin,
    )


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, through_pickle])
def test_a_potential_is_copied_by_what_it_is_made_of(crystal: Potential, duplicate) -> None:
    crystal.predict(silicon())  # the core's objects are there
    twin = duplicate(crystal)
    np.testing.assert_array_equal(twin.predict(silicon(3)).forces, crystal.predict(silicon(3)).forces)
    assert not twin.weights.flags.writeable
    features = duplicate(crystal.features)
    np.testing.assert_array_equal(features.phi([silicon()]), crystal.features.phi([silicon()]))


@pytest.mark.parametrize("precision", ["double", "mixed"])
@pytest.mark.parametrize("close", [False, True], ids=["apart", "in the core repulsion"])
def test_energies_of_atoms_add_up_to_the_energy(precision, close) -> None:
    build = ethanol
    potential = random_potential("C", "H", "O", train=[build(k) for k in range(3)])
    atoms = build(9).to_atoms()
    if close:
        atoms.positions[1] = atoms.positions[0] + [0.3, 0.1, 0.0]
    atoms.calc = ThalwegCalculator(potential, precision=precision)
    energy = atoms.get_potential_energy()
    assert "energies" not in atoms.calc.results
    energies = atoms.get_potential_energies()
    assert energies.shape == (len(atoms),)
    assert energies.std() > 0.01
    assert energies.sum() == pytest.approx(energy, rel=1e-12 if precision == "double" else 1e-6)
    assert {"forces", "forces_bound"} <= atoms.calc.results.keys()


def test_energies_of_atoms_are_the_models(crystal: Potential) -> None:
    structure = silicon(5)
    expected = crystal.features.phi([structure]) @ crystal.weights[0] + crystal.reference_energies[0]
    np.testing.assert_allclose(crystal.atom_energies(structure), expected, rtol=1e-9)
    assert np.ptp(expected) > 0.01


def test_energies_go_with_the_repulsion_that_outreaches_the_features(crystal: Potential) -> None:
    far = ZblCutoffs(("Si",), np.array([[3.0]]), np.array([[crystal.basis.r_cut + 0.5]]))
    potential = dataclasses.replace(crystal, zbl=far)
    structure = silicon(5)
    energies = potential.atom_energies(structure)
    assert energies.sum() == pytest.approx(potential.predict(structure).energy, rel=1e-12)
    assert np.abs(energies - crystal.atom_energies(structure)).min() > 0.01


@pytest.mark.parametrize("uncertainty", [True, False])
def test_no_number_that_is_none_leaves_the_calculator(crystal: Potential, uncertainty) -> None:
    atoms = silicon(7).to_atoms()
    atoms.calc = ThalwegCalculator(crystal, uncertainty=uncertainty)
    atoms.get_forces()
    atoms.positions[5] = atoms.positions[2]
    for ask in (atoms.get_forces, atoms.get_potential_energies, atoms.get_stress):
        with pytest.raises(InputError, match="atoms 2 and 5 are 0 Å apart; move them apart"):
            ask()
    assert atoms.calc.results == {}


def test_a_structure_that_no_list_takes_is_an_error_with_a_cure(crystal: Potential) -> None:
    atoms = silicon(7).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    atoms.positions[0] += 1e9
    with pytest.raises(InputError, match=r"beyond 1e\+06 Å"):
        atoms.get_potential_energy()


def test_on_request_a_structure_beyond_the_limits_is_refused(crystal: Potential) -> None:
    atoms = silicon(7).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    atoms.get_potential_energy()
    bound, novelty = (atoms.calc.results[key].max() for key in ("forces_bound", "novelty"))
    # The control: limits just above change nothing.
    atoms.calc = ThalwegCalculator(crystal, bound_max=1.01 * bound, novelty_max=1.01 * novelty)
    assert np.isfinite(atoms.get_potential_energy())
    for limit, words in (({"bound_max": 0.99 * bound}, "eV/Å"), ({"novelty_max": 0.99 * novelty}, "novelty")):
        atoms.calc = ThalwegCalculator(crystal, **limit)
        with pytest.raises(ExtrapolationError, match=rf"Si\d+ is .*{words}"):
            atoms.get_forces()
        assert atoms.calc.results == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bound_max": 0.0}, "above 0"),
        ({"novelty_max": float("nan")}, "above 0"),
        ({"bound_max": 0.1, "uncertainty": False}, "needs uncertainty=True"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(crystal: Potential, settings, words) -> None:
    with pytest.raises(InputError, match=words):
        ThalwegCalculator(crystal, **settings)


def test_a_molecule_has_no_stress() -> None:
    potential = random_potential("C", "H", "O", train=[ethanol(k) for k in range(3)])
    atoms = ethanol().to_atoms()
    atoms.calc = ThalwegCalculator(potential)
    assert np.isfinite(atoms.get_potential_energy())
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_unknown_elements_are_named(crystal: Potential) -> None:
    atoms = ethanol().to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    with pytest.raises(InputError, match="train one that includes"):
        atoms.get_potential_energy()

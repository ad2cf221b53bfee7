"""The ASE calculator against the potential and against ASE's own numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.optimize import BFGS

from small_potentials import ethanol, random_potential, silicon
from thalweg.calculator import ThalwegCalculator
from thalweg.errors import InputError
from thalweg.potential import Potential


@pytest.fixture(scope="module")
def crystal() -> Potential:
    return random_potential("Si", train=[silicon(k) for k in range(4)])


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

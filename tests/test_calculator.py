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
    assert atoms.get_potential_energy() == crystal.predict(silicon(7).from_atoms(atoms)).energy


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

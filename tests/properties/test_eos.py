"""Equations of state against a closed form, ASE's own fit and EMT copper."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState as AseEquationOfState

from small_potentials import random_potential, silicon
from thalweg.errors import InputError
from thalweg.features import AceBasis, Features
from thalweg.label import Label
from thalweg.models import BayesianLinear, SmoothnessPrior
from thalweg.models.training import Baseline, observe
from thalweg.oracles.ase import AseOracle
from thalweg.potential import ErrorBounds, Potential, Widening
from thalweg.properties.eos import (
    MemberEnergies,
    equation_of_state,
    fit_birch_murnaghan,
    member_energy_deltas,
    potential_equation_of_state,
    scaled_cells,
)
from thalweg.structure import Structure
from thalweg.units import GPa

V0, E0, B0, BP = 160.0, -43.0, 98.0, 4.7


def birch_murnaghan(V: np.ndarray, *, bulk_modulus: float = B0, derivative: float = BP) -> np.ndarray:
    """Birch (1947), in the usual textbook form."""
    x = (V0 / V) ** (2 / 3)
    strain = (x - 1) ** 3 * derivative + (x - 1) ** 2 * (6 - 4 * x)
    return E0 + 9 * V0 * bulk_modulus * GPa / 16 * strain


def copper() -> Structure:
    return Structure.from_atoms(bulk("Cu", cubic=True, a=3.62))


def emt_energy(structure: Structure) -> float:
    atoms = structure.to_atoms()
    atoms.calc = EMT()
    return float(atoms.get_potential_energy())


def test_closed_form_comes_back() -> None:
    V = np.linspace(140, 190, 9)
    eos = fit_birch_murnaghan(V, birch_murnaghan(V), n_atoms=8)
    found = eos.volume, eos.energy, eos.bulk_modulus_GPa, eos.bulk_modulus_derivative
    assert found == pytest.approx((V0, E0, B0, BP), rel=1e-8)
    assert eos.residual < 1e-10
    assert eos.bulk_modulus_uncertainty_GPa is None


def test_second_order_law_is_no_special_case() -> None:
    # B' = 4 makes the cubic a parabola: the leading coefficient vanishes.
    V = np.linspace(140, 190, 9)
    eos = fit_birch_murnaghan(V, birch_murnaghan(V, derivative=4.0), n_atoms=8)
    assert eos.bulk_modulus_GPa == pytest.approx(B0, rel=1e-8)
    assert eos.bulk_modulus_derivative == pytest.approx(4.0, abs=1e-6)


def test_copper_agrees_with_ase() -> None:
    eos = equation_of_state(copper(), emt_energy, max_strain=0.03)
    peer = AseEquationOfState(eos.volumes, eos.energies, eos="birchmurnaghan")
    v0, e0, b = peer.fit()
    assert eos.volume == pytest.approx(v0, rel=1e-6)
    assert eos.energy == pytest.approx(e0, abs=1e-6)
    assert eos.bulk_modulus_GPa == pytest.approx(b / GPa, rel=1e-4)
    assert eos.bulk_modulus_GPa == pytest.approx(134, rel=0.03)  # EMT copper
    assert 0 < eos.residual < 1e-3


def test_bulk_modulus_does_not_depend_on_the_cell() -> None:
    small = equation_of_state(copper(), emt_energy, max_strain=0.03)
    large = equation_of_state(
        Structure.from_atoms(copper().to_atoms() * (2, 1, 1)), emt_energy, max_strain=0.03
    )
    assert large.bulk_modulus_GPa == pytest.approx(small.bulk_modulus_GPa, rel=1e-6)
    assert large.volume == pytest.approx(2 * small.volume, rel=1e-6)


def test_committee_gives_uncertainties() -> None:
    V = np.linspace(140, 190, 9)
    energies = birch_murnaghan(V)
    deltas = np.array([birch_murnaghan(V, bulk_modulus=B0 + d) - energies for d in (-3.0, 3.0)])
    eos = fit_birch_murnaghan(V, energies, n_atoms=8, members=MemberEnergies(deltas))
    assert eos.bulk_modulus_uncertainty_GPa == pytest.approx(3.0, rel=1e-6)
    assert eos.volume_uncertainty == pytest.approx(0.0, abs=1e-6)
    assert eos.energy_uncertainty == pytest.approx(0.0, abs=1e-6)
    shifted = fit_birch_murnaghan(V, energies, n_atoms=8, members=MemberEnergies(deltas + 0.25))
    assert shifted.energy_uncertainty == pytest.approx(0.25, rel=1e-6)


def test_draws_are_widened_and_the_alternative_is_added() -> None:
    V = np.linspace(140, 190, 9)
    energies = birch_murnaghan(V)
    draws = np.array([birch_murnaghan(V, bulk_modulus=B0 + d) - energies for d in (-0.5, 0.5)])
    other = birch_murnaghan(V, bulk_modulus=B0 + 4.0) - energies + 0.1
    members = MemberEnergies(draws, other, Widening(energy=2.0, stress=6.0))
    eos = fit_birch_murnaghan(V, energies, n_atoms=8, members=members)
    assert eos.bulk_modulus_uncertainty_GPa == pytest.approx(np.hypot(6.0 * 0.5, 4.0), rel=1e-3)
    assert eos.energy_uncertainty == pytest.approx(0.1, rel=1e-3)  # the draws all have one depth


def test_member_without_a_minimum_leaves_nothing_known() -> None:
    V = np.linspace(140, 190, 9)
    energies = birch_murnaghan(V)
    flipped = np.array([-2 * energies])
    assert (
        fit_birch_murnaghan(V, energies, n_atoms=8, members=MemberEnergies(flipped)).volume_uncertainty
        is None
    )


def test_member_energies_are_those_of_member_potentials() -> None:
    potential = random_potential("Si", train=[silicon(k) for k in range(3)])
    structure = silicon(7)
    deltas = member_energy_deltas(potential, structure)
    energy = potential.predict(structure).energy
    for delta, weights in zip(deltas, potential.member_deltas, strict=True):
        member = replace(potential, weights=potential.weights + weights)
        assert member.predict(structure).energy - energy == pytest.approx(delta, rel=1e-6)
    assert np.abs(deltas).max() > 1e-3


def copper_potential() -> Potential:
    """Fitted to EMT on a dozen rattled and strained cells."""
    basis = AceBasis(("Cu",), r_cut=4.5, correlation_order=2, max_degree=(8, 5))
    baseline = Baseline(("Cu",), np.zeros(1))
    features, model = Features(basis), BayesianLinear(SmoothnessPrior.for_basis(basis))
    oracle = AseOracle(calculator="ase.calculators.emt.EMT")
    observations = []
    for k in range(12):
        atoms = bulk("Cu", cubic=True, a=3.4 + 0.04 * k)
        atoms.rattle(0.05, seed=k)
        structure = Structure.from_atoms(atoms)
        label = oracle.label(structure)
        assert isinstance(label, Label)
        observations.append(observe(features, structure, label, baseline))
    model.fit_batch(observations)
    bounds = ErrorBounds(0.95, np.ones(1), np.zeros(1))
    return Potential.from_model(model, basis, baseline, novelty=None, bounds=bounds, provenance={})


def test_learned_potential_beside_its_oracle() -> None:
    potential = copper_potential()
    learned = potential_equation_of_state(copper(), potential)
    true = equation_of_state(copper(), emt_energy)
    assert learned.volume == pytest.approx(true.volume, rel=0.01)
    assert learned.bulk_modulus_GPa == pytest.approx(true.bulk_modulus_GPa, rel=0.1)
    assert learned.bulk_modulus_uncertainty_GPa is not None
    assert 0 < learned.bulk_modulus_uncertainty_GPa < 0.1 * learned.bulk_modulus_GPa
    plain = equation_of_state(copper(), lambda cell: potential.predict(cell).energy)
    assert plain.bulk_modulus_GPa == learned.bulk_modulus_GPa


def test_result_is_json() -> None:
    eos = equation_of_state(copper(), emt_energy, n_points=5)
    data = json.loads(json.dumps(eos.to_json()))
    assert data["bulk_modulus_GPa"] == eos.bulk_modulus_GPa
    assert len(data["volumes"]) == 5


def test_volumes_of_scaled_cells() -> None:
    cells = scaled_cells(copper(), 0.03, 7)
    assert cells[3].volume == pytest.approx(copper().volume)
    assert cells[0].volume == pytest.approx(copper().volume * 0.97**3)
    assert cells[-1].volume == pytest.approx(copper().volume * 1.03**3)


def test_start_away_from_equilibrium() -> None:
    near = equation_of_state(copper(), emt_energy)
    far = equation_of_state(Structure.from_atoms(bulk("Cu", cubic=True, a=3.85)), emt_energy)
    assert far.volumes.min() < far.volume < far.volumes.max() < 3.85**3
    assert far.volume == pytest.approx(near.volume, rel=1e-3)
    assert far.bulk_modulus_GPa == pytest.approx(near.bulk_modulus_GPa, rel=0.02)


def test_minimum_out_of_reach_is_said() -> None:
    far = Structure.from_atoms(bulk("Cu", cubic=True, a=4.3))
    with pytest.raises(InputError, match="no minimum between"):
        equation_of_state(far, emt_energy, max_strain=0.02)


@pytest.mark.parametrize(
    ("structure", "options", "words"),
    [
        (Structure.from_atoms(bulk("Cu", a=3.6)), {"n_points": 4}, "at least 5 points"),
        (Structure.from_atoms(bulk("Cu", a=3.6)), {"max_strain": 0.0}, "max_strain"),
        (Structure([29], [[0, 0, 0]], np.zeros((3, 3)), [False] * 3), {}, "periodic in three"),
    ],
)
def test_bad_arguments(structure: Structure, options: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        equation_of_state(structure, emt_energy, **options)  # type: ignore[arg-type]

"""Energies, differences and stress with their standard deviations: by draws, factors and the alternative, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from small_potentials import ethanol, random_potential, silicon
from thalweg import ThalwegCalculator
from thalweg.errors import InputError
from thalweg.potential import Alternative, Potential, Widening
from thalweg.potential.misfit import other_exponent
from thalweg.structure import Structure


def with_misfit(potential: Potential, widening: Widening, other: float = 0.02) -> Potential:
    """Twelve draws, factors, and an alternative that differs by a share `other` of every coefficient."""
    rng = np.random.default_rng(5)
    basis = replace(potential.basis, radial_exponent=other_exponent(potential.basis.radial_exponent))
    weights = potential.weights * (1 + other * rng.standard_normal(potential.weights.shape))
    draws = np.concatenate([potential.member_deltas, *(s * potential.member_deltas for s in (0.5, -0.8))])
    return potential.stating(draws, widening, Alternative(basis, weights))


@pytest.fixture(scope="module")
def crystal() -> Potential:
    bare = random_potential("Si", train=[silicon(k) for k in range(4)])
    return with_misfit(bare, Widening(energy=2.5, forces=1.5, stress=3.0))


@pytest.fixture(scope="module")
def organic() -> Potential:
    bare = random_potential("C", "H", "O", train=[ethanol(k) for k in range(8)])
    return with_misfit(bare, Widening(energy=0.5))


def energies_by(potential: Potential, structure: Structure) -> tuple[np.ndarray, float]:
    """Of each draw, not widened, and of the alternative, each by a potential of its own, less the mean's; eV."""
    mean = potential.predict(structure).energy
    draws = [
        replace(potential, weights=potential.weights + delta).predict(structure).energy - mean
        for delta in potential.all_draws
    ]
    one = potential.alternative
    assert one is not None
    lone = Potential(
        one.basis,
        one.weights,
        np.zeros((1, *one.weights.shape)),
        potential.reference_energies,
        potential.zbl,
        None,
        potential.bounds,
    )
    return np.array(draws), lone.predict(structure).energy - mean


def test_an_energy_is_stated_by_draws_factor_and_alternative(organic: Potential) -> None:
    structure = ethanol(20)
    draws, other = energies_by(organic, structure)
    assert abs(other) > 0.01
    expected = np.sqrt(0.5**2 * np.mean(draws**2) + other**2)
    assert organic.predict(structure).energy_uncertainty == pytest.approx(expected, rel=1e-6)


def test_a_combination_is_stated_as_the_members_have_it(crystal: Potential) -> None:
    terms = [(1.0, silicon(1)), (-2.5, silicon(2)), (0.75, silicon(3))]
    parts = [energies_by(crystal, structure) for _, structure in terms]
    draws = sum(c * part[0] for (c, _), part in zip(terms, parts, strict=True))
    other = sum(c * part[1] for (c, _), part in zip(terms, parts, strict=True))
    estimate = crystal.energy_combination(terms)
    assert estimate.value == pytest.approx(
        sum(c * crystal.predict(structure).energy for c, structure in terms), rel=1e-12
    )
    assert estimate.posterior == pytest.approx(2.5 * np.sqrt(np.mean(draws**2)), rel=1e-6)
    assert estimate.misfit == pytest.approx(abs(other), rel=1e-6)
    assert estimate.uncertainty == pytest.approx(np.hypot(estimate.posterior, estimate.misfit))
    low, high = estimate.interval_95
    assert (low + high) / 2 == pytest.approx(estimate.value)
    assert high - low == pytest.approx(3.92 * estimate.uncertainty)


def test_what_structures_share_cancels(crystal: Potential) -> None:
    a, b = silicon(1), silicon(1).with_positions(silicon(1).positions + 0.002 * silicon(2).positions[::-1])
    difference = crystal.energy_difference(a, b)
    singly = [crystal.predict(structure).energy_uncertainty for structure in (a, b)]
    assert 0 < difference.uncertainty < 0.3 * np.hypot(*singly)
    assert difference.value == pytest.approx(-crystal.energy_difference(b, a).value)
    assert crystal.energy_difference(a, a).uncertainty == pytest.approx(0.0, abs=1e-9)


def test_words_say_where_an_energy_is_not_known(crystal: Potential) -> None:
    sure = crystal.energy_difference(silicon(1), silicon(1))
    assert str(sure) == "0.0000 ± 0.0000 eV"
    far = crystal.energy_combination([(50.0, silicon(1))])
    assert not far.is_known
    assert str(far).startswith("not known (members differ by ")
    assert "±" not in str(far)


def test_a_combination_that_makes_no_sense_is_refused(crystal: Potential) -> None:
    good = silicon(1)
    for terms, words in [
        ([], "no terms"),
        ([(1.0, good), (np.nan, good)], "term 1: the coefficient must be finite"),
        ([(1.0, good.to_atoms())], r"term 0: expected a Structure \(Structure.from_atoms"),
        ([good], r"term 0: expected a pair"),
        ([(1.0, good), (1.0, ethanol())], "term 1: the structure contains C"),
    ]:
        with pytest.raises(InputError, match=words):
            crystal.energy_combination(terms)  # type: ignore[arg-type]


def test_a_stress_is_stated_by_draws_factor_and_alternative(crystal: Potential) -> None:
    structure = silicon(7)
    prediction = crystal.predict(structure)
    members = crystal.members("stress", n_draws=12)
    draws = np.array([one.predict(structure).stress - prediction.stress for one in members.draws])
    assert members.alternative is not None
    other = members.alternative.predict(structure).stress - prediction.stress
    assert np.abs(other).max() > 1e-5
    expected = np.sqrt(np.mean(draws**2, axis=0) + other**2)
    np.testing.assert_allclose(prediction.stress_uncertainty, expected, rtol=1e-6)
    assert crystal.predict(structure, stress_uncertainty=False).stress_uncertainty is None


def test_a_molecule_has_no_stress_to_state(organic: Potential) -> None:
    assert organic.predict(ethanol(1)).stress_uncertainty is None
    with pytest.raises(InputError, match="periodic in three directions"):
        organic.stress_uncertainty(ethanol(1), np.zeros(6))


def test_ase_has_the_uncertainty_of_a_stress_that_was_asked_for(crystal: Potential) -> None:
    atoms = silicon(5).to_atoms()
    atoms.calc = ThalwegCalculator(crystal)
    atoms.get_forces()
    assert "stress_uncertainty" not in atoms.calc.results
    atoms.get_stress()
    stated = crystal.predict(silicon(5)).stress_uncertainty
    np.testing.assert_allclose(atoms.calc.results["stress_uncertainty"], stated, rtol=1e-9)
    atoms.positions[0] += 0.1
    atoms.get_stress()
    assert not np.allclose(atoms.calc.results["stress_uncertainty"], stated, rtol=1e-4)
    atoms.calc = ThalwegCalculator(crystal, uncertainty=False)
    atoms.get_stress()
    assert "stress_uncertainty" not in atoms.calc.results


def test_members_spread_any_quantity(crystal: Potential) -> None:
    structure = silicon(8)
    members = crystal.members("energy", n_draws=12)
    assert len(members) == len(list(members)) == 13
    value, deviation = members.spread(lambda one: one.predict(structure).energy)
    assert float(value) == crystal.predict(structure).energy
    assert float(deviation) == pytest.approx(crystal.predict(structure).energy_uncertainty, rel=1e-6)
    _, wider = crystal.members(n_draws=12).spread(lambda one: one.predict(structure).energy)
    assert float(wider) > float(deviation)  # the largest factor, where nothing is said of the kind
    _, arrays = members.spread(lambda one: one.predict(structure).forces)
    assert arrays.shape == (8, 3)
    assert (arrays > 0).all()


def test_members_are_as_many_as_there_are(crystal: Potential) -> None:
    assert len(crystal.members()) == len(crystal.member_deltas) + 1
    with pytest.raises(InputError, match="n_draws must be from 1 to 12"):
        crystal.members(n_draws=13)
    with pytest.raises(InputError, match="kind must be"):
        crystal.members("virial")  # type: ignore[arg-type]
    old = random_potential("Si", train=[silicon(k) for k in range(4)])
    assert old.members().alternative is None


def test_a_potential_comes_back_with_all_of_it(crystal: Potential, tmp_path) -> None:  # type: ignore[no-untyped-def]
    crystal.save(tmp_path)
    back, structure = Potential.load(tmp_path), silicon(9)
    assert back.widening == crystal.widening
    assert back.alternative is not None
    before, after = crystal.predict(structure), back.predict(structure)
    assert after.energy_uncertainty == before.energy_uncertainty
    np.testing.assert_array_equal(after.stress_uncertainty, before.stress_uncertainty)


def test_factors_and_alternatives_that_cannot_be_are_refused(crystal: Potential) -> None:
    with pytest.raises(InputError, match="factor of energy must be finite and above 0, got 0"):
        Widening(energy=0.0)
    assert crystal.alternative is not None
    with pytest.raises(InputError, match="must have shape"):
        Alternative(crystal.alternative.basis, np.zeros((1, 3)))
    carbon = replace(crystal.alternative.basis, elements=("C",))
    with pytest.raises(InputError, match="not for the elements"):
        replace(crystal, alternative=Alternative(carbon, crystal.alternative.weights))

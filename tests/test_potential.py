"""The potential against features evaluated one by one, finite differences, and its own saved form."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from small_potentials import basis_of, ethanol, random_potential, silicon
from thalweg.errors import InputError, ModelError
from thalweg.features.zbl import ZblBaseline
from thalweg.models.environments import TOO_FEW_NEIGHBOURS
from thalweg.neighbours import neighbour_counts
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import Structure
from thalweg.vocabulary import Precision


@pytest.fixture(scope="module")
def organic() -> Potential:
    return random_potential("C", "H", "O", train=[ethanol(k) for k in range(8)])


@pytest.fixture(scope="module")
def crystal() -> Potential:
    return random_potential("Si", train=[silicon(k) for k in range(4)])


def species_of(potential: Potential, structure: Structure) -> np.ndarray:
    return np.array([potential.elements.index(symbol) for symbol in structure.to_atoms().symbols])


def one_member(potential: Potential, m: int) -> Potential:
    weights = potential.weights + potential.member_deltas[m]
    return dataclasses.replace(potential, weights=weights)


def test_energy_is_the_sum_of_its_parts(organic: Potential) -> None:
    structure = ethanol(20)
    species = species_of(organic, structure)
    phi = organic.features.phi([structure])
    learned = float(np.einsum("ik,ik->", organic.weights[species], phi))
    core = float(ZblBaseline(organic.elements, organic.zbl).compute([structure])[0][0])
    expected = learned + float(organic.reference_energies[species].sum()) + core
    assert abs(learned) > 0.1
    assert organic.predict(structure).energy == pytest.approx(expected, rel=1e-10)


def test_forces_are_minus_the_gradient(organic: Potential) -> None:
    structure, h = ethanol(21), 1e-4
    forces = organic.predict(structure).forces
    assert np.abs(forces).max() > 0.1
    for atom, axis in [(0, 0), (3, 1), (8, 2)]:
        step = np.zeros_like(structure.positions)
        step[atom, axis] = h
        up, down = (
            organic.predict(structure.with_positions(structure.positions + s * step)).energy for s in (1, -1)
        )
        assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * h), abs=1e-5)


def test_stress_is_the_strain_derivative(crystal: Potential) -> None:
    structure, h = silicon(9), 1e-5
    prediction = crystal.predict(structure)
    assert prediction.stress is not None
    assert np.abs(prediction.stress).max() > 1e-3
    for voigt, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h / 2
            strain[b, a] += sign * h / 2
            strained = Structure(
                structure.numbers, structure.positions @ strain, structure.cell @ strain, structure.pbc
            )
            energies.append(crystal.predict(strained).energy)
        numeric = (energies[0] - energies[1]) / (2 * h) / structure.volume
        assert prediction.stress[voigt] == pytest.approx(numeric, abs=1e-6)


def test_a_molecule_has_no_stress(organic: Potential) -> None:
    assert organic.predict(ethanol()).stress is None


def test_uncertainties_are_the_members_own(organic: Potential) -> None:
    structure = ethanol(22)
    prediction = organic.predict(structure)
    members = [one_member(organic, m).predict(structure) for m in range(4)]
    changes = np.array([m.forces for m in members]) - prediction.forces
    deviation = np.sqrt((changes**2).sum(axis=2).mean(axis=0))
    assert deviation.min() > 1e-3
    np.testing.assert_allclose(prediction.forces_deviation, deviation, rtol=1e-6)
    # The mean is known and not estimated from the members, so the divisor is their number.
    changes_of_energy = np.array([m.energy for m in members]) - prediction.energy
    expected_spread = np.sqrt(np.mean(changes_of_energy**2))
    assert prediction.energy_uncertainty == pytest.approx(expected_spread, rel=1e-6)
    species = species_of(organic, structure)
    expected = organic.bounds.factors[species] * deviation + organic.bounds.floors[species]
    np.testing.assert_allclose(prediction.forces_bound, expected, rtol=1e-6)


@pytest.mark.parametrize(("precision", "digits"), [("double", 1e-9), ("mixed", 2e-4)])
def test_rivals_are_added_in_quadrature(organic: Potential, precision: Precision, digits: float) -> None:
    structure, rng = ethanol(22), np.random.default_rng(5)
    rivals = (
        1.5 * rng.standard_normal((3, *organic.weights.shape)) * np.abs(organic.member_deltas).mean(axis=0)
    )
    both = dataclasses.replace(organic, rivals=rivals)
    species = species_of(organic, structure)

    def lengths(coefficients: np.ndarray) -> np.ndarray:
        gradients, _ = organic.features.vjp([structure], coefficients[:, species])
        return np.asarray(np.linalg.norm(gradients, axis=2))

    draws, others = lengths(organic.member_deltas), lengths(rivals)
    expected = np.sqrt((draws**2).mean(axis=0) + (others**2).sum(axis=0))
    prediction = both.predict(structure, precision=precision)
    np.testing.assert_allclose(prediction.forces_deviation, expected, rtol=digits)
    assert (prediction.forces_deviation > 1.05 * organic.predict(structure).forces_deviation).mean() > 0.5
    # They are no posterior draws: the energy's spread is the draws' own.
    assert prediction.energy_uncertainty == organic.predict(structure, precision=precision).energy_uncertainty


def test_an_atom_that_lost_neighbours_is_novel(organic: Potential) -> None:
    assert organic.novelty is not None
    structure = ethanol(2)
    species, counts = species_of(organic, structure), neighbour_counts(structure, organic.basis.r_cut)
    fewest = [counts[species == element].min() for element in range(len(organic.elements))]
    guarded = dataclasses.replace(organic.novelty, fewest_neighbours=np.array(fewest, dtype=np.int32))
    potential = dataclasses.replace(organic, novelty=guarded)
    np.testing.assert_array_equal(potential.predict(structure).novelty, organic.predict(structure).novelty)
    positions = structure.positions.copy()
    positions[8] += [50.0, 0.0, 0.0]
    parted = structure.with_positions(positions)
    counts = neighbour_counts(parted, organic.basis.r_cut)
    lost = counts < np.array(fewest)[species]
    assert lost[8]
    assert counts[8] == 0
    assert not lost.all()
    novelty, plain = potential.predict(parted).novelty, organic.predict(parted).novelty
    np.testing.assert_array_equal(novelty, np.where(lost, TOO_FEW_NEIGHBOURS, plain))
    assert plain[8] < 20.0  # features that vanish look ordinary
    np.testing.assert_allclose(guarded(organic.features.phi([parted]), species, counts), novelty, rtol=1e-9)


def test_novelty_in_the_core_is_the_model_in_python(organic: Potential) -> None:
    assert organic.novelty is not None
    for structure in (ethanol(2), ethanol(23, 0.3)):
        expected = organic.novelty(organic.features.phi([structure]), species_of(organic, structure))
        np.testing.assert_allclose(organic.predict(structure).novelty, expected, rtol=1e-6)
    assert organic.predict(ethanol(23, 0.3)).novelty.max() > 2 * organic.predict(ethanol(2)).novelty.max()
    assert dataclasses.replace(organic, novelty=None).predict(ethanol(2)).novelty is None


def test_core_repulsion_can_be_left_out(organic: Potential) -> None:
    structure = ethanol()
    positions = structure.positions.copy()
    positions[0] = positions[1] + [0.5, 0.0, 0.0]
    close = structure.with_positions(positions)
    bare = dataclasses.replace(organic, zbl=None).predict(close).energy
    assert organic.predict(close).energy > bare + 1.0


def test_saved_and_loaded_predicts_the_same_bits(
    organic: Potential, crystal: Potential, tmp_path: Path
) -> None:
    for name, potential, structure in [("o", organic, ethanol(3)), ("c", crystal, silicon(3))]:
        potential.save(tmp_path / name)
        loaded = Potential.load(tmp_path / name)
        before, after = potential.predict(structure), loaded.predict(structure)
        for field in dataclasses.fields(before):
            np.testing.assert_array_equal(getattr(after, field.name), getattr(before, field.name))
        assert loaded.provenance == potential.provenance
        assert loaded.bounds.confidence == potential.bounds.confidence
    bare = dataclasses.replace(organic, zbl=None, novelty=None)
    bare.save(tmp_path / "o")  # over the earlier one
    assert Potential.load(tmp_path / "o").novelty is None
    assert len(list((tmp_path / "o").iterdir())) == 2


@pytest.mark.parametrize("damage", ["bits", "basis", "members", "facts", "confidence"])
def test_damaged_folders_are_refused(organic: Potential, tmp_path: Path, damage: str) -> None:
    organic.save(tmp_path)
    manifest = tmp_path / "potential.json"
    content = json.loads(manifest.read_text())
    if damage == "bits":
        path = next(tmp_path.glob("*.npz"))
        path.write_bytes(path.read_bytes()[:-10] + b"0123456789")
    elif damage == "basis":
        content["facts"]["basis"] = {"elements": "many"}
    elif damage == "members":
        content["facts"]["n_members"] = 10**9
    elif damage == "confidence":
        content["facts"]["confidence"] = None
    else:
        del content["facts"]["has_zbl"]
    manifest.write_text(json.dumps(content))
    with pytest.raises(ModelError):
        Potential.load(tmp_path)


def test_unknown_elements_are_named(crystal: Potential) -> None:
    with pytest.raises(InputError, match=r"contains [CHO]"):
        crystal.predict(ethanol())


def test_parts_that_do_not_belong_together_are_refused(organic: Potential) -> None:
    with pytest.raises(InputError, match="weights must have shape"):
        dataclasses.replace(organic, weights=organic.weights[:2])
    with pytest.raises(InputError, match="members needed"):
        dataclasses.replace(organic, member_deltas=organic.member_deltas[:0])
    with pytest.raises(InputError, match="holds NaN"):
        dataclasses.replace(organic, weights=np.full_like(organic.weights, np.nan))
    with pytest.raises(InputError, match="need factors"):
        dataclasses.replace(organic, bounds=ErrorBounds(0.9, np.zeros(3), np.zeros(3)))
    with pytest.raises(InputError, match="core repulsion"):
        dataclasses.replace(organic, basis=basis_of("H", "C", "O"), novelty=None)

"""From labels to a model: what is known is subtracted, what is left is learned."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from small_potentials import basis_of, ethanol, random_potential, silicon
from thalweg.errors import InputError
from thalweg.features.design import design_rows
from thalweg.features.evaluate import Features
from thalweg.features.zbl import ZblBaseline
from thalweg.label import Label, LabelNoise
from thalweg.models import BayesianLinear, RowKind, SmoothnessPrior
from thalweg.models.training import Baseline, estimate_reference_energies, observe, without_rigid_motion
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import Structure

NO_NOISE = LabelNoise()


def label_with(potential: Potential, structure: Structure, noise: LabelNoise = NO_NOISE) -> Label:
    prediction = potential.predict(structure)
    return Label(prediction.energy, prediction.forces, prediction.stress, noise)


@pytest.mark.parametrize(("make", "elements"), [(ethanol, ("C", "H", "O")), (silicon, ("Si",))])
def test_a_representable_truth_is_learned(make: object, elements: tuple[str, ...]) -> None:
    assert callable(make)
    truth = random_potential(*elements, train=[make(k) for k in range(4)])
    baseline = Baseline(elements, truth.reference_energies, ZblBaseline(elements))
    features, model = Features(truth.basis), BayesianLinear(SmoothnessPrior.for_basis(truth.basis))
    for k in range(100, 130):
        model.update(observe(features, make(k), label_with(truth, make(k)), baseline))
        if model.should_tune():
            model.tune(15)
    bounds = ErrorBounds(0.95, np.ones(len(elements)), np.zeros(len(elements)))
    learned = Potential.from_model(model, truth.basis, baseline, novelty=None, bounds=bounds, provenance={})
    structure = make(500)
    expected, found = truth.predict(structure), learned.predict(structure)
    error = np.abs(found.forces - expected.forces).max()
    assert error < 0.02 * np.abs(expected.forces).max()
    assert found.energy == pytest.approx(expected.energy, abs=0.02)
    if expected.stress is not None:
        np.testing.assert_allclose(found.stress, expected.stress, atol=0.05 * np.abs(expected.stress).max())


def test_energy_forces_and_virial_are_scaled_as_documented() -> None:
    truth = random_potential("Si", train=[silicon(k) for k in range(2)])
    baseline = Baseline(("Si",), truth.reference_energies, ZblBaseline(("Si",)))
    small = silicon(3)
    large = Structure.from_atoms(small.to_atoms().repeat((2, 1, 1)))
    features = Features(truth.basis)
    noise = LabelNoise(energy=0.1, forces=0.2, stress=0.003)
    one, two = (observe(features, s, label_with(truth, s, noise), baseline) for s in (small, large))
    for block, twice in zip(one, two, strict=True):
        np.testing.assert_allclose(twice.rows @ truth.weights.ravel(), twice.targets, rtol=1e-6, atol=1e-8)
        if block.kind is not RowKind.FORCES:
            # Energy and virial of a doubled cell are doubled, and divided by sqrt(N), sqrt(2) times larger.
            np.testing.assert_allclose(twice.targets, np.sqrt(2.0) * block.targets, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(block.rows @ truth.weights.ravel(), block.targets, rtol=1e-6, atol=1e-8)
    energy, forces, virial = one
    assert energy.label_noise == pytest.approx(0.1 / np.sqrt(8))
    assert forces.label_noise == 0.2
    assert virial.label_noise == pytest.approx(0.003 * small.volume / np.sqrt(8))


@pytest.mark.parametrize(
    ("numbers", "positions", "n_internal"),
    [
        ([8, 1, 1], [[0, 0, 0], [0.8, 0.6, 0], [-0.8, 0.6, 0.1]], 3),
        ([6, 8, 8], [[0, 0, 0], [0, 0, 1.2], [0, 0, -1.1]], 4),
        ([18], [[1, 2, 3]], 0),
    ],
    ids=["bent", "linear", "atom"],
)
def test_rigid_motions_are_taken_out_and_nothing_else(
    numbers: list[int], positions: list[list[float]], n_internal: int
) -> None:
    structure = Structure(np.array(numbers), np.array(positions, float), np.zeros((3, 3)), np.zeros(3, bool))
    r = structure.positions
    rigid = [np.tile(e, len(r)) for e in np.eye(3)] + [np.cross(e, r).ravel() for e in np.eye(3)]
    assert without_rigid_motion(structure, np.array(rigid).T) == pytest.approx(0.0, abs=1e-12)
    full = without_rigid_motion(structure, np.eye(3 * len(r)))
    assert full.shape == (n_internal, 3 * len(r))
    np.testing.assert_allclose(full @ full.T, np.eye(n_internal), atol=1e-12)


def test_crystals_keep_their_torques() -> None:
    internal = without_rigid_motion(silicon(), np.eye(24))
    assert internal.shape == (21, 24)
    assert internal @ np.tile(np.eye(3), (8, 1)) == pytest.approx(0.0, abs=1e-12)


def test_noise_is_not_diluted_by_rigid_motions() -> None:
    """Rigid motions left in the fit are noise-free rows: 6 of 27, and the noise found would be 0.26."""
    truth = random_potential("C", "H", "O", train=[ethanol(k) for k in range(4)])
    baseline = Baseline(truth.elements, truth.reference_energies, ZblBaseline(truth.elements))
    rng, features = np.random.default_rng(0), Features(truth.basis)
    model = BayesianLinear(SmoothnessPrior.for_basis(truth.basis))
    for k in range(60):
        internal = without_rigid_motion(ethanol(k), np.eye(27))
        misfit = (internal.T @ internal @ rng.normal(0.0, 0.3, 27)).reshape(9, 3)
        label = label_with(truth, ethanol(k))
        model.update(observe(features, ethanol(k), Label(label.energy, label.forces + misfit), baseline))
    model.tune(30)
    assert model.noise[RowKind.FORCES] == pytest.approx(0.3, rel=0.05)


def test_a_perfect_crystal_first_does_not_spoil_the_scale() -> None:
    truth = random_potential("Si", train=[silicon(k) for k in range(4)])
    baseline = Baseline(("Si",), truth.reference_energies, ZblBaseline(("Si",)))
    features, model = Features(truth.basis), BayesianLinear(SmoothnessPrior.for_basis(truth.basis))
    perfect = silicon(0, size=0.0)
    assert np.abs(truth.predict(perfect).forces).max() < 1e-10
    for structure in [perfect, *(silicon(k) for k in range(100, 115))]:
        model.update(observe(features, structure, label_with(truth, structure), baseline))
    # Force rows of a perfect crystal are zero up to rounding, which must not become a unit of length.
    typical = np.sqrt(np.mean(design_rows(features, silicon(500)).forces ** 2))
    assert (model.fitted.scale > 1e-4 * typical).all()
    model.tune(30)
    rows = design_rows(features, silicon(500)).forces
    expected = rows @ truth.weights.ravel()
    assert np.abs(rows @ model.mean - expected).max() < 0.03 * np.abs(expected).max()


def test_labels_without_stress_make_no_virial() -> None:
    truth = random_potential("Si", train=[silicon(k) for k in range(2)])
    baseline = Baseline(("Si",), truth.reference_energies)
    label = dataclasses.replace(label_with(truth, silicon(1)), stress=None)
    kinds = [block.kind for block in observe(Features(truth.basis), silicon(1), label, baseline)]
    assert kinds == [RowKind.ENERGY, RowKind.FORCES]
    with pytest.raises(InputError, match="forces have shape"):
        observe(Features(truth.basis), silicon(1), Label(0.0, np.zeros((2, 3))), baseline)


def test_reference_energies_are_found_from_compositions() -> None:
    rng = np.random.default_rng(0)
    structures = []
    for counts in [(1, 4), (2, 6), (3, 8), (2, 2)]:
        numbers = np.repeat([6, 1], counts)
        structures.append(
            Structure(numbers, rng.normal(size=(len(numbers), 3)), np.zeros((3, 3)), np.zeros(3, bool))
        )
    energies = [float((s.numbers == 6).sum() * -38.0 + (s.numbers == 1).sum() * -13.0) for s in structures]
    np.testing.assert_allclose(estimate_reference_energies(structures, energies, ("C", "H")), [-38.0, -13.0])
    constant = estimate_reference_energies(structures[:1] * 3, energies[:1] * 3, ("C", "H"))
    assert constant @ [1, 4] == pytest.approx(energies[0])
    assert np.abs(constant).max() < 30


def test_bad_baselines_are_refused() -> None:
    with pytest.raises(InputError, match="one finite reference energy"):
        Baseline(("C", "H"), np.zeros(3))
    with pytest.raises(InputError, match="contains Si"):
        Baseline(basis_of("C", "H").elements, np.zeros(2)).compute(silicon())

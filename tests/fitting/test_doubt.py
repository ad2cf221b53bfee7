"""Labels that do not hold together: a fit names them, and is hardly worse than without them."""

from dataclasses import replace

import numpy as np
import pytest

from copper import copper
from thalweg import api
from thalweg.config import ModelConfig
from thalweg.features import AceBasis
from thalweg.fitting import fit_labels
from thalweg.fitting.doubt import DOUBTED, check_labels, doubt_of
from thalweg.units import GPa

BASIS = AceBasis(("Cu",), 5.0, correlation_order=2, max_degree=(8, 6))
OPTIONS = ModelConfig(r_cut=5.0, max_degree=(8, 6))


@pytest.fixture(scope="module")
def train():
    return copper(30)


@pytest.fixture(scope="module")
def held_out():
    return copper(12, seed=7)


def with_energies(labelled, change):
    return [(s, replace(label, energy=change(s, label.energy))) for s, label in labelled]


def spoiled(labelled, places):
    rng, out = np.random.default_rng(3), list(labelled)
    for place in places:
        structure, label = out[place]
        forces = label.forces + rng.normal(0.0, 1.5, label.forces.shape)
        out[place] = structure, replace(label, energy=label.energy + 4.0, forces=forces)
    return out


def errors(fit, held_out):
    """Root mean square errors of forces (eV/Å) and stress (GPa)."""
    forces, stress = [], []
    for structure, label in held_out:
        prediction = fit.potential.predict(structure)
        forces.append((prediction.forces - label.forces).ravel())
        stress.append((prediction.stress - label.stress) / GPa)
    return [float(np.sqrt(np.mean(np.concatenate(off) ** 2))) for off in (forces, stress)]


@pytest.mark.parametrize(
    "change",
    [
        lambda s, e: 0.0,
        lambda s, e: e / len(s),
        lambda s, e: e + 5.0 * GPa * s.volume,
        lambda s, e: e + 4.0 * (s.positions[0, 0] > 0.0),
    ],
)
def test_good_stress_labels_survive_bad_energies(train, held_out, change):
    right, wrong = fit_labels(train, BASIS), fit_labels(with_energies(train, change), BASIS)
    assert right.coherence.findings == ()
    assert wrong.coherence.findings
    assert wrong.stress is None or wrong.stress.pressure == 0.0
    before, after = errors(right, held_out), errors(wrong, held_out)
    assert after[0] < 1.5 * before[0]
    assert after[1] < 2.0 * before[1]


def test_garbage_among_the_labels_hardly_hurts(train, held_out):
    places = (0, 6, 12, 18, 24)
    fit = fit_labels(spoiled(train, places), BASIS)
    without = fit_labels([pair for k, pair in enumerate(train) if k not in places], BASIS)
    (finding,) = fit.coherence.findings
    assert set(finding.places) == set(places)
    assert errors(fit, held_out)[0] < 1.7 * errors(without, held_out)[0]


def test_what_is_doubted_counts_little_and_is_not_judged_by(train):
    wrong = spoiled(train, (4, 9))
    order = [9, 0, 4, 1]
    doubt = doubt_of(check_labels(wrong, ("Cu",), 5.0), order)
    assert doubt.judges_stress
    for spread in (doubt.spread.energy, doubt.spread.forces, doubt.spread.virial):
        assert (spread[[0, 2]] >= DOUBTED).all()
        assert spread[[1, 3]].tolist() == [1.0, 1.0]
    assert doubt.spread.judged_forces.tolist() == [False, True, False, True]
    energies = doubt_of(check_labels(with_energies(train, lambda s, e: -e), ("Cu",), 5.0), order)
    assert not energies.judges_stress
    assert (energies.spread.energy >= DOUBTED).all()
    assert energies.spread.forces.tolist() == energies.spread.virial.tolist() == [1.0] * 4


def test_findings_are_told_by_the_numbers_of_the_file(train):
    result = api.fit(spoiled(train[:12], (3,)), options=OPTIONS)
    (warning,) = [line for line in result.warnings if "unlike all others" in line]
    assert "(structure 4)" in warning
    (finding,) = result.to_json()["model"]["labels"]
    assert (finding["about"], finding["how"], finding["labels"]) == (["forces"], "odd", [4])
    assert api.fit(train[:12], options=OPTIONS).to_json()["model"]["labels"] == []


def test_evaluation_names_what_does_not_hold_together(train, held_out):
    potential = fit_labels(train, BASIS).potential
    assert api.evaluate(potential, held_out)["findings"] == []
    wrong = with_energies(held_out, lambda s, e: e / len(s))
    (finding,) = api.evaluate(potential, wrong)["findings"]
    assert "per atom" in finding["words"]

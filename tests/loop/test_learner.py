"""What labels teach, and that learning it again gives the same bits."""

import itertools

import numpy as np
import pytest
from ase.calculators import emt
from ase.cluster import Octahedron

from thalweg.calibration import Calibration, CalibrationSpec, Stream
from thalweg.features import AceBasis, design_rows
from thalweg.features.zbl import ZblBaseline, shortest_distances
from thalweg.label import Label
from thalweg.loop.learning.comparing import (
    audit_record,
    error_bounds,
    force_errors,
    predict,
    prequential,
    stated_energy,
)
from thalweg.loop.learning.learner import NOVELTY_GROWTH, Learner
from thalweg.models.linear import TUNE_GROWTH
from thalweg.models.training import Baseline
from thalweg.structure import Structure

BASIS = AceBasis(("Cu",), r_cut=4.5, correlation_order=3, max_degree=(6, 5, 4))


def labelled(n, first=0):
    """Rattled clusters with EMT's answers."""
    pairs = []
    for seed in range(first, first + n):
        atoms = Octahedron("Cu", 2)
        atoms.rattle(0.12, seed=seed)
        atoms.calc = emt.EMT()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), wall_time=0.01, oracle="EMT")
        pairs.append((Structure.from_atoms(atoms), label))
    return pairs


def squeezed(n, factor):
    """The same pairs nearer than 0.8 times the sum of covalent radii; EMT answers there, too."""
    pairs = []
    for structure, _ in labelled(n, first=200):
        atoms = structure.to_atoms()
        atoms.positions *= factor
        atoms.calc = emt.EMT()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), wall_time=0.01, oracle="EMT")
        pairs.append((Structure.from_atoms(atoms), label))
    return pairs


def make_learner(seed=0):
    return Learner(BASIS, Baseline(("Cu",), np.array([3.5]), ZblBaseline(("Cu",))), n_members=4, seed=seed)


@pytest.fixture(scope="module")
def learned():
    """Four labels together, then twelve one by one, and when the novelty model was fitted anew."""
    pairs = labelled(16)
    learner = make_learner()
    learner.learn_first(pairs[:4])
    refreshed, tuned = [learner._novelty_labels], []
    for structure, label in pairs[4:]:
        seconds = learner.learn(structure, label)
        tuned += [learner.n_labels] if seconds is not None else []
        if learner._novelty_labels != refreshed[-1]:
            refreshed.append(learner._novelty_labels)
    return pairs, learner, refreshed, tuned


def same(one, two):
    structure = labelled(1, first=99)[0][0]
    a, b = one.predict(structure), two.predict(structure)
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("energy", "forces", "forces_deviation", "novelty")
    )


def test_learning_again_with_the_same_tunings_gives_the_same_bits(learned):
    pairs, learner, *_ = learned
    again = make_learner()
    again.replay(4, pairs, learner.tunings)
    assert again.tunings == learner.tunings
    assert same(again, learner)
    assert again.force_scale == learner.force_scale


def test_without_those_tunings_or_in_another_order_it_does_not(learned):
    pairs, learner, *_ = learned
    once = make_learner()
    once.replay(4, pairs, learner.tunings[:1])
    assert not same(once, learner)
    other = make_learner()
    other.replay(4, pairs[:4] + pairs[:3:-1], learner.tunings)
    assert not same(other, learner)


def test_the_repulsion_is_drawn_in_by_every_label_that_comes_nearer(learned):
    wide = make_learner().baseline
    near, nearer = squeezed(4, 0.8), squeezed(2, 0.7)
    learner = make_learner()
    learner.learn_first(near)
    for known in (near, near + nearer):
        structures = [structure for structure, _ in known]
        shortest = shortest_distances(structures, ("Cu",), 3.0)[0, 0]
        assert learner.baseline.zbl.cutoffs.outer[0, 0] == pytest.approx(shortest, rel=1e-10)
        for structure in structures:
            energy, forces, _ = learner.baseline.compute(structure)
            assert energy == 3.5 * len(structure)
            assert not forces.any()
        assert all(np.abs(wide.compute(structure)[1]).max() > 1 for structure in structures)
        for pair in nearer:
            learner.learn(*pair, tune=False)


def test_drawn_in_by_seeds_and_by_later_labels_the_replay_gives_the_same_bits():
    pairs = squeezed(4, 0.8) + squeezed(2, 0.7) + labelled(2) + squeezed(1, 0.65)
    learner, again = make_learner(), make_learner()
    learner.learn_first(pairs[:4])
    before = learner.baseline
    for pair in pairs[4:]:
        learner.learn(*pair)
    assert learner.baseline is not before
    again.replay(4, pairs, learner.tunings)
    assert same(again, learner)
    at_once = make_learner().baseline.inside([structure for structure, _ in pairs])
    for zbl in (again.baseline.zbl, at_once.zbl):
        assert np.array_equal(zbl.cutoffs.outer, learner.baseline.zbl.cutoffs.outer)


def test_labels_that_stay_away_leave_the_repulsion_as_it_is(learned):
    _, learner, *_ = learned
    assert learner.baseline.zbl.cutoffs.outer[0, 0] == pytest.approx(0.8 * 2 * 1.32)


def test_what_follows_a_replay_follows_as_it_would_have(learned):
    pairs, *_ = learned
    straight, resumed = make_learner(), make_learner()
    straight.learn_first(pairs[:4])
    for pair in pairs[4:8]:
        straight.learn(*pair)
    resumed.replay(4, pairs[:8], straight.tunings)
    for pair in pairs[8:]:
        straight.learn(*pair)
        resumed.learn(*pair)
    assert resumed.tunings == straight.tunings
    assert same(resumed, straight)


def test_the_committee_depends_on_the_seed_and_the_mean_does_not(learned):
    pairs, learner, *_ = learned
    other = make_learner(seed=1)
    other.replay(4, pairs, learner.tunings)
    structure = pairs[0][0]
    assert np.array_equal(other.predict(structure).forces, learner.predict(structure).forces)
    assert not np.array_equal(
        other.predict(structure).forces_deviation, learner.predict(structure).forces_deviation
    )


def test_the_evidence_is_maximised_again_as_labels_grow(learned):
    _, learner, _, tuned = learned
    points = [tuning.n_labels for tuning in learner.tunings]
    assert points == [4, *tuned]
    assert len(points) > 2
    assert all(b >= TUNE_GROWTH * a > b - 1 for a, b in itertools.pairwise(points))


def test_the_novelty_model_is_fitted_anew_as_labels_grow(learned):
    *_, refreshed, _ = learned
    assert refreshed[0] == 4
    assert all(b >= NOVELTY_GROWTH * a > b - 1 for a, b in itertools.pairwise(refreshed))
    assert len(refreshed) < 13  # not at every label


def test_the_scale_of_forces_is_their_root_mean_square_over_all_atoms(learned):
    pairs, learner, *_ = learned
    assert make_learner().force_scale == 0.0
    squares = np.concatenate([(label.forces**2).sum(axis=1) for _, label in pairs])
    assert learner.force_scale == pytest.approx(np.sqrt(squares.mean()), rel=1e-12)


def test_a_label_brings_the_model_nearer_to_it(learned):
    pairs, *_ = learned
    learner = make_learner()
    learner.learn_first(pairs[:4])
    structure, label = labelled(1, first=50)[0]
    before = learner.predict(structure)
    learner.learn(structure, label)
    after = learner.predict(structure)
    assert force_errors(after, label).max() < 0.7 * force_errors(before, label).max()
    assert after.forces_deviation.max() < before.forces_deviation.max()


def test_whitened_rows_give_posterior_covariances(learned):
    pairs, learner, *_ = learned
    rows = learner.force_rows(pairs[0][0])
    far = learner.force_rows(
        Structure.from_atoms(Octahedron("Cu", 2)).with_positions(1.15 * pairs[0][0].positions)
    )
    assert rows.shape == (18, BASIS.n_columns)
    assert 0 < (rows**2).sum() < (far**2).sum()  # surer of what it has learned


def test_an_answer_is_recorded_with_the_bounds_it_was_judged_by(learned):
    _pairs, learner, *_ = learned
    structure, label = labelled(1, first=60)[0]
    calibration = Calibration(CalibrationSpec(confidence=0.9))
    prediction = predict(learner, structure, calibration)
    assert not np.array_equal(prediction.forces_bound, prediction.forces_deviation)
    after = prequential(calibration, Stream.AUDIT, structure, prediction, label)
    (answer,) = after.window
    assert answer.stream is Stream.AUDIT
    assert np.array_equal(answer.bound, prediction.forces_bound)
    assert np.array_equal(answer.error, force_errors(prediction, label))
    assert calibration.window == ()


def test_an_answer_shows_errors_beside_the_spread_of_the_posterior(learned):
    pairs, learner, *_ = learned
    structure, label = labelled(1, first=61)[0]
    shown = learner.residuals(Stream.AUDIT, structure, label)
    prediction = learner.predict(structure)
    error = (prediction.energy - label.energy) / np.sqrt(6)
    assert shown.energy.square[0] == pytest.approx(error**2, rel=1e-6)
    row = design_rows(learner.features, structure).energy[None, :]
    assert shown.energy.variance[0] == pytest.approx(learner.model.variance(row)[0] / 6, rel=1e-9)
    assert shown.forces.square[0] == pytest.approx(
        (force_errors(prediction, label) ** 2).sum(), rel=0.2
    )  # without the rigid motions
    assert shown.stress is None
    before, its_label = pairs[-1]
    other = (learner.predict(before).energy - its_label.energy) / np.sqrt(6)
    assert shown.difference.square[0] == pytest.approx((error - other) ** 2, rel=1e-6)
    both = row - design_rows(learner.features, before).energy[None, :]
    assert shown.difference.variance[0] == pytest.approx(learner.model.variance(both)[0] / 6, rel=1e-9)


def test_what_is_stated_of_an_energy_is_widened_by_earlier_answers_alone(learned):
    _pairs, learner, *_ = learned
    calibration = Calibration(CalibrationSpec(confidence=0.9))
    for structure, label in labelled(12, first=80):
        shown = learner.residuals(Stream.AUDIT, structure, label)
        stated = stated_energy(calibration, shown, structure)
        expected = calibration.widening.energy * np.sqrt(6 * shown.energy.variance[0])
        assert stated == pytest.approx(expected, rel=1e-12)
        prediction = predict(learner, structure, calibration)
        record = audit_record(4, structure, prediction, label, None, stated)
        assert record.energy_uncertainty == pytest.approx(stated / 6, rel=1e-12)
        calibration = prequential(calibration, Stream.AUDIT, structure, prediction, label, shown)
    assert len(calibration.residuals) == calibration.n_residuals == 12
    assert calibration.widening.energy != Calibration(CalibrationSpec(confidence=0.9)).widening.energy


def test_the_bounds_of_a_potential_are_those_of_the_calibration(learned):
    pairs, learner, *_ = learned
    calibration = Calibration(CalibrationSpec(confidence=0.9))
    for pair in labelled(6, first=70):
        prediction = predict(learner, pair[0], calibration)
        calibration = prequential(calibration, Stream.QUERY, pair[0], prediction, pair[1])
    potential = learner.potential(error_bounds(calibration, [29]), {"oracle": "EMT"})
    expected = predict(learner, pairs[0][0], calibration).forces_bound
    assert np.allclose(potential.predict(pairs[0][0]).forces_bound, expected, rtol=1e-12, atol=0)
    assert potential.provenance["oracle"] == "EMT"

"""The verbs on copper: what comes out is right, calibrated, reproducible, and refused where it must be."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from copper import copper
from thalweg import api
from thalweg.calibration import CalibrationSpec
from thalweg.config import ModelConfig
from thalweg.errors import InputError, InputWarning, ModelError
from thalweg.evaluation import compare
from thalweg.explorers import WalkEvent
from thalweg.label import Label
from thalweg.potential import Potential
from thalweg.structure import Structure

SMALL = ModelConfig(r_cut=5.0, max_degree=(8, 6, 4))
BLOCK = {
    "n_structures",
    "energy_mae",
    "energy_rmse",
    "forces_mae",
    "forces_rmse",
    "stress_mae",
    "stress_rmse",
    "coverage",
}


@pytest.fixture(scope="module")
def train():
    return copper(40)


@pytest.fixture(scope="module")
def held_out():
    return copper(20, seed=1)


@pytest.fixture(scope="module")
def result(train, held_out):
    return api.fit(train, held_out, options=SMALL)


def without_stress(labelled):
    return [(structure, replace(label, stress=None)) for structure, label in labelled]


# --- fit ------------------------------------------------------------------------------------------------


def test_the_fit_is_better_than_the_spread_of_the_labels_by_far(result, held_out):
    forces = np.concatenate([label.forces for _, label in held_out])
    errors = result.to_json()["test"]
    assert errors["forces_rmse"] < 0.03 * forces.std()
    assert errors["energy_rmse"] < 2e-3
    assert errors["stress_rmse"] < 0.3


def test_the_document_has_its_documented_shape(result):
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert set(document) == {"train", "test", "model", "timing"}
    assert set(document["train"]) >= BLOCK
    assert set(document["test"]) >= BLOCK
    assert (document["train"]["n_structures"], document["test"]["n_structures"]) == (40, 20)
    assert document["model"]["elements"] == ["Cu"]
    assert document["model"]["r_cut"] == 5.0
    assert document["timing"]["wall"] > 0


def test_bounds_hold_as_often_as_they_say(result):
    errors = result.to_json()["test"]
    assert 0.88 <= errors["coverage"] <= 0.995
    assert errors["bound_mean"] < 10 * errors["forces_rmse"]


def test_errors_are_what_they_are_called(result, held_out):
    forces, energies, stresses = [], [], []
    for structure, label in held_out:
        prediction = result.potential.predict(structure)
        forces.append(prediction.forces - label.forces)
        energies.append((prediction.energy - label.energy) / len(structure))
        stresses.append((prediction.stress - label.stress) * 160.21766)  # GPa in eV/Å³
    errors = result.to_json()["test"]
    assert errors["forces_rmse"] == pytest.approx(np.sqrt(np.mean(np.square(forces))))
    assert errors["forces_mae"] == pytest.approx(np.mean(np.abs(forces)))
    assert errors["energy_mae"] == pytest.approx(np.mean(np.abs(energies)))
    assert errors["stress_mae"] == pytest.approx(np.mean(np.abs(stresses)), rel=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(train, result):
    again = api.fit(train, options=SMALL).potential
    other = api.fit(train, options=SMALL, seed=2).potential
    assert np.array_equal(again.weights, result.potential.weights)
    assert np.array_equal(again.member_deltas, result.potential.member_deltas)
    assert np.array_equal(again.bounds.factors, result.potential.bounds.factors)
    assert not np.array_equal(other.member_deltas, result.potential.member_deltas)


def test_stress_keys_are_there_only_where_a_stress_is(train, held_out):
    document = api.fit(without_stress(train[:10]), held_out[:3], options=SMALL).to_json()
    assert "stress_rmse" not in document["train"]
    assert "stress_rmse" in document["test"]


def test_options_and_provenance_arrive_in_the_potential(train):
    potential = api.fit(train[:6], options=SMALL.model_copy(update={"committee": 3}), seed=5).potential
    assert len(potential.member_deltas) == 3
    assert potential.basis.max_degree == (8, 6, 4)
    assert potential.provenance["n_labels"] == 6
    assert potential.provenance["seed"] == 5
    assert "EMT" in potential.provenance["oracles"][0]


def test_one_label_is_enough_for_a_potential_with_cautious_bounds(train):
    document = api.fit(train[:1], options=SMALL).to_json()
    assert document["model"]["folds"] == 1
    assert document["model"]["bounds"]["Cu"] == {
        "factor": CalibrationSpec().prior_factor,
        "floor": CalibrationSpec().prior_floor,
    }


def test_isolated_atoms_set_the_reference_energy(train):
    alone = Structure(np.array([29]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
    reference = api.fit([*train[:6], (alone, Label(1.25, np.zeros((1, 3))))], options=SMALL).potential
    assert reference.predict(alone).energy == pytest.approx(1.25, abs=1e-12)
    fitted = api.fit(train[:6], options=SMALL).potential
    assert abs(fitted.predict(alone).energy - 1.25) > 0.1


def test_a_fit_leaves_the_number_of_threads_as_it_was(train):
    from thalweg.features import set_num_threads
    from thalweg.features.evaluate import num_threads

    set_num_threads(1)
    api.fit(train[:3], options=SMALL)
    assert num_threads() == 1


def test_labels_of_energy_alone_are_fitted_and_compared(train, held_out):
    def without_forces(pairs):
        return [(s, replace(label, forces=np.full((len(s), 3), np.nan), stress=None)) for s, label in pairs]

    mixed = without_stress(train[:4]) + without_forces(train[4:])
    document = api.fit(mixed, without_forces(held_out), options=SMALL).to_json()
    assert "forces_rmse" not in document["test"]
    fewer = api.fit(without_stress(train[:4]), held_out, options=SMALL).to_json()
    assert document["test"]["energy_rmse"] < 0.7 * fewer["test"]["energy_rmse"]
    with pytest.raises(InputError, match="no label has forces"):
        api.fit(without_forces(train))


def test_a_fit_without_labels_is_refused():
    with pytest.raises(InputError, match="at least one"):
        api.fit([])


def test_forces_of_another_shape_are_refused(train):
    structure, label = train[0]
    broken = [(structure, Label(label.energy, label.forces[:-1]))]
    with pytest.raises(InputError, match="shape"):
        api.fit(broken, options=SMALL)
    with pytest.raises(InputError, match="shape"):
        api.evaluate(api.fit(train[:2], options=SMALL).potential, broken)


# --- evaluate -------------------------------------------------------------------------------------------


def test_evaluation_of_the_saved_potential_is_that_of_the_fit(result, held_out, tmp_path):
    result.potential.save(tmp_path / "model")
    document = api.evaluate(Potential.load(tmp_path / "model"), held_out)
    expected = result.to_json()["test"]
    assert document["test"] == expected
    assert set(document) == {"test", "findings", "model", "timing"}
    assert 0 < document["test"]["ence"] < 1
    assert document["test"]["rank_correlation"] > 0


def test_bounds_are_larger_far_from_the_training_set(result, held_out):
    near = api.evaluate(result.potential, held_out)["test"]
    far = api.evaluate(result.potential, copper(5, seed=3, size=0.35))["test"]
    assert far["bound_mean"] > 2 * near["bound_mean"]
    assert far["rank_correlation"] > 0.3


def test_an_unknown_element_is_named(result, held_out):
    structure, label = held_out[0]
    gold = Structure(np.where(np.arange(8) == 0, 79, 29), structure.positions, structure.cell, structure.pbc)
    with pytest.raises(InputError, match="Au"):
        api.evaluate(result.potential, [(gold, label)])
    with pytest.raises(InputError, match="at least one"):
        api.evaluate(result.potential, [])


# --- explore --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start(train):
    structure, _ = train[0]
    return structure


def test_a_cool_walk_goes_all_the_way(result, start):
    (walk,) = api.explore(result.potential, start, temperature=300, time_ps=1)
    assert walk.finished
    assert walk.reason == "the time was up"
    assert len(walk.snapshots) == 100
    assert walk.state.time_fs == pytest.approx(1000)
    times = np.array([moment.time_fs for moment in walk.snapshots])
    assert np.allclose(np.diff(times), 10)
    assert all(moment.bound_max <= 0.5 for moment in walk.snapshots)
    assert np.mean([moment.temperature for moment in walk.snapshots]) == pytest.approx(300, rel=0.35)


def test_a_walk_stops_before_the_bound_and_says_which_atom(result, start):
    hot = {"temperature": 3000, "time_ps": 2, "walkers": 2}
    free = api.explore(result.potential, start, **hot, bound_max=100.0)
    limit = 0.7 * min(max(moment.bound_max for moment in walk.snapshots) for walk in free)
    for walk in api.explore(result.potential, start, **hot, bound_max=limit):
        assert not walk.finished
        assert walk.verdict.event is WalkEvent.BREAK_UNCERTAIN
        assert walk.stopped_at.bound_max > limit
        assert all(moment.bound_max <= limit for moment in walk.snapshots)
        assert f"Cu{walk.verdict.atom} uncertain" in walk.reason


def test_a_walk_stops_where_nothing_like_it_was_seen(result, start):
    strict = api.Dynamics(novelty_max=1.2)
    (walk,) = api.explore(result.potential, start, temperature=2000, time_ps=2, dynamics=strict)
    assert walk.verdict.event is WalkEvent.BREAK_NOVEL
    assert walk.stopped_at.novelty_max > 1.2
    assert "not seen before" in walk.reason
    blind = replace(result.potential, novelty=None)
    (walk,) = api.explore(blind, start, temperature=300, time_ps=0.05)
    assert walk.finished
    assert walk.snapshots[-1].novelty is None
    with pytest.raises(ModelError, match="novelty"):
        api.explore(blind, start, temperature=300, time_ps=0.05, dynamics=strict)


def test_walkers_are_reproducible_and_differ_from_each_other(result, start):
    def ends(seed):
        walks = api.explore(
            result.potential,
            start,
            temperature=300,
            time_ps=0.1,
            walkers=2,
            dynamics=api.Dynamics(seed=seed),
        )
        return np.array([walk.state.structure.positions for walk in walks])

    assert np.array_equal(ends(1), ends(1))
    assert not np.array_equal(ends(1), ends(2))
    assert not np.array_equal(*ends(1))


def test_blocks_leave_no_trace(result, start, monkeypatch):
    from thalweg import trajectory

    whole = api.explore(result.potential, start, temperature=300, time_ps=0.2)
    monkeypatch.setattr(trajectory, "_BLOCK_STEPS", 7)
    pieces = api.explore(result.potential, start, temperature=300, time_ps=0.2)
    assert np.array_equal(whole[0].state.structure.positions, pieces[0].state.structure.positions)
    assert len(whole[0].snapshots) == len(pieces[0].snapshots)


@pytest.mark.parametrize(
    "words", [{"time_ps": 0}, {"walkers": 0}, {"temperature": -1}, {"temperature": math.nan}]
)
def test_what_makes_no_walk_is_refused(result, start, words):
    with pytest.raises(InputError):
        api.explore(result.potential, start, **{"temperature": 300, "time_ps": 0.1, **words})


def test_walks_protect_vacuum_and_say_what_is_odd(result, start):
    npt = api.Dynamics(ensemble="npt")
    slab = start.to_atoms()
    slab.center(vacuum=6.0, axis=2)
    with pytest.raises(InputError, match=r"explore: ensemble npt: along cell vector 3 .* without an atom"):
        api.explore(result.potential, Structure.from_atoms(slab), temperature=300, time_ps=0.01, dynamics=npt)
    with pytest.warns(InputWarning, match="explore: temperature: 7000 K is hotter"):
        api.explore(result.potential, start, temperature=7000, time_ps=0.01)
    with pytest.warns(InputWarning, match="explore: timestep_fs: 15 fs is long for Cu"):
        api.explore(
            result.potential, start, temperature=300, time_ps=0.03, dynamics=replace(npt, timestep_fs=15.0)
        )
    with pytest.raises(InputError, match="expected 0 to 20000 K"):
        api.explore(result.potential, start, temperature=1e6, time_ps=0.01)


def test_what_a_potential_has_no_numbers_for_is_named(result, held_out):
    structure, label = held_out[1]
    positions = structure.positions.copy()
    positions[1] = positions[0]
    wrong = structure.with_positions(positions)
    with pytest.raises(InputError, match="atoms 0 and 1 are 0 Å apart"):
        result.potential.predict(wrong)
    with pytest.raises(InputError, match=r"labelled\[1\]: Cu0 and Cu1 .* at the same position"):
        api.evaluate(result.potential, [held_out[0], (wrong, label)])
    with pytest.raises(InputError, match=r"labelled\[1\]: the potential gives no finite energy"):
        compare(result.potential, [held_out[0], (wrong, label)])


def test_a_fit_has_no_basis_that_is_fixed_by_a_word():
    with pytest.raises(InputError, match="a setting of runs; fix the basis of a fit by r_cut"):
        api.fit([], options=ModelConfig(basis="fixed"))

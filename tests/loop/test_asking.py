"""From moments to learned labels: the queue, the order of predicting and learning, and what is said."""

import dataclasses

import numpy as np
import pytest
from ase.calculators import emt
from askers import copper, make_asker, spoil, walk_asking
from blocks import LIMITS
from runs import EMT

from thalweg.calibration import Stream
from thalweg.loop.learning.comparing import predict
from thalweg.loop.learning.relearning import make_potential
from thalweg.loop.walking.gate import GateLimits
from thalweg.oracles import make_oracle

EAGER = GateLimits(1e-6, np.inf, np.inf, np.inf)
"""Whatever is not learned is worth a question."""
CONTENT = GateLimits(1e6, np.inf, np.inf, np.inf)


def true_forces(structure):
    atoms = structure.to_atoms()
    atoms.calc = emt.EMT()
    return atoms.get_forces()


def faulty(**rates):
    return {"name": "faulty", "inner": EMT, "rates": rates}


def test_what_is_compared_was_predicted_before_it_was_learned(tmp_path):
    with make_asker(tmp_path) as here:
        structure = copper(7)
        before = predict(here.learner, structure, here.state.calibration)
        here.asker.queue.take_queries(walk_asking(structure), EAGER)
        assert here.asker.queue.n_queries == 1
        answered = here.asker.ask(here.learner, 1)
        assert (answered.calls, answered.failed, answered.queries, answered.audits) == (1, 0, 1, ())
        (question,) = here.store.questions(kind="query")
        assert np.array_equal(question.prediction["forces"], before.forces)
        assert np.array_equal(question.prediction["forces_bound"], before.forces_bound)
        errors = np.linalg.norm(before.forces - true_forces(structure), axis=1)
        (entry,) = here.state.calibration.window
        assert entry.stream is Stream.QUERY
        assert np.allclose(entry.error, errors, rtol=0, atol=1e-12)
        after = np.linalg.norm(here.learner.predict(structure).forces - true_forces(structure), axis=1)
        assert errors.max() > 2 * after.max()
        assert here.learner.n_labels == 5
        (line,) = [text for kind, text, _ in here.ear.lines if kind == "query"]
        assert "(call 6)" in line
        assert f"was off by {errors.max():.2f}" in line or f"was off by {errors.max():.2g}" in line


def test_an_audit_is_scored_by_the_model_before_it_and_learned_after(tmp_path):
    with make_asker(tmp_path) as here:
        structures = [copper(k) for k in range(40, 44)]
        before = [here.learner.predict(structure).forces for structure in structures]
        here.asker.queue.draw_audits(walk_asking(samples=tuple(structures)), 3)
        answered = here.asker.ask(here.learner, 0)
        assert answered.queries == 0
        assert len(answered.audits) == answered.calls == here.learner.n_labels - 4 >= 2
        # All by one and the same model, although the first was learned before the last was compared.
        expected = [
            np.linalg.norm(forces - true_forces(structure), axis=1)
            for forces, structure in zip(before, structures, strict=True)
        ]
        for record in answered.audits:
            assert record.n_labels >= 4
            assert any(np.allclose(record.force_errors, errors, atol=1e-12) for errors in expected)
        assert {entry.stream for entry in here.state.calibration.window} == {Stream.AUDIT}


def test_a_question_that_another_answer_has_answered_is_withdrawn(tmp_path):
    with make_asker(tmp_path) as here:
        here.asker.queue.take_queries(walk_asking(copper(7), copper(8)), EAGER)
        here.asker.queue._limits = CONTENT  # as if learning had brought every bound below its limit
        assert here.asker.ask(here.learner, 2).calls == 0
        assert here.asker.queue.n_queries == 0
        here.asker.queue.take_queries(walk_asking(copper(7), copper(8)), EAGER)
        assert here.asker.ask(here.learner, 2).calls == 2


def test_a_twin_of_a_learned_structure_is_withdrawn_by_its_new_bound(tmp_path):
    with make_asker(tmp_path) as here:
        twin = copper(7).with_positions(copper(7).positions + 1e-6)
        bound = predict(here.learner, twin, here.state.calibration).forces_bound.max()
        here.asker.queue.take_queries(
            walk_asking(copper(7), twin), dataclasses.replace(EAGER, label=0.5 * float(bound))
        )
        assert here.asker.queue.n_queries == 2
        assert here.asker.ask(here.learner, 2).queries == 1


def test_what_is_learned_is_not_asked_again_whoever_asks(tmp_path):
    with make_asker(tmp_path) as here:
        seed = here.setup.structures[0]
        here.asker.queue.take_queries(walk_asking(seed, copper(7), copper(7)), EAGER)
        assert here.asker.queue.n_queries == 1
        here.asker.queue.draw_audits(walk_asking(samples=(seed,)), 2)
        answered = here.asker.ask(here.learner, 3)
        assert (answered.calls, answered.audits) == (1, ())
        assert here.learner.n_labels == len(here.store.labels_in_order()) == 5


@pytest.mark.parametrize("strategy", ["information", "random"])
def test_a_moment_drawn_as_an_audit_is_not_asked_a_second_time_as_a_query(tmp_path, strategy):
    with make_asker(tmp_path, acquisition={"strategy": strategy}) as here:
        walk = walk_asking(copper(7))
        here.asker.queue.take_queries(walk, EAGER)
        here.asker.queue.draw_audits(walk, 2)
        answered = here.asker.ask(here.learner, 1)
        assert (answered.calls, answered.queries, len(answered.audits)) == (1, 0, 1)
        # By the model that had not learned it: from such novelties their limit follows.
        (novelties,) = here.state.novelty.audits
        assert len(novelties) == len(copper(7))
        assert max(novelties) > predict(here.learner, copper(7), here.state.calibration).novelty.max()
        # What learned it once in memory learns it once from the store.
        assert here.learner.n_labels == len(here.store.labels_in_order()) == 5


def test_a_structure_that_the_oracle_cannot_answer_is_set_aside_and_its_walker_given_slack(tmp_path):
    with make_asker(tmp_path) as here:
        spoil(here, faulty(unconverged=1.0))
        here.asker.tell.rungs = here.labeller._ladder.oracle.rungs
        here.asker.queue.take_queries(walk_asking(copper(7)), EAGER)
        answered = here.asker.ask(here.learner, 1)
        assert (answered.calls, answered.failed, answered.queries) == (3, 3, 0)
        assert here.learner.n_labels == 4
        failures = [text for kind, text, _ in here.ear.lines if kind == "failure"]
        assert [text.split("; ", 1)[1] for text in failures] == [
            "trying again more cautiously",
            "trying again more cautiously",
            "set aside; it will not be asked again",
        ]
        here.asker.queue.take_queries(walk_asking(copper(7)), EAGER)
        assert here.asker.queue.n_queries == 0
        standing = [dataclasses.replace(w, structure=copper(7)) for w in here.state.walkers[:1]]
        elsewhere = [dataclasses.replace(w, structure=copper(8)) for w in here.state.walkers[1:]]
        here.state.walkers = standing + elsewhere
        bounds = here.asker.taught(here.learner)
        predicted = predict(here.learner, copper(7), here.state.calibration)
        assert bounds == {0: predicted.forces_bound.max()}


def test_walkers_at_learned_structures_are_known_with_their_bounds(tmp_path):
    with make_asker(tmp_path) as here:
        # Both walkers begin at the start structure, which is the first seed.
        assert set(here.asker.taught(here.learner)) == {0, 1}


def test_failed_attempts_use_up_the_calls_granted(tmp_path):
    with make_asker(tmp_path) as here:
        spoil(here, faulty(unconverged=1.0))
        here.asker.queue.take_queries(walk_asking(copper(7), copper(8), copper(9)), EAGER)
        answered = here.asker.ask(here.learner, 3)
        assert answered.calls == 3  # one question climbed its ladder; without failures three would fit


def test_the_best_are_asked_within_the_calls_granted_and_the_rest_is_withdrawn(tmp_path):
    with make_asker(tmp_path, acquisition={"strategy": "uncertainty"}) as here:
        structures = [copper(20, 0.02), copper(21, 0.35), copper(22, 0.02)]
        here.asker.queue.take_queries(walk_asking(*structures), EAGER)
        answered = here.asker.ask(here.learner, 1)
        assert answered.calls == 1
        assert here.asker.queue.n_queries == 0
        (question,) = here.store.questions(kind="query")
        assert question.structure_hash == structures[1].content_hash


def test_the_reason_stored_is_of_the_moment_by_the_model_that_asked(tmp_path):
    with make_asker(tmp_path) as here:
        structure = copper(7)
        predicted = predict(here.learner, structure, here.state.calibration)
        here.asker.queue.take_queries(walk_asking(structure), EAGER)
        here.asker.ask(here.learner, 1)
        (question,) = here.store.questions(kind="query")
        assert question.reason["value"] == predicted.forces_bound.max()
        assert question.reason["atom"] == predicted.forces_bound.argmax()
        assert question.reason["walker"] == 0
        assert question.reason["time"] == 0.01
        assert question.reason["value"] != LIMITS.label


def test_the_potential_carries_where_it_comes_from(tmp_path):
    with make_asker(tmp_path) as here:
        fingerprint = here.labeller.fingerprint
        provenance = make_potential(here.setup, here.learner, here.state.calibration, fingerprint).provenance
        assert provenance["n_labels"] == 4
        assert provenance["oracle"] == fingerprint
        assert provenance["system"] == [here.setup.structures[0].content_hash]


LATE = {"executor": {"kind": "process", "workers": 2}, "explore": {"walkers": 3}}


def test_with_a_second_worker_one_question_stays_under_way_and_its_walker_is_held(tmp_path):
    with make_asker(tmp_path, **LATE) as here:
        structures = [copper(7), copper(8), copper(9)]
        here.asker.queue.take_queries(walk_asking(*structures), EAGER)
        answered = here.asker.ask(here.learner, 3)
        assert (answered.calls, answered.queries, answered.under_way) == (2, 2, 1)
        (last,) = here.labeller.under_way
        assert answered.held == (last.walker,)
        assert here.learner.n_labels == 6
        # It is not asked about a second time, neither by a walker nor by chance.
        here.asker.queue.take_queries(walk_asking(last.structure), EAGER)
        assert here.asker.queue.n_queries == 0
        here.asker.queue.draw_audits(walk_asking(samples=(last.structure,)), 1)
        answered = here.asker.ask(here.learner, 3)
        assert (answered.calls, answered.under_way) == (0, 1)
        answered = here.asker.receive(here.learner)
        assert (answered.calls, answered.queries, answered.under_way, answered.held) == (1, 1, 0, ())
        assert here.learner.n_labels == len(here.store.labels_in_order()) == 7


def test_farthest_keeps_away_from_what_is_learned(tmp_path):
    with make_asker(tmp_path, acquisition={"strategy": "farthest"}) as here:
        assert len(here.learner.structures) == here.learner.n_labels
        seed = here.learner.structures[0]
        near, far = seed.with_positions(seed.positions + 1e-3 * np.eye(6, 3)), copper(5, 0.5)
        for walk in (walk_asking(near, far), walk_asking(far, near)):  # apart from that, the two are alike
            here.asker.queue.take_queries(walk, EAGER)
            (chosen,) = here.asker.queue.pop_queries(here.learner, 1)
            assert chosen.moment.structure is far
        # Once it is learned, it is what is kept away from.
        label = make_oracle(EMT).label(far)
        here.learner.learn(far, label, tune=False)
        other = far.with_positions(far.positions + 1e-3 * np.eye(6, 3))
        here.asker.queue.take_queries(walk_asking(other, copper(8, 0.3)), EAGER)
        (chosen,) = here.asker.queue.pop_queries(here.learner, 1)
        assert chosen.moment.structure is not other


@pytest.mark.parametrize("strategy", ["information", "uncertainty", "d-optimal", "farthest"])
def test_questions_under_way_count_as_answered_where_the_next_is_chosen(tmp_path, strategy):
    def chosen(folder, under_way):
        with make_asker(folder, acquisition={"strategy": strategy}, **LATE) as here:
            if under_way:
                here.asker.queue.take_queries(walk_asking(copper(21, 0.35)), EAGER)
                assert here.asker.ask(here.learner, 1).under_way == 1
            twin = copper(21, 0.35).with_positions(copper(21, 0.35).positions + 1e-4)
            here.asker.queue.take_queries(walk_asking(twin, copper(22, 0.2)), EAGER)
            (one,) = here.asker.queue.pop_queries(here.learner, 1)
            return one.walker

    assert chosen(tmp_path / "alone", under_way=False) == 0
    assert chosen(tmp_path / "beside", under_way=True) == 1


def test_fewer_workers_than_questions_under_way_first_take_in_what_is(tmp_path):
    with make_asker(tmp_path, executor={"kind": "process", "workers": 4}) as here:
        here.asker.queue.take_queries(walk_asking(copper(7), copper(8), copper(9)), EAGER)
        assert here.asker.ask(here.learner, 3).under_way == 3
        ids = here.labeller.under_way_ids
    with make_asker(tmp_path) as here:
        here.labeller.put_again(ids)
        here.asker.queue.take_queries(walk_asking(copper(10)), EAGER)
        answered = here.asker.ask(here.learner, 1)
        assert (answered.calls, answered.queries, answered.under_way) == (4, 4, 0)
        assert here.learner.n_labels == 8


def test_only_walkers_that_there_are_are_held(tmp_path):
    with make_asker(tmp_path, explore={"walkers": 4}, executor={"kind": "process", "workers": 4}) as here:
        here.asker.queue.take_queries(walk_asking(copper(7), copper(8), copper(9)), EAGER)
        assert here.asker.ask(here.learner, 3).held == (0, 1, 2)
        here.state.walkers = here.state.walkers[:2]  # resumed with fewer
        answered = here.asker.ask(here.learner, 0)
        assert (answered.under_way, answered.held) == (3, (0, 1))

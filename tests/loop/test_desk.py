"""The oracle's desk: everything recorded, nothing asked twice, nothing broken asked again."""

import threading
import time

import numpy as np
import pytest
from ase.cluster import Octahedron
from pools import HeldPool
from runs import EMT

from thalweg.errors import OracleError
from thalweg.label import Failure, FailureKind, Label
from thalweg.labelling.desk import Desk, Question, reference_energies
from thalweg.labelling.labeller import ATTEMPTS, Labeller, SerialPool
from thalweg.labelling.question import QuestionKind
from thalweg.potential import Prediction
from thalweg.store import SqliteStore, TaskState
from thalweg.structure import Structure


class CountingPool(SerialPool):
    """Notes what was submitted, and what the store held at that time."""

    def __init__(self, store):
        self.store, self.attempts, self.labels_then = store, [], []

    def submit(self, fn, /, *args, **kwargs):
        self.attempts.append(args[2])
        self.labels_then.append(len(self.store.all_labels()))
        return super().submit(fn, *args, **kwargs)


@pytest.fixture
def store(tmp_path):
    with SqliteStore.open(tmp_path / "run") as opened:
        yield opened


def make_desk(store, spec=EMT, set_aside=()):
    pool = CountingPool(store)
    return Desk(store, Labeller(spec, pool), set(set_aside)), pool


def faulty(**rates):
    return {"name": "faulty", "inner": EMT, "rates": rates}


def copper(seed=0):
    atoms = Octahedron("Cu", 2)
    atoms.rattle(0.05, seed=seed)
    return Structure.from_atoms(atoms)


def question(structure, iteration=1, kind=QuestionKind.QUERY, prediction=None):
    return Question(kind, structure, iteration, "here", 2, {"text": "why"}, prediction)


def test_a_label_is_durable_with_its_question_and_what_was_predicted(store):
    desk, _ = make_desk(store)
    n = len(copper())
    prediction = Prediction(
        energy=1.5,
        forces=np.full((n, 3), 0.25),
        stress=None,
        energy_uncertainty=0.1,
        forces_deviation=np.full(n, 0.01),
        forces_bound=np.full(n, 0.02),
        novelty=np.ones(n),
    )
    (reply,) = desk.ask([question(copper(), prediction=prediction)])
    assert isinstance(reply.label, Label)
    assert (reply.calls, reply.failures) == (1, ())
    (record,) = store.labels_in_order()
    assert np.array_equal(record.label.forces, reply.label.forces)
    asked = store.question(reply.question_id)
    assert (asked.state, asked.kind, asked.iteration, asked.reason) == (
        TaskState.DONE,
        "query",
        1,
        {"text": "why"},
    )
    assert set(asked.prediction) == {
        "energy",
        "energy_uncertainty",
        "forces",
        "forces_deviation",
        "forces_bound",
        "novelty",
    }
    assert np.array_equal(asked.prediction["forces"], prediction.forces)
    assert desk.has_label(copper())
    assert desk.is_settled(copper())
    assert not desk.is_settled(copper(1))


def test_a_known_label_is_an_answer_that_makes_no_call(store):
    desk, pool = make_desk(store)
    first = desk.ask([question(copper())])[0]
    second = desk.ask([question(copper(), iteration=2)])[0]
    assert len(pool.attempts) == 1
    assert second.calls == 1  # it cost its call when it was made
    assert np.array_equal(second.label.forces, first.label.forces)
    assert len(store.labels_in_order()) == 1


def test_every_retry_is_recorded_and_the_last_failure_sets_the_structure_aside(store):
    desk, pool = make_desk(store, faulty(unconverged=1.0))
    (reply,) = desk.ask([question(copper())])
    assert reply.label is None
    assert reply.calls == ATTEMPTS == len(reply.failures)
    assert pool.attempts == [0, 1, 2]
    assert [record.attempt for record in store.attempts(reply.question_id)] == [0, 1, 2]
    assert {record.failure.kind for record in store.attempts()} == {FailureKind.UNCONVERGED}
    assert store.question(reply.question_id).state is TaskState.QUARANTINED
    assert desk.is_quarantined(copper())
    assert desk.is_settled(copper())
    assert not desk.is_quarantined(copper(1))
    assert store.all_labels() == []
    # After a resume it is so where the checkpoint has it; else it is put again and fails again, without a call.
    assert make_desk(store, set_aside=[copper().content_hash])[0].is_quarantined(copper())
    resumed, pool = make_desk(store, faulty(unconverged=1.0))
    assert not resumed.is_quarantined(copper())
    (again,) = resumed.ask([question(copper())])
    assert (again.calls, again.failures, pool.attempts) == (reply.calls, reply.failures, [])
    assert resumed.is_quarantined(copper())


def test_a_retry_that_succeeds_gives_the_label_and_counts_what_it_cost(store):
    desk, pool = make_desk(store, faulty(crash=1.0) | {"heals": True})
    (reply,) = desk.ask([question(copper())])
    assert reply.label is not None
    assert reply.calls == 2
    assert [failure.kind for failure in reply.failures] == [FailureKind.CRASHED]
    assert pool.attempts == [0, 1]
    assert store.question(reply.question_id).state is TaskState.DONE
    assert not desk.is_quarantined(copper())


def test_an_interrupted_ladder_goes_on_from_its_next_rung(store):
    desk, pool = make_desk(store)
    asked = store.add_question(copper(), "query", iteration=1)
    store.record_failure(asked, 0, Failure(FailureKind.TIMED_OUT, "too slow"))
    (reply,) = desk.ask([question(copper())])
    assert reply.question_id == asked
    assert pool.attempts == [1]
    assert reply.calls == 2
    assert reply.label is not None


def test_a_ladder_climbed_to_its_end_is_not_climbed_again(store):
    desk, pool = make_desk(store, faulty(unconverged=1.0))
    first = desk.ask([question(copper())])[0]
    again = desk.ask([question(copper())])[0]
    assert len(pool.attempts) == ATTEMPTS
    assert again.label is None
    assert again.calls == first.calls
    assert again.failures == first.failures


def test_each_answer_is_durable_before_the_next_question_is_put(store):
    desk, pool = make_desk(store)
    replies = desk.ask([question(copper(k)) for k in range(4)])
    assert pool.labels_then == [0, 1, 2, 3]
    assert [reply.question.structure.content_hash for reply in replies] == [
        copper(k).content_hash for k in range(4)
    ]


def test_as_many_questions_as_there_are_workers_are_under_way_at_once(store):
    desk, pool = make_desk(store)
    replies = desk.ask([question(copper(k)) for k in range(5)], width=2)
    assert pool.labels_then == [0, 0, 1, 2, 3]
    assert len(replies) == 5
    assert desk.ask([]) == []


def say(k):
    """What a model says of copper(k)."""
    n = len(copper())
    return Prediction(1.5 + k, np.full((n, 3), 0.1 / 3), None, 0.1, np.full(n, 0.01), np.full(n, 0.02), None)


def asking(k):
    reason = {"where": f"walker {k}", "walker": k, "text": "why"}
    return Question(QuestionKind.QUERY, copper(k), 1, f"walker {k}", k, reason, say(k))


def test_answers_are_received_in_the_order_of_asking_and_durable_as_they_come(store):
    pool = HeldPool()
    desk = Desk(store, Labeller(EMT, pool), set())
    for k in range(3):
        desk.put(asking(k))
    assert [question.walker for question in desk.under_way] == [0, 1, 2]
    assert desk.is_under_way(copper(1))
    pool.give(1)
    desk.keep()
    (kept,) = store.all_labels()
    assert kept.structure.content_hash == copper(1).content_hash
    assert kept.sequence is None
    assert not desk.has_label(copper(1))
    giver = threading.Timer(0.05, lambda: (pool.give(1), time.sleep(0.2), pool.give(0)))
    giver.start()
    assert desk.receive().question.walker == 0
    giver.join()
    # The last came while the first was awaited: durable before its turn, too.
    assert {record.sequence for record in store.all_labels()} == {1, None}
    assert len(store.all_labels()) == 3
    assert [desk.receive().question.walker for _ in range(2)] == [1, 2]
    assert [record.structure.content_hash for record in store.labels_in_order()] == [
        copper(k).content_hash for k in range(3)
    ]
    assert desk.under_way == ()
    assert not desk.is_under_way(copper(1))


def test_what_was_under_way_is_put_again_as_it_was_and_what_had_come_is_not_computed_again(store):
    pool = HeldPool()
    desk = Desk(store, Labeller(EMT, pool), set())
    for k in range(2):
        desk.put(asking(k))
    pool.give(1)
    desk.keep()
    again = HeldPool()
    resumed = Desk(store, Labeller(EMT, again), set())
    resumed.put_again(desk.under_way_ids)
    assert len(again.waiting) == 1
    again.give()
    replies = [resumed.receive() for _ in range(2)]
    for k, reply in enumerate(replies):
        put = reply.question
        assert (put.kind, put.iteration, put.where, put.walker) == (QuestionKind.QUERY, 1, f"walker {k}", k)
        assert put.structure.content_hash == copper(k).content_hash
        assert put.prediction.energy == say(k).energy
        assert np.array_equal(put.prediction.forces, say(k).forces)
        assert np.array_equal(put.prediction.forces_bound, say(k).forces_bound)
        assert (put.prediction.energy_uncertainty, put.prediction.stress) == (0.1, None)
    assert [reply.calls for reply in replies] == [1, 1]


def test_a_label_is_durable_at_a_checkpoint_although_nobody_has_received_it(store):
    pool = HeldPool()
    desk = Desk(store, Labeller(EMT, pool), set())
    for k in range(2):
        desk.put(asking(k))
    pool.give(0)  # its turn has come, but walkers go on
    desk.keep()
    (kept,) = store.all_labels()
    assert kept.structure.content_hash == copper(0).content_hash
    assert kept.sequence is None
    assert desk.receive().question.walker == 0
    assert [record.sequence for record in store.all_labels()] == [1]


@pytest.mark.parametrize(
    ("faults", "calls"), [({"crash": 1.0, "heals": True}, 2), ({"crash": 1.0}, ATTEMPTS)]
)
def test_failures_that_came_before_their_turn_are_counted_again_and_not_made_again(store, faults, calls):
    rates = {name: rate for name, rate in faults.items() if name != "heals"}
    spec = faulty(**rates) | {"heals": faults.get("heals", False)}
    pool, again = HeldPool(), HeldPool()
    desk = Desk(store, Labeller(spec, pool), set())
    for k in range(2):
        desk.put(asking(k))
    for _ in range(calls):
        pool.give(1)  # the retry of the second question takes its place
    desk.keep()
    assert len(store.attempts()) == (calls - 1 if "heals" in faults else calls)
    resumed = Desk(store, Labeller(spec, again), set())
    resumed.put_again(desk.under_way_ids)
    assert len(again.waiting) == 1  # the first alone
    for _ in range(calls):
        again.give(0)
    for one in (desk, resumed):
        while pool.waiting:
            pool.give(0)
        first, second = one.receive(), one.receive()
        assert (first.calls, second.calls) == (calls, calls)
        assert len(second.failures) == len(store.attempts(second.question_id))
        assert (second.label is None) == (calls == ATTEMPTS)


class Atoms:
    """An oracle that knows the isolated atoms of some elements, and counts how often it is asked."""

    fingerprint = "atoms"

    def __init__(self, energies):
        self.energies, self.asked = energies, 0

    def isolated_atom_energy(self, number):
        self.asked += 1
        if number not in self.energies:
            raise OracleError("no such element")
        return self.energies[number]


def test_energies_of_isolated_atoms_are_asked_once_and_kept(store):
    labeller = Labeller(EMT)
    labeller.oracle = Atoms({29: -3.5, 47: None})
    assert reference_energies(store, labeller, [29]) == {29: -3.5}
    assert reference_energies(store, labeller, [29]) == {29: -3.5}
    assert labeller.oracle.asked == 1
    assert reference_energies(store, labeller, [29, 47]) is None  # the oracle gives none
    assert reference_energies(store, labeller, [29, 79]) is None  # the oracle refuses
    assert labeller.oracle.asked == 3

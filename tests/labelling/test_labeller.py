"""The labeller: everything recorded, nothing asked twice, nothing broken asked again, no call over the budget."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase.cluster import Octahedron

from held_pool import HeldPool
from thalweg.errors import SetupError
from thalweg.label import Failure, FailureKind, Label
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.executors.serial import SerialExecutor
from thalweg.labelling.labeller import Account, Labeller
from thalweg.labelling.ladder import ATTEMPTS, Ladder, worth_another
from thalweg.labelling.question import Question, QuestionKind, Reason
from thalweg.labelling.scratch import Scratch
from thalweg.labelling.source import OracleSource
from thalweg.oracles.base import isolated_atom
from thalweg.potential import Prediction
from thalweg.store import SqliteStore, TaskState
from thalweg.structure import Structure

EMT = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}


ARRIVALS: dict[SqliteStore, Arrivals] = {}
"""Of the stores that are open."""


class CountingPool(SerialExecutor):
    """Notes what was submitted, and what the store held at that time."""

    def __init__(self, store):
        self.store, self.attempts, self.labels_then = store, [], []

    def submit(self, fn, /, *args, **kwargs):
        self.attempts.append(args[0].attempt)
        self.labels_then.append(len(self.store.all_labels()))
        return super().submit(fn, *args, **kwargs)


@pytest.fixture
def store(tmp_path):
    with SqliteStore.open(tmp_path / "run") as opened, Arrivals(opened) as arrivals:
        ARRIVALS[opened] = arrivals
        yield opened
        del ARRIVALS[opened]


def on(store, pool, spec=EMT, set_aside=(), **account):
    """A labeller on an executor."""
    arrivals = ARRIVALS[store]
    ladder = Ladder(
        OracleSource.of(spec), pool, arrivals.arrived, inbox=arrivals.inbox, scratch=Scratch(store.folder)
    )
    return Labeller(store, arrivals, ladder, account=Account(**account), set_aside=set(set_aside))


def make_labeller(store, spec=EMT, set_aside=(), **account):
    pool = CountingPool(store)
    return on(store, pool, spec, set_aside, **account), pool


def faulty(**rates):
    return {"name": "faulty", "inner": EMT, "rates": rates}


def copper(seed=0):
    atoms = Octahedron("Cu", 2)
    atoms.rattle(0.05, seed=seed)
    return Structure.from_atoms(atoms)


def question(structure, iteration=1, kind=QuestionKind.QUERY, prediction=None):
    return Question(kind, structure, iteration, Reason(text="why"), prediction)


def test_a_label_is_durable_with_its_question_and_what_was_predicted(store):
    labeller, _ = make_labeller(store)
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
    (reply,) = labeller.ask([question(copper(), prediction=prediction)])
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
    assert labeller.has_label(copper())
    assert labeller.is_settled(copper())
    assert not labeller.is_settled(copper(1))


def test_a_known_label_is_an_answer_that_makes_no_call(store):
    labeller, pool = make_labeller(store)
    first = labeller.ask([question(copper())])[0]
    second = labeller.ask([question(copper(), iteration=2)])[0]
    assert len(pool.attempts) == 1
    assert second.calls == 1  # it cost its call when it was made
    assert np.array_equal(second.label.forces, first.label.forces)
    assert len(store.labels_in_order()) == 1


def test_every_retry_is_recorded_and_the_last_failure_sets_the_structure_aside(store):
    labeller, pool = make_labeller(store, faulty(unconverged=1.0))
    (reply,) = labeller.ask([question(copper())])
    assert reply.label is None
    assert reply.calls == ATTEMPTS == len(reply.failures)
    assert pool.attempts == [0, 1, 2]
    assert [record.attempt for record in store.attempts(reply.question_id)] == [0, 1, 2]
    assert {record.failure.kind for record in store.attempts()} == {FailureKind.UNCONVERGED}
    assert store.question(reply.question_id).state is TaskState.QUARANTINED
    assert labeller.is_quarantined(copper())
    assert labeller.is_settled(copper())
    assert not labeller.is_quarantined(copper(1))
    assert store.all_labels() == []
    # After a resume it is so where the checkpoint has it; else it is put again and fails again, without a call.
    assert make_labeller(store, set_aside=[copper().content_hash])[0].is_quarantined(copper())
    resumed, pool = make_labeller(store, faulty(unconverged=1.0))
    assert not resumed.is_quarantined(copper())
    (again,) = resumed.ask([question(copper())])
    assert (again.calls, again.failures, pool.attempts) == (reply.calls, reply.failures, [])
    assert resumed.is_quarantined(copper())


def test_a_retry_that_succeeds_gives_the_label_and_counts_what_it_cost(store):
    labeller, pool = make_labeller(store, faulty(crash=1.0) | {"heals": True})
    (reply,) = labeller.ask([question(copper())])
    assert reply.label is not None
    assert reply.calls == 2
    assert [failure.kind for failure in reply.failures] == [FailureKind.CRASHED]
    assert pool.attempts == [0, 1]
    assert store.question(reply.question_id).state is TaskState.DONE
    assert not labeller.is_quarantined(copper())


def test_an_interrupted_ladder_goes_on_from_its_next_rung(store):
    labeller, pool = make_labeller(store)
    asked = store.add_question(copper(), "query", iteration=1)
    store.record_failure(asked, 0, Failure(FailureKind.TIMED_OUT, "too slow"))
    (reply,) = labeller.ask([question(copper())])
    assert reply.question_id == asked
    assert pool.attempts == [1]
    assert reply.calls == 2
    assert reply.label is not None


def test_failures_of_another_oracle_say_nothing_of_this_one(store):
    worse, _ = make_labeller(store, faulty(unconverged=1.0))
    assert worse.ask([question(copper())])[0].label is None
    better, pool = make_labeller(store, {"name": "lennard-jones"})
    (reply,) = better.ask([question(copper())])
    assert reply.label is not None
    assert (pool.attempts, reply.failures) == ([0], ())


@pytest.mark.parametrize("rates", [{}, {"unconverged": 1.0}])
def test_what_is_counted_ahead_takes_no_room_and_is_not_counted_again(store, rates):
    labeller, _ = make_labeller(store, faulty(**rates))
    calls = labeller.ask([question(copper())])[0].calls
    again, pool = make_labeller(
        store, faulty(**rates), budget=calls, calls=calls, ahead={copper().content_hash: calls}
    )
    replies = again.ask([question(copper()), question(copper(1))])
    assert [reply.calls for reply in replies] == [0]
    assert (replies[0].label is None) == bool(rates)
    assert (again.account.calls, pool.attempts) == (calls, [])


def test_failures_counted_ahead_give_no_call_away_to_another_question(store):
    labeller, _ = make_labeller(store, faulty(unconverged=1.0))
    assert labeller.ask([question(copper())])[0].calls == 3
    again, pool = make_labeller(
        store, faulty(unconverged=1.0), budget=4, calls=3, ahead={copper().content_hash: 3}
    )
    (reply,) = again.ask([question(copper(), iteration=2)])
    assert (reply.calls, again.account.calls, pool.attempts) == (1, 4, [0])


def test_what_is_put_again_under_a_budget_lowered_below_it_makes_no_call(store):
    before = on(store, HeldPool())
    before.put(asking(0))
    labeller, pool = make_labeller(store, budget=1, calls=1)
    labeller.put_again(before.under_way_ids, before.shares)
    reply = labeller.receive()
    assert (reply.label, reply.calls, reply.cut_short, pool.attempts) == (None, 0, True, [])
    assert not labeller.is_quarantined(copper(0))


def test_shares_of_the_budget_stay_when_questions_are_put_again(store):
    before = on(store, HeldPool(), budget=4)
    for k in range(2):
        before.put(asking(k))
    assert before.shares == [3, 1]
    again = on(store, HeldPool(), budget=5)
    again.put_again(before.under_way_ids, before.shares)
    assert again.shares == [3, 1]


def test_a_ladder_climbed_to_its_end_is_not_climbed_again(store):
    labeller, pool = make_labeller(store, faulty(unconverged=1.0))
    first = labeller.ask([question(copper())])[0]
    again = labeller.ask([question(copper())])[0]
    assert len(pool.attempts) == ATTEMPTS
    assert again.label is None
    assert again.calls == first.calls
    assert again.failures == first.failures


def test_each_answer_is_durable_before_the_next_question_is_put(store):
    labeller, pool = make_labeller(store)
    replies = labeller.ask([question(copper(k)) for k in range(4)])
    assert pool.labels_then == [0, 1, 2, 3]
    assert [reply.question.structure.content_hash for reply in replies] == [
        copper(k).content_hash for k in range(4)
    ]


def test_as_many_questions_as_there_are_workers_are_under_way_at_once(store):
    labeller, pool = make_labeller(store)
    replies = labeller.ask([question(copper(k)) for k in range(5)], width=2)
    assert pool.labels_then == [0, 1, 2, 3, 4]  # durable when they arrive, which is at once
    assert len(replies) == 5
    assert labeller.ask([]) == []


def say(k):
    """What a model says of copper(k)."""
    n = len(copper())
    return Prediction(1.5 + k, np.full((n, 3), 0.1 / 3), None, 0.1, np.full(n, 0.01), np.full(n, 0.02), None)


def asking(k):
    reason = Reason(where=f"walker {k}", walker=k, text="why")
    return Question(QuestionKind.QUERY, copper(k), 1, reason, say(k))


def test_answers_are_received_in_the_order_of_asking_and_durable_as_they_come(store):
    pool = HeldPool()
    labeller = on(store, pool)
    for k in range(3):
        labeller.put(asking(k))
    assert [question.walker for question in labeller.under_way] == [0, 1, 2]
    assert labeller.is_under_way(copper(1))
    pool.give(1)
    labeller.keep()
    (kept,) = store.all_labels()
    assert kept.structure.content_hash == copper(1).content_hash
    assert kept.sequence is None
    assert not labeller.has_label(copper(1))
    giver = threading.Timer(0.05, lambda: (pool.give(1), time.sleep(0.2), pool.give(0)))
    giver.start()
    assert labeller.receive().question.walker == 0
    giver.join()
    # The last came while the first was awaited: durable before its turn, too.
    assert {record.sequence for record in store.all_labels()} == {1, None}
    assert len(store.all_labels()) == 3
    assert [labeller.receive().question.walker for _ in range(2)] == [1, 2]
    assert [record.structure.content_hash for record in store.labels_in_order()] == [
        copper(k).content_hash for k in range(3)
    ]
    assert labeller.under_way == ()
    assert not labeller.is_under_way(copper(1))


def test_what_was_under_way_is_put_again_as_it_was_and_what_had_come_is_not_computed_again(store):
    pool = HeldPool()
    labeller = on(store, pool)
    for k in range(2):
        labeller.put(asking(k))
    pool.give(1)
    labeller.keep()
    again = HeldPool()
    resumed = on(store, again)
    resumed.put_again(labeller.under_way_ids)
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
    labeller = on(store, pool)
    for k in range(2):
        labeller.put(asking(k))
    pool.give(0)  # its turn has come, but walkers go on
    labeller.keep()
    (kept,) = store.all_labels()
    assert kept.structure.content_hash == copper(0).content_hash
    assert kept.sequence is None
    assert labeller.receive().question.walker == 0
    assert [record.sequence for record in store.all_labels()] == [1]


@pytest.mark.parametrize(
    ("faults", "calls"), [({"crash": 1.0, "heals": True}, 2), ({"crash": 1.0}, ATTEMPTS)]
)
def test_failures_that_came_before_their_turn_are_counted_again_and_not_made_again(store, faults, calls):
    rates = {name: rate for name, rate in faults.items() if name != "heals"}
    spec = faulty(**rates) | {"heals": faults.get("heals", False)}
    pool, again = HeldPool(), HeldPool()
    labeller = on(store, pool, spec)
    for k in range(2):
        labeller.put(asking(k))
    for _ in range(calls):
        pool.give(1)  # the retry of the second question takes its place
    labeller.keep()
    assert len(store.attempts()) == (calls - 1 if "heals" in faults else calls)
    resumed = on(store, again, spec)
    resumed.put_again(labeller.under_way_ids)
    assert len(again.waiting) == 1  # the first alone
    for _ in range(calls):
        again.give(0)
    for one in (labeller, resumed):
        while pool.waiting:
            pool.give(0)
        first, second = one.receive(), one.receive()
        assert (first.calls, second.calls) == (calls, calls)
        assert len(second.failures) == len(store.attempts(second.question_id))
        assert (second.label is None) == (calls == ATTEMPTS)


# --- the budget -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("budget", range(1, 9))
def test_no_call_goes_over_the_budget(store, budget, width):
    labeller, pool = make_labeller(store, faulty(crash=0.6), budget=budget)
    replies = labeller.ask([question(copper(k)) for k in range(9)], width=width)
    assert len(pool.attempts) == labeller.account.calls == sum(reply.calls for reply in replies)
    assert len(pool.attempts) == budget  # and all of it is used
    assert labeller.room == 0


def test_a_retry_that_the_budget_cuts_short_is_said_and_not_set_aside(store):
    labeller, pool = make_labeller(store, faulty(crash=1.0), budget=2)
    (reply,) = labeller.ask([question(copper())])
    assert (reply.calls, reply.cut_short, len(pool.attempts)) == (2, True, 2)
    assert not labeller.is_settled(copper())
    # With a larger budget it goes on where it was.
    later, pool = make_labeller(store, faulty(crash=1.0), budget=9)
    (reply,) = later.ask([question(copper())])
    assert (reply.calls, reply.cut_short, pool.attempts) == (3, False, [2])
    assert later.is_settled(copper())


def test_an_isolated_atom_takes_no_more_calls_than_there_are_different_settings(store):
    labeller, pool = make_labeller(store)
    labeller._ladder.source = OracleSource.of(faulty(crash=1.0))
    (reply,) = labeller.ask([Question(QuestionKind.REFERENCE, isolated_atom(29), 0)])
    assert (reply.calls, len(pool.attempts)) == (1, 1)


# --- retries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "rungs", "again"),
    [
        (FailureKind.UNCONVERGED, 1, False),
        (FailureKind.UNCONVERGED, 3, True),
        (FailureKind.CRASHED, 1, True),
        (FailureKind.TIMED_OUT, 1, True),
        (FailureKind.REFUSED, 3, False),
    ],
)
def test_a_call_is_made_again_where_that_may_help(kind, rungs, again):
    assert worth_another(Failure(kind, "why"), 0, rungs=rungs) == again
    assert not worth_another(Failure(kind, "why"), ATTEMPTS - 1, rungs=rungs)


# --- what is not learned ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(QuestionKind))
def test_only_answers_that_teach_get_a_place_in_the_order_of_learning(store, kind):
    labeller, _ = make_labeller(store)
    (reply,) = labeller.ask([question(copper(), kind=kind)])
    assert reply.label is not None
    assert store.question(reply.question_id).state is TaskState.DONE
    assert len(store.all_labels()) == 1
    not_learned = (QuestionKind.REFERENCE, QuestionKind.PROPERTY, QuestionKind.CHECK, QuestionKind.PROBE)
    learned = kind not in not_learned
    assert len(store.labels_in_order()) == learned
    # Asked for again as something else, it costs no call and finds its place.
    labeller.ask([question(copper(), iteration=7)])
    assert len(store.labels_in_order()) == 1


def test_an_executor_that_takes_no_more_ends_the_run_and_fails_no_structure(store):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    labeller = on(store, pool)
    with pytest.raises(SetupError, match="accepts no more calls"):
        labeller.ask([question(copper())])
    assert store.attempts() == []

import numpy as np
import pytest
from store_toys import ORACLE, label, structure

from thalweg.errors import InputError, StoreError
from thalweg.label import Failure, FailureKind, Label
from thalweg.store import SqliteStore, TaskState


@pytest.mark.parametrize("periodic", [False, True], ids=["molecule", "crystal"])
def test_structures_and_labels_come_back_to_the_last_bit(tmp_path, periodic):
    given, answer = structure(0, periodic=periodic), label(0, stress=periodic)
    with SqliteStore.open(tmp_path) as store:
        store.commit_label(given, answer, kind="seed", iteration=0)
    with SqliteStore.open(tmp_path) as store:
        back = store.structure(given.content_hash)
        (record,) = store.labels_in_order()
    assert back.content_hash == given.content_hash == record.structure.content_hash
    found = record.label
    assert found.energy == answer.energy
    assert np.array_equal(found.forces, answer.forces)
    assert (found.stress is None) == (answer.stress is None)
    assert not periodic or np.array_equal(found.stress, answer.stress)
    assert (found.noise, found.oracle, found.wall_time) == (answer.noise, ORACLE, 0.25)


def test_labels_keep_the_order_of_learning(store):
    order = [3, 0, 2, 1]
    places = [store.commit_label(structure(k), label(k), kind="query", iteration=k) for k in order]
    assert places == [1, 2, 3, 4]
    assert [record.iteration for record in store.labels_in_order()] == order
    assert [record.iteration for record in store.labels_in_order(after=2)] == [2, 1]


def test_a_label_is_stored_once_per_structure_and_oracle(store):
    first = store.commit_label(structure(0), label(0), kind="query", iteration=0)
    again = store.commit_label(structure(0), label(1), kind="audit", iteration=5)
    assert first == again == 1
    assert store.find_label(structure(0).content_hash, ORACLE).energy == label(0).energy
    assert store.find_label(structure(0).content_hash, "other") is None
    other = label(0, oracle="other")
    assert store.commit_label(structure(0), other, kind="query", iteration=0) == 2


def test_a_label_kept_before_its_turn_is_durable_and_gets_its_place_when_committed(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        store.keep_label(structure(0), label(0), kind="query", iteration=3)
    with SqliteStore.open(tmp_path) as store:
        assert store.find_label(structure(0).content_hash, ORACLE).energy == label(0).energy
        assert not store.is_learned(structure(0).content_hash, ORACLE)
        assert store.labels_in_order() == []
        assert store.commit_label(structure(1), label(1), kind="query", iteration=3) == 1
        assert store.commit_label(structure(0), label(0), kind="query", iteration=3) == 2
        store.keep_label(structure(0), label(0), kind="query", iteration=3)
        assert [record.sequence for record in store.labels_in_order()] == [1, 2]


def test_what_is_not_finite_never_becomes_a_label(store):
    bad = Label(1.0, np.full((3, 3), np.nan), oracle=ORACLE)
    with pytest.raises(InputError, match="finite"):
        store.commit_label(structure(0), bad, kind="query", iteration=0)
    assert store.labels_in_order() == []


def test_questions_carry_their_reason_and_prediction(store):
    forces = np.random.default_rng(0).standard_normal((3, 3))
    reason = {"walker": np.int64(2), "bound": 0.41, "text": "O1 uncertain"}
    number = store.add_question(
        structure(0),
        "query",
        iteration=4,
        reason=reason,
        prediction={"forces": forces, "energy": np.array(1.5)},
    )
    (question,) = store.questions()
    assert (question.id, question.kind, question.iteration) == (number, "query", 4)
    assert question.reason == {"walker": 2, "bound": 0.41, "text": "O1 uncertain"}
    assert np.array_equal(question.prediction["forces"], forces)
    assert question.prediction["energy"] == 1.5
    assert question.state is TaskState.WAITING
    assert not question.state.is_finished()


def test_the_same_question_has_one_id(store):
    first = store.add_question(structure(0), "query", iteration=4)
    assert store.add_question(structure(0), "query", iteration=4) == first
    assert store.add_question(structure(0), "audit", iteration=4) != first
    assert store.add_question(structure(0), "query", iteration=5) != first


def test_questions_move_through_their_states(store):
    a = store.add_question(structure(0), "query", iteration=0)
    b = store.add_question(structure(1), "audit", iteration=0)
    store.set_state(a, TaskState.RUNNING)
    store.commit_label(structure(0), label(0), kind="query", iteration=0, question_id=a)
    store.record_failure(b, 0, Failure(FailureKind.UNCONVERGED, "no", "log", ORACLE, 0.5))
    assert [q.id for q in store.questions(state=TaskState.DONE)] == [a]
    assert [q.id for q in store.questions(kind="audit", state=TaskState.FAILED)] == [b]
    store.set_state(b, TaskState.QUARANTINED)
    assert store.question(b).state.is_finished()
    assert store.counts()["labels"] == store.counts()["failed_calls"] == store.counts()["quarantined"] == 1
    with pytest.raises(StoreError, match="no question 99"):
        store.set_state(99, TaskState.DONE)


def test_failures_are_kept_with_their_log_and_once(store):
    number = store.add_question(structure(0), "query", iteration=0)
    failure = Failure(FailureKind.TIMED_OUT, "too slow", "last lines", ORACLE, 60.0)
    for _ in range(2):
        store.record_failure(number, 0, failure)
    store.record_failure(number, 1, Failure(FailureKind.CRASHED, "boom"))
    records = store.attempts(number)
    assert [record.attempt for record in records] == [0, 1]
    assert records[0].failure == failure
    assert store.attempts(number + 1) == []


def test_a_transaction_happens_whole_or_not_at_all(store):
    def half():
        with store.transaction():
            store.add_question(structure(0), "query", iteration=0)
            with store.transaction():
                store.append_event(0, "asked", "text")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        half()
    assert (store.questions(), store.events()) == ([], [])
    with store.transaction():
        store.append_event(0, "asked", "text")
    assert len(store.events()) == 1


def test_an_unknown_structure_is_a_clear_error(store):
    with pytest.raises(StoreError, match="no structure abc"):
        store.structure("abc")


def test_a_question_takes_a_prediction_that_it_lacks_and_keeps_the_one_it_has(store):
    number = store.add_question(structure(0), "handed", iteration=0, reason={"text": "odd"})
    assert store.question(number).prediction == {}
    for energy in (1.0, 2.0):
        said = {"energy": np.array(energy)}
        assert store.add_question(structure(0), "handed", iteration=0, prediction=said) == number
        assert store.question(number).prediction["energy"] == 1.0
    assert store.question(number).reason == {"text": "odd"}

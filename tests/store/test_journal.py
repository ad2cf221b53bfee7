import numpy as np
import pytest
from store_toys import label, structure

from thalweg.errors import StoreError
from thalweg.store import HANDED, SqliteStore, TaskState
from thalweg.store.journal import CHECKPOINTS_KEPT


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    state = {"generator": rng.bit_generator.state, "factor": 0.1 + 0.2, "walkers": [1, 2]}
    arrays = {"R": rng.standard_normal((5, 5)), "steps": np.arange(3), "flags": np.array([True, False])}
    with SqliteStore.open(tmp_path) as store:
        assert store.last_checkpoint() is None
        store.save_checkpoint(3, state, arrays)
    with SqliteStore.open(tmp_path) as store:
        found = store.last_checkpoint()
    assert (found.iteration, found.state) == (3, state)
    assert found.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)


def test_only_the_last_checkpoints_are_kept(store):
    for iteration in range(10):
        store.save_checkpoint(iteration, {}, {})
    assert store.last_checkpoint().iteration == 9
    assert store._value("SELECT count(*) FROM checkpoints") == CHECKPOINTS_KEPT


def test_arrays_of_objects_are_refused(store):
    with pytest.raises(StoreError, match="Python objects"):
        store.save_checkpoint(0, {}, {"a": np.array([{}], dtype=object)})
    assert store.last_checkpoint() is None


def test_rewind_takes_back_the_story_but_no_label_and_no_failure(store):
    kept = store.add_question(structure(0), "query", iteration=1)
    store.commit_label(structure(0), label(0), kind="query", iteration=1, question_id=kept)
    store.append_event(1, "learned", "before")
    store.append_metrics(1, {"rmse": 0.2})
    store.save_checkpoint(1, {}, {})
    answered = store.add_question(structure(1), "query", iteration=2)
    store.commit_label(structure(1), label(1), kind="query", iteration=2, question_id=answered)
    store.add_question(structure(2), "query", iteration=2)
    store.append_event(2, "learned", "after")
    store.append_metrics(2, {"rmse": 0.1})

    store.rewind()

    assert [event.text for event in store.events()] == ["before"]
    assert [metrics.iteration for metrics in store.metrics()] == [1]
    assert [question.id for question in store.questions()] == [kept, answered]
    assert [record.sequence for record in store.all_labels()] == [1, None]
    assert len(store.labels_in_order()) == 1
    assert store.find_label(structure(1).content_hash, label(1).oracle).energy == label(1).energy

    assert store.commit_label(structure(3), label(3), kind="query", iteration=2) == 2
    assert store.commit_label(structure(1), label(1), kind="query", iteration=2) == 3
    assert [record.sequence for record in store.all_labels()] == [1, 2, 3]


def test_rewind_before_the_first_checkpoint_goes_back_to_the_beginning(store):
    store.add_question(structure(0), "seed", iteration=0)
    store.commit_label(structure(1), label(1), kind="seed", iteration=0)
    store.append_event(0, "asked", "text")
    store.rewind()
    assert (store.questions(), store.events(), store.labels_in_order()) == ([], [], [])
    assert len(store.all_labels()) == 1


def test_rewind_keeps_what_was_handed_in_and_lets_it_wait_again(store):
    store.commit_label(structure(0), label(0), kind="seed", iteration=0)
    learned = store.add_question(structure(0), HANDED, iteration=0)
    store.set_state(learned, TaskState.DONE)
    store.save_checkpoint(0, {}, {})
    taken_back = store.add_question(structure(1), HANDED, iteration=0, reason={"text": "odd"})
    store.commit_label(structure(1), label(1), kind=HANDED, iteration=0, question_id=taken_back)
    running = store.add_question(structure(2), HANDED, iteration=0)
    store.set_state(running, TaskState.RUNNING)
    lost = store.add_question(structure(3), HANDED, iteration=0)
    store.set_state(lost, TaskState.QUARANTINED)
    store.add_question(structure(4), "query", iteration=0)
    assert [question.id for question in store.handed_in()] == [running]

    store.rewind()

    states = {question.id: question.state for question in store.questions()}
    assert states == {
        learned: TaskState.DONE,
        taken_back: TaskState.WAITING,
        running: TaskState.WAITING,
        lost: TaskState.QUARANTINED,
    }
    assert [question.id for question in store.handed_in()] == [taken_back, running]


def test_events_metrics_runs_and_meta(store):
    for n in range(3):
        store.append_event(n, "asked" if n else "started", f"line {n}", {"call": np.int64(n)})
    assert [event.text for event in store.events(after=1)] == ["line 1", "line 2"]
    assert [event.text for event in store.events(kind="started")] == ["line 0"]
    assert store.events()[2].data == {"call": 2}
    store.append_metrics(0, {"rmse": np.float64(0.1)})
    assert store.metrics()[0].values == {"rmse": 0.1}
    assert store.start_run({"seed": 1}) == 1
    assert store.start_run({"seed": 2}, {"seed": [1, 2]}) == 2
    assert store.runs()[1].changes == {"seed": [1, 2]}
    assert store.meta("oracle") is None
    store.set_meta("oracle", {"name": "toy"})
    assert store.meta("oracle") == {"name": "toy"}


def test_a_reader_looks_on_while_the_writer_writes(tmp_path):
    with SqliteStore.open(tmp_path) as writer, SqliteStore.read(tmp_path) as reader:
        writer.commit_label(structure(0), label(0), kind="seed", iteration=0)
        assert len(reader.labels_in_order()) == 1
        number = writer.add_question(structure(1), "query", iteration=1)
        writer.set_state(number, TaskState.RUNNING)
        assert reader.counts()["running"] == 1
        with pytest.raises(StoreError, match="read-only"):
            reader.append_event(0, "x", "y")

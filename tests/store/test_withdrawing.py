"""Withdrawing beyond the laws: damaged labels, several at once, what the checkpoints know."""

import pytest
from store_toys import ORACLE, label, structure

from thalweg.errors import StoreError
from thalweg.label import Failure, FailureKind
from thalweg.store import HANDED, SqliteStore, TaskState
from thalweg.testing.toys import energies, learn


def number_of(store, seed):
    name = structure(seed).content_hash
    return next(r.number for r in store.all_labels() if r.structure.content_hash == name)


def test_a_damaged_label_can_be_withdrawn_and_the_rest_is_read_again(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        for seed in range(3):
            learn(store, seed)
        store._execute("UPDATE labels SET forces = x'00' WHERE id = 2")
        with pytest.raises(StoreError, match=rf"label 2 is damaged.*thalweg labels {tmp_path} --withdraw 2"):
            store.all_labels()
        record = store.withdraw_label(2, who="me", why="damaged")
        assert record.structure_hash == structure(1).content_hash
        assert energies(store) == [label(0).energy, label(2).energy]
        assert store.withdrawn_structures() == {structure(1).content_hash}


def test_a_label_of_wrong_types_can_be_withdrawn(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        learn(store, 0)
        store._execute("UPDATE labels SET energy = 'x', iteration = 'y', structure_hash = structure_hash")
        assert store.withdraw_label(1, who="me", why="").energy is None
        assert store.all_labels() == []


def test_every_checkpoint_knows_the_order_after_a_withdrawal(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        for seed in range(6):
            learn(store, seed)
            store.save_checkpoint(seed, {"n": seed + 1}, {})
        learn(store, 6)
        store.withdraw_label(number_of(store, 4), who="me", why="")
        store.withdraw_label(number_of(store, 0), who="me", why="")
        places = dict(store._rows("SELECT iteration, last_sequence FROM checkpoints"))
        assert places == {3: 3, 4: 3, 5: 4}
        assert len(store.withdrawn_since_checkpoint()) == 2
        store.rewind()
        assert energies(store) == [label(seed).energy for seed in (1, 2, 3, 5)]
        store._execute("UPDATE checkpoints SET state = '{}' WHERE iteration = 5")
        store.rewind()
        assert energies(store) == [label(seed).energy for seed in (1, 2, 3)]
        assert len(store.withdrawn_since_checkpoint()) == 2


def test_a_label_that_no_checkpoint_had_learned_asks_for_nothing_to_be_learned_anew(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        learn(store, 0)
        store.save_checkpoint(0, {}, {})
        learn(store, 1)
        store.keep_label(structure(2), label(2), kind="query", iteration=1)
        for seed in (1, 2):
            store.withdraw_label(number_of(store, seed), who="me", why="")
        assert store.withdrawn_since_checkpoint() == []
        store.withdraw_label(number_of(store, 0), who="me", why="")
        assert len(store.withdrawn_since_checkpoint()) == 1


def test_what_was_withdrawn_can_be_allowed_again_later_and_once(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        learn(store, 0, HANDED)
        store.withdraw_label(1, who="me", why="")
        assert store.questions()[0].state is TaskState.WITHDRAWN
        for _ in range(2):
            assert store.withdraw_label(1, who="me", why="", ask_again=True).ask_again
        assert [question.state for question in store.handed_in()] == [TaskState.WAITING]
        assert learn(store, 0, HANDED) == 1
        assert store.find_label(structure(0).content_hash, ORACLE).energy == label(0).energy


def test_an_answer_that_comes_after_the_withdrawal_is_kept_with_it_and_is_no_label(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        number = store.add_question(structure(0), "query", iteration=0)
        store.set_state(number, TaskState.RUNNING)
        store.withdraw_question(number, who="me", why="")
        store.record_failure(number, 0, Failure(FailureKind.CRASHED, "boom"))
        store.keep_label(structure(0), label(0), kind="query", iteration=0, question_id=number)
        assert store.question(number).state is TaskState.WITHDRAWN
        assert store.all_labels() == []
        assert store.find_label(structure(0).content_hash, ORACLE) is None
        assert store.withdrawals()[0].energy == label(0).energy


def test_withdrawals_are_kept_when_the_store_is_opened_anew(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        learn(store, 0)
        store.save_checkpoint(0, {}, {})
        store.withdraw_label(1, who="me", why="ein Sprung")
    with SqliteStore.open(tmp_path) as store:
        (record,) = store.withdrawn_since_checkpoint()
        assert (record.why, record.energy) == ("ein Sprung", label(0).energy)
        assert store.counts()["withdrawn_labels"] == 1

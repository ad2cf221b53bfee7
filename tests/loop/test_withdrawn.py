"""A run without the labels that were withdrawn is as one that never had them."""

import numpy as np
import pytest
from resuming import Interrupted, interrupt
from runs import cluster, make_config

from thalweg.errors import OracleError, StoreError
from thalweg.explorers import MolecularDynamics
from thalweg.loop import runner
from thalweg.loop.beginning import recall
from thalweg.loop.learning.relearning import make_learner, references_of, relearn
from thalweg.loop.learning.withdrawn import heed_withdrawals, learn_anew
from thalweg.loop.runner import run
from thalweg.loop.setup import prepare
from thalweg.oracles.registry import make_oracle
from thalweg.store import MemoryStore, SqliteStore

ENERGIES = {29: -3.5}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run that was interrupted at its tenth checkpoint: its configuration, setup and folder."""
    folder = tmp_path_factory.mktemp("withdrawn")
    config = make_config(cluster(folder))
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, at=10)
        with pytest.raises(Interrupted):
            run(config, folder / "run")
    return config, prepare(config, make_oracle(config.oracle.model_dump())), folder / "run"


def withdraw(store, *places):
    """The labels that have these places now; they are withdrawn together."""
    numbers = [store.labels_in_order()[place - 1].number for place in places]
    return [store.withdraw_label(number, who="me", why="wrong") for number in numbers]


def forces(learner, structure):
    return learner.predict(structure).forces


def test_what_is_learned_is_what_a_run_without_them_had_learned(begun):
    _, setup, folder = begun
    with MemoryStore.copy_of(folder) as store:
        before = relearn(setup, recall(store, MolecularDynamics()), store, ENERGIES)
        state = recall(store, MolecularDynamics())
        n, n_first = state.policy.n_labels, state.n_first
        assert not heed_withdrawals(state, store)
        # one of those that were learned together, and the two after them, at least one of which was an audit or query
        gone = withdraw(store, 2, n_first + 1, n_first + 2)
        assert heed_withdrawals(state, store)
        learner = learn_anew(setup, state, store, ENERGIES)
        records = store.labels_in_order()
    assert state.set_aside >= {record.structure_hash for record in gone}
    assert (len(records), learner.n_labels, state.policy.n_labels) == (n - 3, n - 3, n - 3)
    assert state.n_first == n_first - 1
    assert len(state.policy.audits) == sum(r.kind == "audit" for r in records)
    assert state.calibration.n_answers == n - 3 - state.n_first
    assert state.policy.certification.window_start == len(state.policy.audits)

    first = [(r.structure, r.label) for r in records[: state.n_first]]
    other = make_learner(setup, references_of(setup, ENERGIES, first))
    other.learn_first(first)
    for r in records[state.n_first :]:
        other.learn(r.structure, r.label)
    probe = setup.structures[0].with_positions(setup.structures[0].positions * 1.02)
    assert np.array_equal(forces(learner, probe), forces(other, probe))
    assert not np.array_equal(forces(learner, probe), forces(before, probe))
    assert state.tunings == other.tunings


def test_it_comes_back_from_its_checkpoint_to_the_same_bits(begun):
    _, setup, folder = begun
    with MemoryStore.copy_of(folder) as store:
        state = recall(store, MolecularDynamics())
        withdraw(store, state.n_first + 1)
        heed_withdrawals(state, store)
        learner = learn_anew(setup, state, store, ENERGIES)
        store.save_checkpoint(state.policy.iteration, state.to_json(), {})
        assert store.withdrawn_since_checkpoint() == []
        again = recall(store, MolecularDynamics())
        assert not heed_withdrawals(again, store)
        assert again.set_aside == state.set_aside
        replayed = relearn(setup, again, store, ENERGIES)
    probe = setup.structures[0]
    assert np.array_equal(forces(learner, probe), forces(replayed, probe))


def test_where_no_label_is_left_it_is_said(begun):
    _, setup, folder = begun
    with MemoryStore.copy_of(folder) as store:
        state = recall(store, MolecularDynamics())
        withdraw(store, *range(1, len(store.labels_in_order()) + 1))
        assert heed_withdrawals(state, store)
        with pytest.raises(StoreError, match="all labels were withdrawn"):
            learn_anew(setup, state, store, ENERGIES)


def test_what_may_be_asked_again_is_set_aside_no_more(begun):
    _, _, folder = begun
    with MemoryStore.copy_of(folder) as store:
        state = recall(store, MolecularDynamics())
        (record,) = withdraw(store, 3)
        heed_withdrawals(state, store)
        assert record.structure_hash in state.set_aside
        store.withdraw_label(record.label_number, who="me", why="", ask_again=True)
        heed_withdrawals(state, store)
        assert record.structure_hash not in state.set_aside


def test_the_run_goes_on_without_them(begun):
    """The runner's part, done here in its place."""
    config, _, folder = begun

    def anew(setup, state, store, energies):
        heed_withdrawals(state, store)
        return learn_anew(setup, state, store, energies)

    with SqliteStore.open(folder) as store:
        store.rewind()
        (record,) = withdraw(store, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "relearn", anew)
        summary = run(config, folder)
    assert summary.verdict.reason == "target"
    with SqliteStore.read(folder) as store:
        assert record.structure_hash not in {r.structure.content_hash for r in store.labels_in_order()}
        assert [r.sequence for r in store.labels_in_order()] == list(range(1, summary.n_labels + 1))
        assert store.withdrawn_since_checkpoint() == []


def test_a_finished_run_goes_on_without_a_label_that_was_withdrawn_and_does_not_pay_for_it_again(tmp_path):
    config = make_config(cluster(tmp_path))
    first = run(config, tmp_path / "run")
    with SqliteStore.open(tmp_path / "run") as store:
        (gone,) = withdraw(store, 6)
        paid = len(store.all_labels()) + 1
    again = run(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        labels = store.all_labels()
        told = [event.text for event in store.events() if "withdrawn" in event.text]
    assert gone.structure_hash not in {record.structure.content_hash for record in labels}
    assert told == [f"labels were withdrawn: relearned the other {first.n_labels - 1}; walkers restart"]
    assert again.oracle_calls == first.oracle_calls + len(labels) + 1 - paid > first.oracle_calls
    assert again.verdict is not None
    # And then it is finished again.
    assert run(config, tmp_path / "run").oracle_calls == again.oracle_calls


@pytest.mark.parametrize("ask_again", [False, True])
def test_a_run_whose_labels_are_all_withdrawn_begins_again_and_its_calls_count(tmp_path, ask_again):
    config = make_config(cluster(tmp_path), budget={"oracle_calls": 20})
    first = run(config, tmp_path / "run")
    with SqliteStore.open(tmp_path / "run") as store:
        for record in store.labels_in_order():
            store.withdraw_label(record.number, who="me", why="wrong", ask_again=ask_again)
    more = make_config(cluster(tmp_path), budget={"oracle_calls": 40})
    if not ask_again:
        with pytest.raises(OracleError, match="--ask-again"):
            run(more, tmp_path / "run")
        return
    again = run(more, tmp_path / "run")
    assert 20 < again.oracle_calls <= 40
    assert again.n_labels <= again.oracle_calls - first.n_labels

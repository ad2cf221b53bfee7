"""Questions under way: walkers go on meanwhile, and a run goes the same way in whatever order answers come."""

from pathlib import Path

import pytest
from pools import LatePool, calls_on
from resuming import Interrupted, interrupt, learned, told
from runs import EMT, FAILING, cluster, make_config, same_model

from held_pool import HeldPool
from thalweg.labelling.executors.serial import SerialExecutor
from thalweg.labelling.labeller import Labeller
from thalweg.loop import runner
from thalweg.loop.runner import run
from thalweg.loop.walking import exploration
from thalweg.store import SqliteStore

THREE = {"executor": {"kind": "process", "workers": 3}, "explore": {"walkers": 4}}


def run_late(folder: Path, name: str, seed: int, **changes):
    """A run on three workers whose answers come in an order of their own."""
    with calls_on(LatePool(seed)) as pool:
        return run(make_config(cluster(folder), **THREE, **changes), folder / name), pool


def test_a_run_goes_the_same_way_in_whatever_order_answers_come(tmp_path):
    one, first = run_late(tmp_path, "one", seed=1)
    two, second = run_late(tmp_path, "two", seed=2)
    assert set(first.arrived) == set(second.arrived)
    assert first.arrived != second.arrived
    assert one.verdict == two.verdict
    assert one.verdict.reason == "target"
    assert told(tmp_path / "one") == told(tmp_path / "two")
    assert learned(tmp_path / "one") == learned(tmp_path / "two")
    assert same_model(tmp_path / "one" / "model", tmp_path / "two" / "model")


@pytest.mark.parametrize("oracle", [EMT, FAILING])
def test_interrupted_before_every_checkpoint_it_goes_the_same_way_and_computes_nothing_durable_twice(
    tmp_path, oracle
):
    changes = {"oracle": oracle, "budget": {"oracle_calls": 60}}
    calm, _ = run_late(tmp_path, "calm", seed=1, **changes)
    under_way = []
    for seed in range(200):
        durable = durable_in(tmp_path / "torn")
        with pytest.MonkeyPatch.context() as patch, calls_on(LatePool(seed)) as pool:
            interrupt(patch, at=3)
            try:
                torn = run(make_config(cluster(tmp_path), **THREE, **changes), tmp_path / "torn")
                break
            except Interrupted:
                under_way.append(len(under_way_in(tmp_path / "torn")))
            finally:
                assert not durable & set(pool.asked)
    assert max(under_way) == 2
    assert (torn.oracle_calls, torn.failed_calls) == (calm.oracle_calls, calm.failed_calls)
    assert (calm.failed_calls > 5) == (oracle is FAILING)
    assert told(tmp_path / "torn") == told(tmp_path / "calm")
    assert learned(tmp_path / "torn") == learned(tmp_path / "calm")
    assert same_model(tmp_path / "calm" / "model", tmp_path / "torn" / "model")


def durable_in(folder: Path) -> set[str]:
    if not folder.exists():
        return set()
    with SqliteStore.read(folder) as store:
        return {record.structure.content_hash for record in store.all_labels()}


def under_way_in(folder: Path) -> list[int]:
    with SqliteStore.read(folder) as store:
        checkpoint = store.last_checkpoint()
        return [] if checkpoint is None else checkpoint.state["under_way"]


def test_walkers_go_on_while_a_label_is_awaited_and_the_one_that_asked_stands(tmp_path, monkeypatch):
    pool, walks = HeldPool(), []
    walk, receive = exploration.walk, Labeller.receive

    def watched(explorer, field, walkers, action, *args, **kwargs):
        assert len(pool.waiting) < 3
        walks.append((len(pool.waiting), action.held, [walker.structure.content_hash for walker in walkers]))
        return walk(explorer, field, walkers, action, *args, **kwargs)

    def awaited(labeller):
        pool.give()  # not before the run asks for it and would wait
        return receive(labeller)

    monkeypatch.setattr(exploration, "walk", watched)
    monkeypatch.setattr(Labeller, "receive", awaited)
    with calls_on(pool):
        summary = run(make_config(cluster(tmp_path), **THREE), tmp_path / "run")
    assert summary.verdict.reason == "target"
    meanwhile = [k for k, (waiting, held, _) in enumerate(walks) if waiting and held]
    stood = 0
    for k in meanwhile[:-1]:
        (_, held, before), (_, still, after) = walks[k], walks[k + 1]
        standing = [w for w in held if w in still]
        assert all(before[w] == after[w] for w in standing)
        assert any(before[w] != after[w] for w in range(4) if w not in held)
        stood += len(standing)
    assert stood > 5


def test_cut_by_the_clock_it_still_takes_in_what_is_under_way(tmp_path):
    def out(one):
        policy = one.state.policy
        return policy.calls > 12 and policy.under_way > 0

    config = make_config(cluster(tmp_path), oracle=FAILING, budget={"oracle_calls": 20}, **THREE)
    with calls_on(SerialExecutor()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner._Run, "_out_of_time", out)
            first = run(config, tmp_path / "run")
        assert "same command" in first.verdict.message
        with SqliteStore.read(tmp_path / "run") as store:
            made = len(store.attempts()) + len(store.all_labels())
            assert store.last_checkpoint().state["policy"]["under_way"] > 0
        assert first.oracle_calls == made  # those answered while it closed, too
        again = run(config, tmp_path / "run")
    assert first.oracle_calls < again.oracle_calls <= 20
    assert "same command" not in again.verdict.message
    with SqliteStore.read(tmp_path / "run") as store:
        assert store.last_checkpoint().state["policy"]["under_way"] == 0

"""Interrupted just before each checkpoint, a run goes the way of one that never was."""

import pytest
from resuming import Interrupted, interrupt, learned, run_interrupted, told
from runs import FAILING, cluster, make_config, same_model

from thalweg.labelling import ladder
from thalweg.loop import runner
from thalweg.loop.runner import run
from thalweg.store import SqliteStore


def test_what_is_set_aside_after_a_checkpoint_is_set_aside_again_and_its_calls_count_again(tmp_path):
    often = {
        **FAILING,
        "rates": {"unconverged": 0.2, "crash": 0.2, "nan": 0.2},
    }  # one question in five fails for good
    config = make_config(cluster(tmp_path), oracle=often, budget={"oracle_calls": 45})
    calm = run(config, tmp_path / "calm")
    assert any("set aside" in line for line in told(tmp_path / "calm"))
    resumed = run_interrupted(config, tmp_path / "resumed", at=3)  # the first repeats the one it goes on from
    assert resumed.oracle_calls == calm.oracle_calls
    assert resumed.failed_calls == calm.failed_calls
    assert told(tmp_path / "resumed") == told(tmp_path / "calm")
    assert learned(tmp_path / "resumed") == learned(tmp_path / "calm")
    assert same_model(tmp_path / "calm" / "model", tmp_path / "resumed" / "model")


def test_killed_while_it_learns_again_a_run_still_goes_on_under_the_settings_that_were_changed(tmp_path):
    config = make_config(cluster(tmp_path))
    first = run(config, tmp_path / "run")
    assert first.verdict.reason == "target"
    tighter = make_config(cluster(tmp_path), target={"force_error": 0.001})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "relearn", interrupted)
        with pytest.raises(Interrupted):
            run(tighter, tmp_path / "run")
    again = run(tighter, tmp_path / "run")
    assert again.oracle_calls > first.oracle_calls
    with SqliteStore.read(tmp_path / "run") as store:
        (line,) = [event.text for event in store.events() if event.kind == "change"]
    assert "force_error" in line


def interrupted(*_):
    raise Interrupted


@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("change", [{"seed": 4}, {"seeds": {"count": 3}}, {"target": {"force_error": 0.04}}])
def test_calls_count_once_whatever_changes_while_they_wait_to_be_learned(tmp_path, monkeypatch, at, change):
    calls, call = [], ladder.deliver
    monkeypatch.setattr(ladder, "deliver", lambda one: calls.append(one) or call(one))
    settings = {"oracle": FAILING, "budget": {"oracle_calls": 21}}
    for changed in ({}, change, change):  # the second interruption has nothing new to say
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, at)
            with pytest.raises(Interrupted):
                run(make_config(cluster(tmp_path), **settings, **changed), tmp_path / "run")
    before = len(calls)
    summary = run(make_config(cluster(tmp_path), **settings, **change), tmp_path / "run")
    assert len(calls) > before
    assert summary.oracle_calls == len(calls) <= 21


def test_first_structures_that_were_labelled_are_learned_under_a_budget_lowered_below_them(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, at=1)
        with pytest.raises(Interrupted):
            run(make_config(cluster(tmp_path)), tmp_path / "run")
    summary = run(make_config(cluster(tmp_path), budget={"oracle_calls": 2}), tmp_path / "run")
    assert summary.oracle_calls == 5  # the isolated atom and four seeds
    assert summary.n_labels > 0

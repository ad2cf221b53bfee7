"""Runs that choose their basis from their labels."""

import dataclasses
import json

import numpy as np
import pytest
from long_ranged import far_config, said_of_bases
from resuming import Interrupted, interrupt, learned, run_interrupted, told
from runs import same_model

from thalweg.config import validate
from thalweg.errors import StoreError
from thalweg.features import AceBasis
from thalweg.loop import runner
from thalweg.loop.auditing import audit
from thalweg.loop.learning import rebasing
from thalweg.loop.learning.basing import Basing, BasisChoice
from thalweg.loop.runner import run
from thalweg.potential import Potential
from thalweg.store import SqliteStore


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """A run to its end, and its configuration."""
    folder = tmp_path_factory.mktemp("chosen")
    config = far_config(folder)
    return config, run(config, folder / "run"), folder / "run"


def checkpoint(folder):
    with SqliteStore.read(folder) as store:
        return store.last_checkpoint().state


def test_it_adopts_a_longer_cutoff_and_says_why(chosen):
    _, summary, folder = chosen
    (line,) = said_of_bases(folder)
    assert "cutoff" in line
    assert "instead of 5.0 Å" in line
    assert "held-out error 0." in line
    basis = Potential.load(folder / "model").basis
    assert basis.r_cut > 7.0
    assert basis.max_degree == (8, 6, 5)
    data = json.loads((folder / "summary.json").read_text())
    assert data["n_features"] == summary.n_features == basis.n_columns
    assert data["basis"]["r_cut"] == basis.r_cut
    (choice,) = data["basis_choices"]
    assert choice["words"] == line
    assert choice["changed"]
    assert choice["n_labels"] >= 20
    assert choice["error"] < 1 - rebasing.MARGIN / np.sqrt(choice["n_labels"])


def test_the_calibration_begins_anew_and_what_was_counted_stays(chosen):
    _, summary, folder = chosen
    state = checkpoint(folder)
    n_batch = state["basing"]["n_batch"]
    assert 20 <= n_batch < summary.n_labels
    window = state["calibration"]["window"]
    assert (
        len(window) == summary.n_labels
    )  # every label before the change by a model without it, then each as it came
    assert all(answer["stream"] != "audit" for answer in window[:n_batch])
    assert state["calibration"]["n_answers"] >= len(window)
    assert state["tunings"][0][0] == n_batch
    assert summary.audit_calls == len(state["policy"]["audits"])


def test_fixed_it_stays_and_nothing_is_said_until_it_is_freed(tmp_path):
    config = far_config(tmp_path, model={"basis": "fixed", "r_cut": None, "max_degree": [8, 6, 5]})
    summary = run(config, tmp_path / "run")
    assert summary.n_labels > 25
    assert said_of_bases(tmp_path / "run") == []
    assert Potential.load(tmp_path / "run" / "model").basis.r_cut == 5.0
    freed = far_config(tmp_path, budget={"oracle_calls": 42}, target={"force_error": 0.001})
    assert run(freed, tmp_path / "run").n_labels > summary.n_labels
    assert "instead of 5.0 Å" in said_of_bases(tmp_path / "run")[0]
    with pytest.raises(StoreError, match="another `model` section"):
        run(far_config(tmp_path, model={"r_cut": 6.0, "max_degree": [8, 6, 5]}), tmp_path / "run")


def test_what_the_user_fixed_is_not_searched(tmp_path):
    config = far_config(tmp_path, model={"r_cut": 4.5, "max_degree": [8, 6, 5]})
    run(config, tmp_path / "run")
    (choice,) = checkpoint(tmp_path / "run")["basing"]["choices"][:1]
    assert choice["tried"] <= 2  # exponents
    basis = Potential.load(tmp_path / "run" / "model").basis
    assert (basis.r_cut, basis.max_degree) == (4.5, (8, 6, 5))


def test_where_work_is_lacking_it_is_tried_again_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(rebasing, "LEAST", -1e18)
    summary = run(far_config(tmp_path), tmp_path / "run")
    basing = checkpoint(tmp_path / "run")["basing"]
    assert basing["choices"] == []
    assert basing["basis"] is None
    assert summary.n_labels < basing["next_at"] <= rebasing.SOON * summary.n_labels + 1


@pytest.mark.parametrize("at", [3, 4])
def test_interrupted_before_each_checkpoint_it_goes_the_same_way(chosen, tmp_path, at):
    _, summary, calm = chosen
    config = far_config(tmp_path)
    resumed = run_interrupted(config, tmp_path / "run", at=at)
    assert resumed.oracle_calls == summary.oracle_calls
    for of in (said_of_bases, told, learned):
        assert of(tmp_path / "run") == of(calm)
    assert same_model(calm / "model", tmp_path / "run" / "model")
    one, two = (checkpoint(folder) for folder in (calm, tmp_path / "run"))
    assert one["basing"] == two["basing"]
    assert one["calibration"] == two["calibration"]


@pytest.mark.parametrize("where", ["_looked_round", "_learned_anew", "calibrated_anew"])
def test_interrupted_in_the_middle_of_choosing_it_comes_to_the_same(chosen, tmp_path, where):
    _, summary, calm = chosen
    config = far_config(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebasing, where, interrupted)
        with pytest.raises(Interrupted):
            run(config, tmp_path / "run")
    resumed = run(config, tmp_path / "run")
    assert resumed.oracle_calls == summary.oracle_calls
    assert said_of_bases(tmp_path / "run") == said_of_bases(calm)
    assert same_model(calm / "model", tmp_path / "run" / "model")


def interrupted(*_, **__):
    raise Interrupted


def test_questions_under_way_are_compared_with_the_new_basis(tmp_path):
    config = far_config(tmp_path, executor={"kind": "process", "workers": 3}, seed=2)
    summary = run(config, tmp_path / "run")
    basing = checkpoint(tmp_path / "run")["basing"]
    assert basing["basis"]["r_cut"] > 5.0
    assert len(basing["earlier"]) > 0
    window = checkpoint(tmp_path / "run")["calibration"]["window"]
    assert len(window) == summary.n_labels


def test_it_is_audited_extended_and_withdrawn_from_with_its_basis(chosen, tmp_path):
    import shutil

    config, summary, folder = chosen
    shutil.copytree(folder, tmp_path / "run")
    assert audit(tmp_path / "run", 2, config).audit.n_structures == 2
    before = Potential.load(tmp_path / "run" / "model").basis
    with SqliteStore.open(tmp_path / "run") as store:
        store.withdraw_label(store.labels_in_order()[6].number, who="me", why="wrong")
    config = far_config(tmp_path, budget={"oracle_calls": summary.oracle_calls + 6})
    again = run(config, tmp_path / "run")
    assert again.oracle_calls > summary.oracle_calls
    state = checkpoint(tmp_path / "run")["basing"]
    assert state["n_batch"] == 0
    assert Potential.load(tmp_path / "run" / "model").basis == before
    with pytest.MonkeyPatch.context() as patch:  # and it comes back from its checkpoint
        interrupt(patch, at=2)
        with pytest.raises(Interrupted):
            run(
                far_config(tmp_path, target={"force_error": 0.001}, budget={"oracle_calls": 60}),
                tmp_path / "run",
            )
    assert run(config, tmp_path / "run").n_labels >= again.n_labels


def test_a_checkpoint_of_an_older_thalweg_has_chosen_nothing_and_looks_at_once(chosen, tmp_path):
    config = far_config(tmp_path, model={"basis": "fixed", "r_cut": None, "max_degree": [8, 6, 5]})
    data = config.model_dump(mode="json")
    assert validate(
        {**data, "model": {k: v for k, v in data["model"].items() if k != "basis"}}
    ).model.basis == ("automatic")
    assert Basing.from_json(None) == Basing()


def test_what_was_chosen_comes_back_from_json():
    basis = AceBasis(("Cu",), 6.0, correlation_order=2, max_degree=(4, 3))
    choice = BasisChoice(21, True, 0.1 + 0.2, {"r_cut": 5.0}, {"r_cut": 6.0}, 3, 1e9 / 3)
    basing = Basing(basis, 21, 42, 1e10 / 7, 1e9 / 3, (4, 5), (choice,))
    assert Basing.from_json(json.loads(json.dumps(basing.to_json()))) == basing
    assert basing.anew() == dataclasses.replace(basing, n_batch=0, earlier=())


def test_no_look_after_the_verdict(chosen):
    config, summary, folder = chosen
    before = len(said_of_bases(folder))
    assert runner.run(config, folder).oracle_calls == summary.oracle_calls
    assert len(said_of_bases(folder)) == before

"""Where a run stands: for displays, for scripts and for curves."""

import dataclasses
import json

import numpy as np
import pytest
from blocks import block, moment, walk_of, walker_at
from runs import cluster, make_config

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.loop.deciding.advice import About, Advice, Counsel
from thalweg.loop.deciding.policy_state import Phase, PolicyState
from thalweg.loop.deciding.stopping import AuditRecord, StopReason, Verdict
from thalweg.loop.setup import prepare
from thalweg.loop.state import LoopState
from thalweg.loop.telling.progress import make_progress, make_summary, outlook
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.loop.telling.summary import write_summary
from thalweg.loop.timing import Timing
from thalweg.oracles.registry import make_oracle
from thalweg.properties.results import PropertyResults

KEYS = {
    "oracle_calls",
    "audit_calls",
    "failed_calls",
    "iterations",
    "n_labels",
    "n_features",
    "target",
    "audit",
    "calibration",
    "stop",
    "md_steps",
    "timing",
    "model_path",
}
"""What scripts may rely on."""


@pytest.fixture
def standing(tmp_path):
    """A run after twenty audits, its first walker done and its second on the way."""
    config = make_config(cluster(tmp_path))
    setup = prepare(config, make_oracle(config.oracle.model_dump()))
    audits = tuple(AuditRecord(10 + k, (0.01, 0.04), (0.05, 0.03)) for k in range(20))
    policy = PolicyState(
        phase=Phase.CERTIFY,
        calls=40,
        failed=2,
        n_labels=38,
        iteration=17,
        walked_fs=(3000.0, 1200.0),
        audits=audits,
    )
    state = LoopState(
        policy,
        np.random.default_rng(0),
        Calibration(CalibrationSpec(confidence=0.9)),
        walkers=[walker_at(moment(0), k, 200.0 + 200 * k) for k in range(2)],
        md_steps=5000,
        timing=Timing(oracle=2.0, explore=4.0, fit=1.0, wall=10.0),
    )
    return setup, state, Stopwatch(state.timing)


def summarise(standing, tmp_path):
    return make_summary(*standing, oracle="EMT", model=tmp_path / "model", properties=PropertyResults())


def test_the_summary_has_the_documented_keys_and_is_strict_json(standing, tmp_path):
    write_summary(tmp_path, summarise(standing, tmp_path))
    text = (tmp_path / "summary.json").read_text()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data.keys() >= KEYS
    assert data["target"].keys() == {"force_error", "confidence"}
    wanted = {"n_structures", "force_rmse", "force_error_quantile", "coverage", "interval"}
    assert data["audit"].keys() >= wanted
    assert data["calibration"].keys() == {"factor", "coverage"}
    assert data["timing"].keys() == {"wall", "oracle", "explore", "fit", "other"}
    assert (data["oracle_calls"], data["audit_calls"], data["failed_calls"]) == (40, 20, 2)
    assert (data["iterations"], data["n_labels"], data["md_steps"]) == (17, 38, 5000)
    assert data["n_features"] == standing[0].basis.n_columns
    assert data["audit"]["coverage"] == 0.5
    assert data["audit"]["force_rmse"] == pytest.approx(np.sqrt((0.01**2 + 0.04**2) / 2 / 3))
    assert data["stop"] is None
    assert data["model_path"] == str(tmp_path / "model")


def test_a_verdict_is_told_with_what_it_certifies(standing, tmp_path):
    setup, state, watch = standing
    verdict = Verdict(True, StopReason.TARGET, "target reached", {"lower_bound": 0.92})
    state.policy = dataclasses.replace(state.policy, verdict=verdict)
    data = summarise((setup, state, watch), tmp_path).to_json()
    assert data["stop"] == {
        "reason": "target",
        "message": "target reached",
        "certified": {"lower_bound": 0.92},
    }


def test_before_the_first_audit_there_is_nothing_to_say_of_audits(standing, tmp_path):
    setup, state, watch = standing
    state.policy = PolicyState()
    data = summarise((setup, state, watch), tmp_path).to_json()
    assert data["audit"] is None
    assert data["calibration"]["coverage"] is None
    json.dumps(data, allow_nan=False)


def test_a_walker_whose_question_is_under_way_waits_and_has_no_block(standing):
    setup, state, watch = standing
    state.policy = dataclasses.replace(state.policy, held=(1,))
    walk = walk_of(block([moment(1, 0.15)]))
    assert [(w.state, w.bound) for w in make_progress(setup, state, walk, watch).walkers] == [
        ("done", 0.15),
        ("waiting", None),
    ]


def test_the_standing_of_walkers_and_audits(standing):
    walk = walk_of(block([moment(1, 0.15)]), block([moment(1, 0.1), moment(2, 0.31)]))
    progress = make_progress(standing[0], standing[1], walk, standing[2])
    assert [w.state for w in progress.walkers] == ["done", "walking"]
    assert [w.time for w in progress.walkers] == [3.0, 1.2]
    assert [w.bound for w in progress.walkers] == [0.15, 0.31]
    assert progress.bound == 0.31
    assert progress.md_ps == 10.0
    assert progress.steps_per_second == 5000 / 4.0
    assert (progress.oracle_calls, progress.budget, progress.audited) == (40, 90, 20)
    assert progress.within_target[0] < 1.0 == progress.within_target[1]
    assert progress.forecast.startswith("certifying")


def test_before_the_first_block_no_bound_is_known(standing):
    progress = make_progress(standing[0], standing[1], None, standing[2])
    assert progress.bound is None
    assert [w.bound for w in progress.walkers] == [None, None]


def test_the_forecast_speaks_of_further_calls_where_errors_fall(standing):
    setup, state, watch = standing
    falling = tuple(AuditRecord(n, (1.0 / n,), (1.0,)) for n in range(10, 30))
    state.policy = dataclasses.replace(state.policy, audits=falling, phase=Phase.EXPLORE)
    words = make_progress(setup, state, None, watch).forecast
    # e ~ 1/n: with 38 labels 1/38 of a vector, 0.015 of a component; the prior expects a slower decay than that
    assert words == "exploring; after 50 more calls an error of about 0.0083 eV/Å (now 0.017)"
    foreseen = outlook(setup, state)
    assert foreseen is not None
    assert foreseen.ahead[1].low < (1 / 88) / 3**0.5 < foreseen.ahead[1].high


def test_the_summary_has_forecast_advice_and_counsel_of_before(standing, tmp_path):
    setup, state, watch = standing
    state.counsel = Counsel(
        38, 0.01, (Advice(About.BASIS, "too small", "model.max_degree", {"within": 0.5}),)
    )
    summary = make_summary(
        setup, state, watch, oracle="x", model=tmp_path, properties=PropertyResults()
    ).to_json()
    assert summary["advice"][0]["about"] == "basis"
    assert [one["calls"] for one in summary["forecast"]["ahead"]] == [10, 50, 100]
    assert "after 100 more calls" in summary["forecast"]["words"]
    assert json.loads(json.dumps(summary))["advice"] == summary["advice"]
    state.policy = dataclasses.replace(state.policy, audits=())
    young = make_summary(
        setup, state, watch, oracle="x", model=tmp_path, properties=PropertyResults()
    ).to_json()
    assert young["forecast"] is None

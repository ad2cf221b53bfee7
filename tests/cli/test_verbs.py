"""The verbs through typer's runner: help, exit codes, and what stands on which stream."""

import json
import sys
import types

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.errors import ModelError, OracleError, SetupError, StoreError
from thalweg.loop.reporter import Progress, WalkerProgress

VERBS = ("init", "run", "status", "report", "audit", "fit", "evaluate", "export", "doctor", "version")

SUMMARY = {
    "oracle_calls": 87,
    "audit_calls": 9,
    "failed_calls": 1,
    "iterations": 40,
    "n_labels": 86,
    "n_features": 300,
    "target": {"force_error": 0.15, "confidence": 0.95},
    "audit": {"n_structures": 9, "force_rmse": 0.05, "force_error_quantile": 0.12, "interval": [0.96, 0.99]},
    "calibration": {"factor": {"C": 1.2}, "coverage": 0.97},
    "stop": {"reason": "target", "message": "the target is certified", "certified": {}},
    "md_steps": 400000,
    "timing": {"wall": 100.0, "oracle": 1.0, "explore": 60.0, "fit": 20.0, "other": 19.0},
    "model_path": "model",
}


ERRORS = {
    "train": {"n_structures": 1, "forces_rmse": 0.0123},
    "test": {"n_structures": 2, "forces_rmse": 0.0456, "coverage": float("nan")},
}


@pytest.fixture
def runner():
    return CliRunner()


@pytest.fixture
def folder(tmp_path, monkeypatch, api):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THALWEG_TRACEBACK", raising=False)
    molecule("H2O").write(tmp_path / "water.xyz")
    (tmp_path / "water.yaml").write_text("system: water.xyz\noracle: tblite\n")
    return tmp_path


@pytest.fixture
def loop(monkeypatch):
    """Stands in for the loop: `loop.behave(...)` sets what a run does; `loop.calls` is what it was asked."""
    module = types.ModuleType("thalweg.loop.runner")
    module.calls = []

    def behave(action):
        def run(config, folder, reporter):
            module.calls.append((config, folder))
            return types.SimpleNamespace(to_json=lambda: action(folder, reporter))

        module.run = run

    module.behave = behave
    monkeypatch.setitem(sys.modules, "thalweg.loop.runner", module)
    return module


@pytest.fixture
def api(monkeypatch):
    """Stands in for the library's verbs; `api.calls` is what they were asked."""
    module = types.ModuleType("thalweg.api")
    module.calls = []

    def fit(train, test, *, options, seed):
        module.calls.append((len(train), None if test is None else len(test), options, seed))
        potential = types.SimpleNamespace(save=lambda folder: folder.mkdir())
        return types.SimpleNamespace(to_json=lambda: ERRORS, potential=potential)

    def evaluate(potential, labelled):
        module.calls.append((potential, len(labelled)))
        return {"test": ERRORS["test"]}

    module.fit, module.evaluate = fit, evaluate
    monkeypatch.setitem(sys.modules, "thalweg.api", module)
    return module


def stopped(reason):
    return {**SUMMARY, "stop": {"reason": reason, "message": f"because of {reason}", "certified": {}}}


def raising(error):
    def action(folder, reporter):
        raise error

    return action


def test_help_lists_every_verb_and_the_exit_codes(runner):
    text = runner.invoke(app, ["--help"]).output
    for verb in VERBS:
        assert verb in text
    assert "Exit codes" in text
    assert "130" in text


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_an_example(runner, verb):
    result = runner.invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: thalweg {verb}" in result.output


def test_usage_errors_are_code_2(runner):
    assert runner.invoke(app, ["run"]).exit_code == 2
    assert runner.invoke(app, ["fly"]).exit_code == 2
    assert runner.invoke(app, ["audit", "x", "-n", "0"]).exit_code == 2


def test_version_as_json(runner):
    assert set(json.loads(runner.invoke(app, ["version", "--json"]).output)) == {"thalweg"}


def test_init_writes_a_configuration_that_loads_and_keeps_what_is_there(runner, folder):
    from thalweg.config import load_config, validate

    result = runner.invoke(app, ["init", "water.xyz", "-o", "new.yaml"])
    assert result.exit_code == 0, result.output
    assert load_config("new.yaml") == validate({"system": "water.xyz", "oracle": "tblite"}, folder=folder)
    (folder / "new.yaml").write_text("mine")
    again = runner.invoke(app, ["init", "water.xyz", "-o", "new.yaml"])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert (folder / "new.yaml").read_text() == "mine"
    assert runner.invoke(app, ["init", "water.xyz", "-o", "new.yaml", "--force"]).exit_code == 0
    assert (folder / "new.yaml").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init", "absent.xyz"], "absent.xyz"),
        (["init", "water.xyz", "--oracle", "tblit"], "did you mean tblite?"),
        (["run", "absent.yaml"], "no such file"),
        (["run", "water.yaml", "--acquisition", "randon"], "did you mean random?"),
        (
            ["run", "water.yaml", "--max-calls", "0"],
            "budget.oracle_calls: expected a whole number >= 1, got 0",
        ),
        (["status", "nowhere"], "no such run folder"),
        (["report", "."], "no run is in this folder"),
        (["export", "."], "no run is in this folder"),
        (["fit", "water.xyz", "-m", "rcut=5"], "did you mean r_cut?"),
    ],
)
def test_input_errors_are_one_message_on_stderr(runner, folder, loop, arguments, words):
    loop.behave(lambda *_: SUMMARY)
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("thalweg: ")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(("reason", "code"), [("target", 0), ("budget", 3), ("diminishing", 3)])
def test_exit_code_says_whether_the_target_is_certified(runner, folder, loop, reason, code):
    loop.behave(lambda *_: stopped(reason))
    result = runner.invoke(app, ["run", "water.yaml"])
    assert result.exit_code == code
    assert f"because of {reason}" in result.output
    assert "87 calls" in result.output
    assert str(loop.calls[0][1]) == "runs/water"


def test_run_passes_overrides_on(runner, folder, loop):
    loop.behave(lambda *_: SUMMARY)
    runner.invoke(app, ["run", "water.yaml", "--acquisition", "random", "-n", "20", "--run", "elsewhere"])
    config, place = loop.calls[0]
    assert (config.acquisition.strategy, config.budget.oracle_calls) == ("random", 20)
    assert str(place) == "elsewhere"


def talkative(folder, reporter):
    walker = WalkerProgress(index=0, temperature=300.0, time=1.0, time_total=50.0, bound=0.2)
    reporter.event("query", "walker 2 is [uncertain], 0.41 eV/Å", {"walker": 2})
    reporter.event("no such kind", "still a line", {})
    reporter.progress(
        Progress(
            iteration=1,
            oracle_calls=5,
            budget=300,
            n_labels=5,
            md_ps=1.0,
            walkers=(walker,),
            target=0.15,
            confidence=0.95,
            within_target=(0.8, 0.97),
        )
    )
    return SUMMARY


def test_json_on_stdout_and_talk_on_stderr(runner, folder, loop):
    loop.behave(talkative)
    result = runner.invoke(app, ["run", "water.yaml", "--json"])
    assert json.loads(result.stdout)["oracle_calls"] == 87
    assert "walker 2 is [uncertain], 0.41 eV/Å" in result.stderr
    assert "still a line" in result.stderr


def test_quiet_says_only_the_end(runner, folder, loop):
    loop.behave(talkative)
    result = runner.invoke(app, ["run", "water.yaml", "--quiet"])
    assert "uncertain" not in result.output
    assert "the target is certified" in result.output


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OracleError("no parameters for Pu"), 2, "no parameters for Pu"),
        (ModelError("not fitted"), 2, "not fitted"),
        (SetupError("no compiler"), 4, "no compiler"),
        (StoreError("held by process 7"), 5, "held by process 7"),
        (OSError(28, "No space left on device", "thalweg.db"), 4, "the disk is full; make room"),
        (PermissionError(13, "Permission denied", "runs"), 4, "runs: no permission"),
        (KeyboardInterrupt(), 130, "Go on with: thalweg run water.yaml --run runs/water"),
    ],
)
def test_each_failure_has_its_code_and_message(runner, folder, loop, error, code, words):
    loop.behave(raising(error))
    result = runner.invoke(app, ["run", "water.yaml"])
    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_defect_goes_into_the_log_of_the_run(runner, folder, loop):
    (folder / "runs/water").mkdir(parents=True)
    loop.behave(raising(ZeroDivisionError("deep inside")))
    result = runner.invoke(app, ["run", "water.yaml"])
    assert result.exit_code == 1
    assert "ZeroDivisionError: deep inside" in result.stderr
    assert "Please report it" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in (folder / "runs/water/thalweg.log").read_text()


def test_tracebacks_on_request(runner, folder, loop, monkeypatch):
    monkeypatch.setenv("THALWEG_TRACEBACK", "1")
    loop.behave(raising(StoreError("damaged")))
    result = runner.invoke(app, ["run", "water.yaml"])
    assert result.exit_code == 5
    assert "Traceback" in result.stderr


@pytest.fixture
def labelled(folder):
    """Files with one and two labelled structures."""
    atoms = molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=-10.0, forces=np.zeros((3, 3)))
    ase.io.write(folder / "train.xyz", [atoms], format="extxyz")
    ase.io.write(folder / "test.xyz", [atoms, atoms], format="extxyz")
    return folder


def test_fit_prints_errors_and_saves(runner, labelled, api):
    words = ["fit", "train.xyz", "--test", "test.xyz", "-o", "model", "-m", "r_cut=5 Å", "--seed", "7"]
    result = runner.invoke(app, words)
    assert result.exit_code == 0, result.output
    for part in ("train", "test", "forces RMSE", "0.0123", "0.0456", "eV/Å"):
        assert part in result.output
    assert "energy RMSE" not in result.output
    n_train, n_test, options, seed = api.calls[0]
    assert (n_train, n_test, options.r_cut, seed) == (1, 2, 5.0, 7)
    assert (labelled / "model").is_dir()


def test_fit_as_json_has_null_for_what_is_no_number(runner, labelled):
    result = runner.invoke(app, ["fit", "train.xyz", "--json"])
    assert json.loads(result.output)["test"] == {"n_structures": 2, "forces_rmse": 0.0456, "coverage": None}


def test_evaluate_needs_a_potential_and_labels(runner, labelled, monkeypatch):
    from thalweg.potential import Potential

    assert runner.invoke(app, ["evaluate", "nowhere", "test.xyz"]).exit_code == 2
    monkeypatch.setattr(Potential, "load", classmethod(lambda cls, folder: "loaded"))
    result = runner.invoke(app, ["evaluate", "model", "test.xyz", "--json"])
    assert json.loads(result.output)["test"]["n_structures"] == 2
    unlabelled = runner.invoke(app, ["evaluate", "model", "water.xyz"])
    assert unlabelled.exit_code == 2
    assert "it has no energy" in unlabelled.stderr


@pytest.mark.parametrize(("certified", "code"), [(True, 0), (False, 3)])
def test_audit_exit_code_is_the_certificate(runner, folder, monkeypatch, certified, code):
    module = types.ModuleType("thalweg.loop.audit")
    audit = {**SUMMARY["audit"], "n_atoms": 81, "coverage": 0.98}
    document = {"target": SUMMARY["target"], "audit": audit, "certified": certified}
    module.audit = lambda place, count: types.SimpleNamespace(to_json=lambda: {**document, "asked": count})
    monkeypatch.setitem(sys.modules, "thalweg.loop.audit", module)
    (folder / "summary.json").write_text("{}")
    script = runner.invoke(app, ["audit", ".", "-n", "9", "--json"])
    assert script.exit_code == code
    assert json.loads(script.output)["asked"] == 9
    text = runner.invoke(app, ["audit", "."]).output
    assert "within 0.15 eV/Å" in text
    assert ("not certified" in text) is not certified

"""The verbs through typer's runner: help, exit codes, and what stands on which stream."""

import json

import pytest
from cli_documents import SUMMARY

from thalweg.cli.app import app
from thalweg.errors import ModelError, OracleError, SetupError, StoreError
from thalweg.loop.telling.reporter import Progress, WalkerProgress

VERBS = (
    "init",
    "run",
    "status",
    "report",
    "audit",
    "carve",
    "queue",
    "labels",
    "fit",
    "evaluate",
    "md",
    "export",
    "doctor",
    "version",
)


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
            "budget.oracle_calls: expected a whole number >= 1 and <= 1000000, got 0",
        ),
        (["status", "nowhere"], "no such run folder"),
        (["report", "."], "this folder holds no run"),
        (["export", "."], "this folder holds no run"),
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


@pytest.mark.parametrize(
    ("options", "relax"), [([], "none"), (["--relax"], "positions"), (["--relax-cell"], "cell")]
)
def test_run_relaxes_the_starts_where_asked_to(runner, folder, loop, options, relax):
    loop.behave(lambda *_: SUMMARY)
    runner.invoke(app, ["run", "water.yaml", *options])
    assert loop.calls[0][0].system.relax == relax


def test_the_end_of_a_run_says_what_was_walked_from_each_start(runner, folder, loop):
    rows = [
        {"start": 1, "formula": "H2O", "temperature": t, "walked_ps": 5.0, "audits": 3, "dissociated": n}
        for t, n in ((300.0, 0), (500.0, 2))
    ]
    loop.behave(lambda *_: {**SUMMARY, "walked": [*rows, {"start": 2}]})
    output = runner.invoke(app, ["run", "water.yaml"]).output
    assert "start 1 (H2O): 10.0 ps at 300-500 K, 6 audits, fell apart 2 times" in output
    assert "start 2" not in output


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
        (OSError(28, "No space left on device", "thalweg.db"), 4, "the disk is full; free some space"),
        (PermissionError(13, "Permission denied", "runs"), 4, "runs: no permission"),
        (KeyboardInterrupt(), 130, "Continue with: thalweg run water.yaml --run runs/water"),
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

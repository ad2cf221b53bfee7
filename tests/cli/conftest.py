"""A loop and an API that stand in for the real ones: what is tested here is the command line."""

import sys
import types

import pytest
from ase.build import molecule
from cli_documents import ERRORS
from typer.testing import CliRunner


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

    def fit(train, test, *, options, seed, effort, tell):
        tell("554 features, cutoff 5 Å, exponent 1: held-out error 1.00")
        module.calls.append((len(train), None if test is None else len(test), options, seed, effort))
        potential = types.SimpleNamespace(save=lambda folder: folder.mkdir())
        return types.SimpleNamespace(
            to_json=lambda: ERRORS, potential=potential, story=lambda: ["r_cut: 5 Å - by what was held out"]
        )

    def evaluate(potential, labelled):
        module.calls.append((potential, len(labelled)))
        return {"test": ERRORS["test"]}

    module.fit, module.evaluate = fit, evaluate
    monkeypatch.setitem(sys.modules, "thalweg.api", module)
    return module

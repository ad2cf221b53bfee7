"""fit, evaluate and audit: what goes into the library and how its answer is shown."""

import json
import sys
import types
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from cli_documents import SUMMARY

from thalweg.cli.app import app


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
    assert "r_cut: 5 Å - by what was held out" in result.stdout
    assert "554 features" in result.stderr
    assert "554 features" not in result.stdout
    n_train, n_test, options, seed, effort = api.calls[0]
    assert (n_train, n_test, options.r_cut, seed, effort) == (1, 2, 5.0, 7, 1.0)
    assert (labelled / "model").is_dir()


def test_fit_as_json_has_null_for_what_is_no_number(runner, labelled):
    result = runner.invoke(app, ["fit", "train.xyz", "--json"])
    assert json.loads(result.stdout)["test"] == {"n_structures": 2, "forces_rmse": 0.0456, "coverage": None}


def test_one_file_is_split_by_its_comment_lines(runner, folder, api):
    frames = []
    for split in ("train", "train", "test", "other"):
        atoms = molecule("H2O")
        atoms.info["split"] = split
        atoms.calc = SinglePointCalculator(atoms, energy=-10.0, forces=np.zeros((3, 3)))
        frames.append(atoms)
    ase.io.write(folder / "all.xyz", frames, format="extxyz")
    words = ["fit", "all.xyz", "--train-split", "train", "--test-split", "test,other", "--effort", "0.5"]
    assert runner.invoke(app, words).exit_code == 0
    assert (
        runner.invoke(app, ["fit", "all.xyz", "--train-split", "train", "--test", "all.xyz"]).exit_code == 0
    )
    assert [(call[0], call[1], call[4]) for call in api.calls] == [(2, 2, 0.5), (2, 4, 1.0)]
    wrong = runner.invoke(app, ["fit", "all.xyz", "--train-split", "valid"])
    assert wrong.exit_code == 2
    assert "no structure has split=valid" in wrong.output


def test_evaluate_needs_a_potential_and_labels(runner, labelled, monkeypatch):
    from thalweg.potential import Potential

    assert runner.invoke(app, ["evaluate", "nowhere", "test.xyz"]).exit_code == 2
    loaded = types.SimpleNamespace(check_elements=lambda structure, where: None)
    monkeypatch.setattr(Potential, "load", classmethod(lambda cls, folder: loaded))
    Path("model").mkdir()
    result = runner.invoke(app, ["evaluate", "model", "test.xyz", "--json"])
    assert json.loads(result.output)["test"]["n_structures"] == 2
    unlabelled = runner.invoke(app, ["evaluate", "model", "water.xyz"])
    assert unlabelled.exit_code == 2
    assert "it has no energy" in unlabelled.stderr


@pytest.mark.parametrize(("certified", "code"), [(True, 0), (False, 3)])
def test_audit_exit_code_is_the_certificate(runner, folder, monkeypatch, certified, code):
    module = types.ModuleType("thalweg.loop.auditing")
    audit = {**SUMMARY["audit"], "n_atoms": 81, "coverage": 0.98}
    document = {"target": SUMMARY["target"], "audit": audit, "certified": certified}
    module.audit = lambda place, count, config: types.SimpleNamespace(
        to_json=lambda: {**document, "asked": count}
    )
    monkeypatch.setitem(sys.modules, "thalweg.loop.auditing", module)
    (folder / "summary.json").write_text("{}")
    script = runner.invoke(app, ["audit", ".", "-n", "9", "--json"])
    assert script.exit_code == code
    assert json.loads(script.output)["asked"] == 9
    text = runner.invoke(app, ["audit", "."]).output
    assert "within 0.15 eV/Å" in text
    assert ("not certified" in text) is not certified

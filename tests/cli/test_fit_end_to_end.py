"""fit and evaluate as a user runs them: files in, numbers and a model folder out; with nothing faked."""

import json

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from copper import copper
from thalweg.cli.app import app
from thalweg.potential import Potential

SETTINGS = ["-m", "r_cut=5 Å", "-m", "max_degree=[8,6,4]", "-m", "committee=4"]


def write(path, labelled):
    frames = []
    for structure, label in labelled:
        atoms = structure.to_atoms()
        atoms.calc = SinglePointCalculator(
            atoms, energy=label.energy, forces=label.forces, stress=label.stress
        )
        frames.append(atoms)
    ase.io.write(path, frames, format="extxyz")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("train.xyz", copper(24))
    write("test.xyz", copper(8, seed=1))
    return tmp_path


def test_fit_then_evaluate(runner, files):
    words = ["fit", "train.xyz", "--test", "test.xyz", "-o", "model", *SETTINGS, "--json"]
    fitted = runner.invoke(app, words)
    assert fitted.exit_code == 0, fitted.output
    document = json.loads(fitted.stdout)
    assert "features" in fitted.stderr
    assert set(document) == {"train", "test", "model", "timing"}
    assert document["test"]["n_structures"] == 8
    assert document["test"]["forces_rmse"] < 0.1
    assert document["test"]["stress_rmse"] < 1
    assert document["model"]["committee"] == 4
    evaluated = runner.invoke(app, ["evaluate", "model", "test.xyz", "--json"])
    assert evaluated.exit_code == 0, evaluated.output
    assert json.loads(evaluated.output)["test"] == document["test"]
    structure, label = copper(1, seed=1)[0]
    prediction = Potential.load(files / "model").predict(structure)
    assert np.abs(prediction.forces - label.forces).max() < 0.5


def test_what_people_read(runner, files):
    fitted = runner.invoke(app, ["fit", "train.xyz", "--test", "test.xyz", "-o", "model", *SETTINGS])
    assert fitted.exit_code == 0, fitted.output
    for part in ("train", "test", "structures", "forces RMSE", "GPa", "bounds held", "saved in model"):
        assert part in fitted.output
    evaluated = runner.invoke(app, ["evaluate", "model", "test.xyz"])
    assert "rank correlation" in evaluated.output
    assert "train" not in evaluated.output


def test_a_damaged_model_is_one_message(runner, files):
    assert runner.invoke(app, ["fit", "train.xyz", "-o", "model", *SETTINGS]).exit_code == 0
    for path in (files / "model").iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = runner.invoke(app, ["evaluate", "model", "test.xyz"])
    assert result.exit_code == 2
    assert result.stderr.startswith("thalweg: model")
    assert "Traceback" not in result.output


def test_an_element_that_was_not_fitted_is_named(runner, files):
    assert runner.invoke(app, ["fit", "train.xyz", "-o", "model", *SETTINGS]).exit_code == 0
    frames = ase.io.read("test.xyz", ":")
    for atoms in frames:
        results = dict(atoms.calc.results)
        atoms.numbers[0] = 79
        atoms.calc = SinglePointCalculator(atoms, **results)
    ase.io.write("gold.xyz", frames, format="extxyz")
    result = runner.invoke(app, ["evaluate", "model", "gold.xyz"])
    assert result.exit_code == 2
    assert "Au" in result.stderr


def test_a_misspelt_setting_is_one_message(runner, files):
    result = runner.invoke(app, ["fit", "train.xyz", "-m", "rcut=5"])
    assert result.exit_code == 2
    assert "r_cut" in result.stderr

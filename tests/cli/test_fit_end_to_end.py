"""fit and evaluate as a user runs them: files in, numbers and a model folder out; with nothing faked."""

import json

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from copper import copper
from thalweg.cli.app import app
from thalweg.potential import Potential
from thalweg.structure import Structure

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


@pytest.fixture
def named(files):
    """The training file under a reference's names, a program's own predictions beside them, one label unconverged."""
    frames = ase.io.read("train.xyz", ":")
    for atoms in frames:
        results = atoms.calc.results
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = results["energy"], results["forces"]
        atoms.info["split"] = "rest"
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros_like(results["forces"]))
    frames[3].info["scf_converged"] = False
    for atoms in frames[20:]:
        atoms.info["split"] = "test"
    ase.io.write("named.xyz", frames, format="extxyz")
    return files


def test_the_labels_taken_are_said_and_the_test_split_is_held_out(runner, named):
    words = ["fit", "named.xyz", "--test-split", "test", "-o", "model", *SETTINGS]
    read = runner.invoke(app, words)
    assert read.exit_code == 0, read.output
    for part in (
        "train, named.xyz: energies 19 from REF_energy; forces 19 from REF_forces; stress none",
        "left out, unconverged: 1 (structure 4)",
        "not taken: forces (19), energy (19)",
        "test, named.xyz: energies 4 from REF_energy",
        "reference energies: Cu",
    ):
        assert part in read.stdout
    assert "warning" not in read.stdout
    document = json.loads(runner.invoke(app, [*words, "--json"]).stdout)
    assert document["train"]["n_structures"] == 19
    assert document["train"]["labels"]["energy"] == {"REF_energy": 19}
    assert document["train"]["labels"]["left_out"] == {"unconverged": [4]}
    assert document["test"]["labels"]["n_structures"] == 4
    assert document["model"]["overlap"]["test_in_train"] == []
    assert document["model"]["reference_energies"]["Cu"]["origin"] == "fitted"
    bare = json.loads(
        runner.invoke(app, ["evaluate", "model", "named.xyz", "--labels", "bare", "--json"]).stdout
    )
    own = json.loads(runner.invoke(app, ["evaluate", "model", "named.xyz", "--json"]).stdout)
    assert bare["test"]["labels"]["energy"] == {"energy": 23}
    assert own["test"]["labels"]["energy"] == {"REF_energy": 23}
    assert bare["test"]["forces_rmse"] > 10 * own["test"]["forces_rmse"]
    assert "energies 23 from REF_energy" in runner.invoke(app, ["evaluate", "model", "named.xyz"]).stdout


def test_test_structures_that_were_trained_on_are_named(runner, files):
    frames = ase.io.read("test.xyz", ":")
    frames[2:2] = ase.io.read("train.xyz", "5:7")
    ase.io.write("both.xyz", frames, format="extxyz")
    result = runner.invoke(app, ["fit", "train.xyz", "--test", "both.xyz", *SETTINGS, "--json"])
    document = json.loads(result.stdout)
    assert document["model"]["overlap"]["test_in_train"] == [[3, 6], [4, 7]]
    assert any("2 of 10 test structures are in the training set" in w for w in document["model"]["warnings"])


def test_ambiguous_labels_are_one_message_with_the_option(runner, named):
    frames = ase.io.read("named.xyz", ":")
    for atoms in frames:
        atoms.info["DFT_energy"] = 1.0
    ase.io.write("two.xyz", frames, format="extxyz")
    for verb in (["fit", "two.xyz"], ["evaluate", "model", "two.xyz"]):
        assert runner.invoke(app, ["fit", "train.xyz", "-o", "model", *SETTINGS]).exit_code == 0
        result = runner.invoke(app, verb)
        assert result.exit_code == 2
        assert "--labels REF" in result.stderr
        assert "--labels DFT" in result.stderr


def test_an_isolated_atom_in_a_box_is_a_reference_energy(runner, files):
    frames = ase.io.read("train.xyz", ":")
    atom = ase.Atoms("Cu", cell=[15.0, 15.0, 15.0], pbc=True)
    atom.calc = SinglePointCalculator(atom, energy=3.51, forces=np.zeros((1, 3)), stress=np.zeros(6))
    ase.io.write("train.xyz", [*frames, atom], format="extxyz")
    result = runner.invoke(app, ["fit", "train.xyz", "-o", "model", *SETTINGS])
    assert "reference energies: Cu 3.51 eV (isolated atom)" in result.stdout
    assert Potential.load("model").predict(Structure.from_atoms(atom)).energy == pytest.approx(3.51)

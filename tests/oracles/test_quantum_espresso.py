"""Quantum ESPRESSO through ASE, as the guide writes it, run for real; left out only where pw.x is not installed."""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

import thalweg
from thalweg.cli.app import app
from thalweg.config import validate
from thalweg.config.yaml_source import read_yaml
from thalweg.label import Failure, FailureKind, Label
from thalweg.oracles import make_oracle
from thalweg.structure import Structure
from thalweg.testing import Tolerances
from thalweg.testing.oracle_laws import forces_are_the_derivative, same_bits, stress_is_the_derivative

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"

pytestmark = [
    pytest.mark.physics,
    pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed"),
    pytest.mark.skipif(not GUIDE.is_file(), reason="a source distribution without docs"),
]


def written():
    """The YAML block of the guide, as it stands there."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if "ase.calculators.espresso.Espresso" in block]
    return block


def spec(**changes):
    oracle = copy.deepcopy(read_yaml(written(), "guide").data["oracle"])
    for key, value in changes.items():
        section, _, name = key.partition("__")
        oracle["options"]["input_data"].setdefault(section, {})[name] = value
    return oracle


def aluminium():
    return Atoms("Al2", positions=[[0.05, 0.0, 0.1], [1.43, 1.50, 2.03]], cell=[2.86, 2.86, 4.05], pbc=True)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize(
    "executor", ["executor: {kind: process, workers: 2, timeout: 10 min}", "executor: serial"]
)
def test_the_guide_s_configuration_runs(tmp_path, executor):
    aluminium().write(tmp_path / "aluminium.xyz")
    text = written()
    assert "executor: {kind: process, workers: 2, timeout: 10 min}" in text
    if executor == "executor: serial":
        text = text.replace(
            "executor: {kind: process, workers: 2, timeout: 10 min}", "executor: {kind: serial}"
        )
        text = text.replace("oracle_calls: 30", "oracle_calls: 12")
    (tmp_path / "aluminium.yaml").write_text(text)
    command = [sys.executable, "-m", "thalweg.cli", "run", "aluminium.yaml", "--run", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 3}, done.stdout + done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["failed_calls"], summary["oracle_calls"]) == (0, 30 if "workers" in executor else 12)
    labels = thalweg.read_labelled(labels_of(tmp_path))
    forces = [label.forces for _, label in labels]
    assert np.abs(forces).max() > 0.05
    for structure, label in labels[:: len(labels) // 5]:  # no label is another structure's answer
        again = make_oracle(spec()).label(structure)
        assert np.abs(again.forces - label.forces).max() < 1e-3
        assert again.energy == pytest.approx(label.energy, abs=1e-4)


def labels_of(folder):
    done = CliRunner().invoke(app, ["export", str(folder / "run"), "-o", str(folder / "labels.xyz")])
    assert done.exit_code == 0, done.output
    return folder / "labels.xyz"


def test_forces_and_stress_are_the_derivatives_of_the_energy():
    # a plane-wave energy at a fixed cutoff has a stress of its own (Pulay): a high cutoff keeps it small
    oracle = make_oracle(spec(system__ecutwfc=30, electrons__conv_thr=1e-11))
    structures, tolerances = (
        [Structure.from_atoms(aluminium())],
        Tolerances(forces=5e-3, stress=2e-3, step=1e-2),
    )
    assert oracle.gives_stress
    assert np.abs(oracle.label(structures[0]).stress).max() > 0.01
    forces_are_the_derivative(oracle, structures, tolerances)
    stress_is_the_derivative(oracle, structures, tolerances)


def test_the_same_structure_has_the_same_bits():
    same_bits(make_oracle(spec()), [Structure.from_atoms(aluminium())], Tolerances())


def test_without_convergence_the_failure_says_so():
    outcome = make_oracle(spec(electrons__electron_maxstep=2)).label(Structure.from_atoms(aluminium()))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNCONVERGED
    assert outcome.message == "pw.x: convergence NOT achieved after 2 iterations: stopping"
    assert "convergence NOT achieved after   2 iterations" in outcome.log
    assert "WALL" not in outcome.log


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"system__ecutwfcc": 3}, FailureKind.REFUSED, "ecutwfcc"),
        ({"control__tprnfor": False}, FailureKind.REFUSED, "tprnfor: true"),
    ],
)
def test_wrong_options_are_explained_in_the_program_s_words(changes, kind, words):
    outcome = make_oracle(spec(**changes)).label(Structure.from_atoms(aluminium()))
    assert isinstance(outcome, Failure)
    assert outcome.kind is kind
    assert words in outcome.message
    assert "CalledProcessError" not in outcome.message


def test_a_missing_pseudopotential_is_named():
    oracle = spec()
    oracle["options"]["pseudopotentials"] = {"Al": "nowhere.UPF"}
    outcome = make_oracle(oracle).label(Structure.from_atoms(aluminium()))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.REFUSED
    assert "nowhere.UPF not found" in outcome.message


def test_the_configuration_survives_the_store():
    config = validate({"system": "a.xyz", "oracle": spec()})
    again = validate(config.model_dump(mode="json"))
    assert make_oracle(again.oracle.model_dump()).fingerprint == make_oracle(spec()).fingerprint
    assert isinstance(make_oracle(again.oracle.model_dump()).label(Structure.from_atoms(aluminium())), Label)

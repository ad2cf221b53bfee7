"""`thalweg export --format lammps` on run folders and model folders."""

import numpy as np
import pytest
from typer.testing import CliRunner

from small_potentials import random_potential, silicon
from thalweg import _native
from thalweg.cli.app import app
from thalweg.features.batch import pack
from thalweg.label import Label
from thalweg.potential import Potential
from thalweg.store import SqliteStore


@pytest.fixture(autouse=True)
def no_lammps(monkeypatch):
    monkeypatch.setattr("thalweg.export.lammps.find_lammps", lambda: None)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    with SqliteStore.open(folder) as store:
        for seed in range(9):
            structure = silicon(seed)
            label = Label(-30.0, np.full((8, 3), 0.1), oracle="toy", wall_time=0.01)
            store.commit_label(structure, label, kind="seed", iteration=0)
    random_potential("Si", train=[silicon()]).save(folder / "model")
    return folder


def export(*arguments):
    return CliRunner().invoke(app, ["export", *(str(argument) for argument in arguments)])


def test_the_potential_of_a_run(run, tmp_path):
    target = tmp_path / "si.yace"
    result = export(run, "--format", "lammps", "-o", target)
    assert result.exit_code == 0, result.output
    assert f"wrote {target} and {tmp_path / 'si.in'}" in result.output
    # Three of the nine labelled structures, a cluster and a crystal.
    assert "over 5 structures" in result.output
    assert "files read back: energy" in result.output
    assert "not checked there" in result.output
    assert "pair_coeff * * pace si.yace Si" in result.output
    assert (tmp_path / "si.in").read_text() in result.output


def test_the_potential_of_a_model_folder(run):
    assert export(run / "model", "-f", "lammps").exit_code == 0
    assert (run / "model" / "potential.yace").stat().st_size > 0
    again = export(run / "model", "-f", "lammps")
    assert again.exit_code == 2
    assert "overwrite it with --force" in again.stderr
    assert export(run / "model", "-f", "lammps", "--force").exit_code == 0
    (run / "model" / "potential.yace").unlink()
    again = export(run / "model", "-f", "lammps")
    assert "potential.in: already exists" in again.stderr


@pytest.mark.parametrize("kind", ["extxyz", "ase-db"])
def test_a_model_folder_has_no_labels(run, kind):
    result = export(run / "model", "-f", kind)
    assert result.exit_code == 2
    assert "a saved potential holds no labels" in result.stderr


def test_a_run_without_a_potential_and_a_folder_without_a_run(run, tmp_path):
    (run / "model" / "potential.json").unlink()
    result = export(run, "-f", "lammps")
    assert (result.exit_code, "no potential yet" in result.stderr) == (2, True)
    result = export(tmp_path, "-f", "lammps")
    assert (result.exit_code, "this folder holds no run" in result.stderr) == (2, True)


def test_outputs_that_cannot_be(run, tmp_path):
    result = export(run, "-f", "lammps", "-o", tmp_path)
    assert (result.exit_code, "this is a folder" in result.stderr) == (2, True)
    result = export(run, "-f", "lammps", "-o", tmp_path / "si.in")
    assert (result.exit_code, "use .yace" in result.stderr) == (2, True)


def test_the_file_of_the_plugin(run, tmp_path):
    target = tmp_path / "si.thalweg"
    result = export(run, "--format", "plugin", "-o", target)
    assert result.exit_code == 0, result.output
    assert "pair_coeff * * si.thalweg Si" in result.output
    field, elements, *_ = _native.parse_potential(target.read_bytes())
    assert elements == ["Si"]
    potential = Potential.load(run / "model")
    packed = pack([silicon(4)], potential.elements)
    assert np.array_equal(field.compute(*packed.arrays)[1], potential.force_field.compute(*packed.arrays)[1])
    assert "already exists" in export(run, "--format", "plugin", "-o", target).stderr
    assert export(run / "model", "-f", "plugin").exit_code == 0
    assert (run / "model" / "potential.thalweg").read_bytes() == target.read_bytes()

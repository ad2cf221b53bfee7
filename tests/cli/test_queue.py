"""`thalweg queue` and what `status` says of what waits, on a folder that the real store wrote."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from cli_documents import CONFIG
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.store import SqliteStore


@pytest.fixture
def folder(tmp_path):
    """A run on water that has only begun."""
    molecule("H2O").write(tmp_path / "water.xyz")
    place = tmp_path / "run"
    with SqliteStore.open(place) as store:
        store.start_run({**CONFIG, "system": {"paths": [str(tmp_path / "water.xyz")]}})
    return place


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def odd(folder, bound=0.41, name="halted.extxyz"):
    atoms = molecule("H2O")
    atoms.rattle(0.2, seed=1)
    atoms.arrays["bound"] = np.array([bound, 0.1, 0.1])
    ase.io.write(folder / name, atoms)
    return folder / name


def test_queue_says_what_waits_and_what_comes_next(folder, tmp_path):
    path = odd(tmp_path)
    result = invoke("queue", folder, path)
    assert result.exit_code == 0, result.output
    assert "queued: handed in from halted.extxyz: O0 uncertain, 0.41 eV/Å" in result.output
    assert f"1 to be labelled first (0 of 10 calls used): thalweg run CONFIG --run {folder}" in result.output
    again = invoke("queue", folder, path)
    assert "not queued: 1 already waiting" in again.output
    data = json.loads(invoke("queue", folder, path, "--json").output)
    assert (data["queued"], data["waiting"], data["n_waiting"]) == ([], 1, 1)


def test_queue_says_when_the_budget_has_no_room(folder, tmp_path):
    frames = []
    for seed in range(12):
        atoms = molecule("H2O")
        atoms.rattle(0.05, seed=seed)
        frames.append(atoms)
    ase.io.write(tmp_path / "many.xyz", frames, format="extxyz")
    result = invoke("queue", folder, tmp_path / "many.xyz")
    assert "2 of them must wait: 0 of 10 calls used; raise budget.oracle_calls" in result.output


def test_status_shows_what_waits_with_its_reason(folder, tmp_path):
    assert "waiting" not in invoke("status", folder).output
    invoke("queue", folder, odd(tmp_path))
    words = "handed in from halted.extxyz: O0 uncertain, 0.41 eV/Å"
    assert f"waiting: {words}" in invoke("status", folder).output
    assert json.loads(invoke("status", folder, "--json").output)["handed_in"] == [words]


@pytest.mark.parametrize(
    ("place", "name", "words", "code"),
    [
        ("run", "absent.xyz", "no such file", 2),
        ("run", "ammonia.xyz", "it contains N, but the run knows only H, O", 2),
        ("nowhere", "water.xyz", "no such run folder", 2),
    ],
)
def test_what_cannot_be_queued_is_one_message(folder, tmp_path, place, name, words, code):
    molecule("NH3").write(tmp_path / "ammonia.xyz")
    result = invoke("queue", tmp_path / place, tmp_path / name)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_run_that_is_going_is_left_alone(folder, tmp_path):
    with SqliteStore.open(folder):
        result = invoke("queue", folder, odd(tmp_path))
    assert result.exit_code == 5
    assert "in use by process" in result.stderr

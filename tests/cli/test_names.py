"""Folders whose names are no text in the terminal's encoding."""

import json
import os
import subprocess
import sys

import pytest
from ase.build import molecule

from thalweg.label import Label
from thalweg.store import SqliteStore
from thalweg.structure import Structure


@pytest.fixture
def folder(tmp_path):
    """A run folder with a byte in its name that UTF-8 does not know."""
    place = tmp_path / os.fsdecode(b"run\xff")
    with SqliteStore.open(place) as store:
        structure = Structure.from_atoms(molecule("H2O"))
        store.start_run({"system": {"paths": [str(place / "water.xyz")]}})
        store.commit_label(structure, Label(-1.0, structure.positions), kind="seed", iteration=0)
    (place / "summary.json").write_text(json.dumps({"n_labels": 1, "model_path": str(place / "model")}))
    (place / "model").mkdir()
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["status", "--json"],
        ["labels"],
        ["labels", "--json"],
        ["labels", "--withdraw", "1"],
        ["report"],
        ["export", "--format", "store"],
        ["export", "--format", "extxyz"],
    ],
    ids=" ".join,
)
def test_a_folder_that_is_no_text_is_a_folder_like_any_other(folder, arguments):
    command = [sys.executable, "-m", "thalweg.cli", arguments[0], os.fsencode(folder), *arguments[1:]]
    result = subprocess.run(command, capture_output=True, check=False, timeout=900)
    assert result.returncode == 0, result.stderr
    assert b"Traceback" not in result.stderr
    if "--json" in arguments:
        assert isinstance(json.loads(result.stdout), dict)


def test_what_is_wrong_with_it_is_said(folder):
    (folder / "thalweg.db").write_bytes(b"garbage " * 1000)
    command = [sys.executable, "-m", "thalweg.cli", "status", os.fsencode(folder)]
    result = subprocess.run(command, capture_output=True, check=False, timeout=900)
    assert result.returncode == 5
    assert b"not a database" in result.stderr

"""Runs whose walkers fall apart: an argon cluster that evaporates, sent back or walked on with, and interrupted."""

import json

import ase.io
import numpy as np
import pytest
from ase import Atoms
from resuming import learned, run_interrupted, told
from runs import make_config, same_model

from thalweg.bonds import pieces
from thalweg.loop.auditing import audit
from thalweg.loop.runner import run
from thalweg.store import SqliteStore


def argon(folder, name="argon.xyz"):
    """A tetrahedron at rest."""
    a = 3.82 / np.sqrt(8)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * a
    ase.io.write(folder / name, Atoms("Ar4", corners))
    return folder / name


def config_of(folder, **explore):
    return make_config(
        argon(folder),
        oracle={"name": "lennard-jones"},
        target={"force_error": 0.004, "confidence": 0.8},
        explore={"temperature": [20, 110], "walkers": 2, "time": 8, "timestep": 4, **explore},
        budget={"oracle_calls": 60},
        model={"r_cut": 8.0, "max_degree": [8, 6]},
    )


def parted(folder):
    with SqliteStore.read(folder) as store:
        return [event.text for event in store.events() if event.kind == "parted"]


def asked_in_pieces(folder):
    """How many structures that were learned have fallen apart."""
    with SqliteStore.read(folder) as store:
        return sum(len(pieces(record.structure)) > 1 for record in store.labels_in_order())


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    config = config_of(folder)
    return config, folder / "run", run(config, folder / "run")


def test_walkers_that_fall_apart_are_said_counted_and_sent_back(stopped):
    _, folder, summary = stopped
    lines = parted(folder)
    assert lines
    assert all(" has left, " in line and line.endswith("back to its start") for line in lines)
    cold, hot = summary.walked
    assert (cold["dissociated"], hot["dissociated"]) == (0, len(lines))
    assert f"{len(lines)} walk" in summary.verdict.message
    assert "nothing is claimed of what lies beyond" in summary.verdict.message
    assert json.loads((folder / "summary.json").read_text())["walked"][1]["dissociated"] == len(lines)


def test_of_what_lies_beyond_nothing_is_asked(stopped):
    assert asked_in_pieces(stopped[1]) == 0


def test_walked_on_with_they_are_said_and_counted_too(tmp_path):
    summary = run(config_of(tmp_path, dissociation="walk"), tmp_path / "run")
    lines = parted(tmp_path / "run")
    assert lines
    assert all(line.endswith("it walks on") for line in lines)
    assert sum(row["dissociated"] for row in summary.walked) == len(lines)
    assert asked_in_pieces(tmp_path / "run") > 0
    assert "they are among these numbers" in summary.verdict.message


def test_interrupted_it_goes_the_way_of_one_that_was_not(stopped, tmp_path):
    config, calm, summary = stopped
    resumed = run_interrupted(config, tmp_path / "resumed", at=4)
    assert resumed.walked == summary.walked
    assert resumed.verdict == summary.verdict
    assert parted(tmp_path / "resumed") == parted(calm)
    assert told(tmp_path / "resumed") == told(calm)
    assert learned(tmp_path / "resumed") == learned(calm)
    assert same_model(tmp_path / "resumed" / "model", calm / "model")


def test_an_audit_by_hand_leaves_them_out_too(stopped):
    _, folder, _ = stopped
    result = audit(folder, 12)
    assert result.audit.n_structures == 12
    assert sum(row["audits"] for row in result.walked) == 12
    with SqliteStore.read(folder) as store:
        checked = [record.structure for record in store.all_labels() if record.kind == "check"]
    assert all(len(pieces(structure)) == 1 for structure in checked)


def test_a_cluster_that_is_cold_holds_together(tmp_path):
    summary = run(config_of(tmp_path, temperature=[10, 20]), tmp_path / "run")
    assert parted(tmp_path / "run") == []
    assert "apart" not in summary.verdict.message

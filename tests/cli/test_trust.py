"""A run folder of somebody else names code; no verb runs it unless the user has named it, too."""

import dataclasses
import json
import sys

import numpy as np
import pytest
from ase.build import molecule
from cli_documents import CONFIG
from typer.testing import CliRunner

from small_potentials import random_potential
from thalweg.cli.app import app
from thalweg.label import Label
from thalweg.loop.beginning import FINGERPRINT
from thalweg.oracles import make_oracle
from thalweg.oracles.trust import fingerprint_of, runs_named_code
from thalweg.store import SqliteStore
from thalweg.structure import Structure

TRAP = """
from pathlib import Path
Path({flag!r}).touch()
from ase.calculators.emt import EMT as Spring
"""
SECTION = {"name": "ase", "calculator": "trap.Spring", "options": {"x": 1}}


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A run folder whose oracle, wherever a name can stand, is a module that leaves a trace when it is imported."""
    flag = tmp_path / "imported"
    (tmp_path / "trap.py").write_text(TRAP.format(flag=str(flag)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trap", raising=False)
    monkeypatch.chdir(tmp_path)
    water = molecule("H2O")
    water.write("water.xyz")
    structure = Structure.from_atoms(water)
    name = json.dumps(SECTION)
    with SqliteStore.open(tmp_path / "run") as store:
        store.start_run({**CONFIG, "system": {"paths": [str(tmp_path / "water.xyz")]}, "oracle": SECTION})
        store.set_meta(FINGERPRINT, name)
        store.commit_label(structure, Label(-1.0, np.zeros((3, 3)), oracle=name), kind="seed", iteration=0)
    potential = random_potential("H", "O", train=[structure])
    dataclasses.replace(potential, provenance={"oracle": name}).save(tmp_path / "run" / "model")
    return flag


LINES = (
    "status run", "status run --json", "report run", "queue run water.xyz", "export run", "export run -f ase-db",
    "export run -f plugin", "export run -f lammps", "evaluate run water.xyz", "md run water.xyz -n 1",
    "carve water.xyz --model run -o cell.xyz", "audit run -n 1", "labels run",
)  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_no_verb_imports_what_only_the_folder_names(hostile, line):
    result = CliRunner().invoke(app, line.split())
    assert result.exit_code in (0, 2, 3, 5), result.output
    assert "a defect" not in result.output
    assert not hostile.exists()
    assert "trap" not in sys.modules


def test_the_trap_works(hostile):
    """The control: who makes the oracle runs the code."""
    make_oracle({"name": "ase", "calculator": "trap.Spring"})
    assert hostile.exists()


def test_audit_says_how_to_trust_an_oracle(hostile):
    refused = CliRunner().invoke(app, ["audit", "run", "-n", "1"])
    assert refused.exit_code == 2
    assert "its oracle is ase (trap.Spring), code that only this folder names" in refused.stderr
    assert "thalweg audit run --config CONFIG.yaml" in refused.stderr
    (hostile.parent / "mine.yaml").write_text(json.dumps({"system": "water.xyz", "oracle": SECTION}))
    named = CliRunner().invoke(app, ["audit", "run", "--config", "mine.yaml"])
    assert named.exit_code == 5  # the run has no checkpoint yet: it was let through to the audit itself
    assert "nothing to audit yet" in named.stderr


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"name": "tblite"}, False),
        ({"name": "lennard-jones"}, False),
        ({"name": "ase", "calculator": "a.B"}, True),
        ({"name": "of-another-package"}, True),
        ({"name": "faulty", "inner": {"name": "ase", "calculator": "a.B"}}, True),
        (
            {"name": "faulty", "inner": {"name": "faulty", "inner": {"name": "ase", "calculator": "a.B"}}},
            True,
        ),
        ({"name": "faulty", "inner": {"name": "lennard-jones"}}, True),
        ({"name": ["ase"]}, True),
        ({}, True),
    ],
)
def test_which_oracles_run_code_that_a_file_names(section, expected):
    assert runs_named_code(section) is expected


@pytest.mark.parametrize(
    "section",
    [
        {"name": "lennard-jones"},
        {"name": "ase", "calculator": "ase.calculators.emt.EMT", "options": {"asap_cutoff": True}},
        {"name": "faulty", "inner": {"name": "ase", "calculator": "ase.calculators.emt.EMT"}},
    ],
)
def test_a_fingerprint_without_the_code_is_that_of_the_oracle(section):
    assert fingerprint_of(section) == make_oracle(section).fingerprint


def test_an_oracle_of_another_package_has_none_without_its_code():
    assert fingerprint_of({"name": "of-another-package"}) is None

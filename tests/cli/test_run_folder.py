"""Verbs that read a run folder, on a folder that the real store wrote."""

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from cli_documents import CONFIG
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.label import Label
from thalweg.store import SqliteStore
from thalweg.structure import Structure


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "run"
    with SqliteStore.open(place) as store:
        store.start_run(CONFIG)
        for k in range(3):
            atoms = molecule("H2O")
            atoms.positions[0, 0] += 0.1 * k
            structure = Structure.from_atoms(atoms)
            question = store.add_question(structure, "seed", iteration=0, reason={"text": "a start"})
            label = Label(-10.0 - k, np.full((3, 3), 0.1 * k), oracle="toy", wall_time=0.01)
            store.commit_label(structure, label, kind="seed", iteration=0, question_id=question)
    return place


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_export_to_extended_xyz_and_no_overwriting(folder, tmp_path):
    target = tmp_path / "labels.extxyz"
    result = invoke("export", folder, "--output", target)
    assert result.exit_code == 0, result.output
    assert "wrote 3 labelled structures" in result.output
    assert [atoms.get_potential_energy() for atoms in ase.io.read(target, index=":")] == [-10.0, -11.0, -12.0]
    assert invoke("export", folder, "--output", target).exit_code == 2
    assert invoke("export", folder, "--output", target, "--force").exit_code == 0


def test_export_to_an_ase_database_in_the_run_folder(folder):
    result = invoke("export", folder, "--format", "ase-db")
    assert result.exit_code == 0, result.output
    assert len(ase.io.read(folder / "labels.db", index=":")) == 3


def test_report_prints_its_path(folder):
    result = invoke("report", folder)
    assert result.exit_code == 0, result.output
    assert result.output.strip() == str(folder / "report.html")
    assert (folder / "report.html").stat().st_size > 0


def test_a_damaged_store_is_code_5(folder):
    (folder / "thalweg.db").write_bytes(b"not a database" * 100)
    result = invoke("export", folder)
    assert result.exit_code == 5
    assert "Traceback" not in result.output


def test_status_of_a_run_that_was_killed(folder):
    result = invoke("status", folder)
    assert "interrupted (continue it with the same `thalweg run` command)" in result.output
    assert "no summary yet" in result.output


def test_a_copy_of_the_store_can_be_gone_on_with(folder, tmp_path):
    result = invoke("export", folder, "--format", "store", "--output", tmp_path / "copy" / "thalweg.db")
    assert result.exit_code == 0, result.output
    assert "a run can continue from it" in result.output
    with SqliteStore.open(tmp_path / "copy") as store:
        assert len(store.all_labels()) == 3


def test_a_store_that_holds_less_than_its_summary_is_said(folder):
    (folder / "summary.json").write_text('{"n_labels": 9}')
    for arguments in (["labels", folder], ["export", folder], ["status", folder]):
        result = invoke(*arguments)
        assert result.exit_code == 0
        assert "holds 3 labels, but summary.json counts 9" in " ".join(
            (result.output + result.stderr).split()
        )

import fcntl
import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.cli.runstate import Activity, read_state
from thalweg.errors import StoreError
from thalweg.store.lock import LOCK_NAME


def write_summary(folder, **keys):
    (folder / "summary.json").write_text(json.dumps({"oracle_calls": 7, **keys}))


@pytest.fixture
def held(tmp_path):
    """A run folder whose lock this test holds, as a running process would."""
    with (tmp_path / LOCK_NAME).open("w+") as lock:
        lock.write(json.dumps({"pid": 4711, "host": "here"}))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


def test_a_held_lock_means_running(held):
    write_summary(held, stop=None)
    state = read_state(held)
    assert state.activity is Activity.RUNNING
    assert state.holder["pid"] == 4711


def test_a_stop_means_finished_and_none_interrupted(tmp_path):
    (tmp_path / LOCK_NAME).write_text("{}")
    write_summary(tmp_path, stop=None)
    assert read_state(tmp_path).activity is Activity.INTERRUPTED
    write_summary(tmp_path, stop={"reason": "target", "message": "certified"})
    assert read_state(tmp_path).activity is Activity.FINISHED


def test_looking_leaves_the_lock_free(tmp_path):
    (tmp_path / LOCK_NAME).write_text("{}")
    read_state(tmp_path)
    with (tmp_path / LOCK_NAME).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_damaged_summary(tmp_path):
    (tmp_path / "summary.json").write_text("{half")
    with pytest.raises(StoreError, match=r"summary\.json: damaged"):
        read_state(tmp_path)
    assert CliRunner().invoke(app, ["status", str(tmp_path)]).exit_code == 5


def test_status_for_scripts_and_people(held):
    write_summary(held, stop=None, n_labels=7, audit_calls=1, failed_calls=0)
    document = json.loads(CliRunner().invoke(app, ["status", str(held), "--json"]).output)
    assert document["state"] == "running"
    assert document["summary"]["oracle_calls"] == 7
    text = CliRunner().invoke(app, ["status", str(held)]).output
    assert "running (process 4711 on here)" in text
    assert "7 calls (1 audits, 0 failed), 7 labels" in text


def test_summary_shows_what_is_there_and_nothing_else(tmp_path):
    from thalweg.cli.summary import summary_panel

    console = Console(file=io.StringIO(), width=100)
    console.print(summary_panel({"audit": None, "stop": None, "timing": {}}, tmp_path))
    text = console.file.getvalue()
    assert "audit" not in text
    assert "folder" in text


def test_summary_of_a_crystal_tells_energy_and_stress(tmp_path):
    from ase.units import GPa

    from thalweg.cli.summary import summary_panel

    console = Console(file=io.StringIO(), width=100)
    audit = {"n_structures": 9, "force_rmse": 0.05, "energy_rmse": 0.0012, "stress_rmse": 0.25 * GPa}
    console.print(summary_panel({"audit": audit}, tmp_path))
    assert "energy RMSE 1.2 meV/atom, stress RMSE 0.25 GPa" in console.file.getvalue()

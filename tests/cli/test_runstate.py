import fcntl
import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.cli.runstate import Activity, read_state
from thalweg.errors import StoreError
from thalweg.store import SqliteStore
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


def test_summary_tells_forecast_advice_and_bounds_at_each_temperature(tmp_path):
    from thalweg.cli.summary import summary_panel

    def row(start, temperature, atoms, held):
        return {"start": start, "temperature": temperature, "atoms": atoms, "bounds_held": held}

    summary = {
        "forecast": {"words": "force RMSE about 0.05 eV/Å now"},
        "advice": [{"about": "basis", "text": "the basis cannot meet the target"}],
        "calibration": {"coverage": 0.95},
        "walked": [
            row(1, 300.0, 30, 1.0),
            row(1, 900.0, 10, 0.9),
            row(2, 900.0, 30, 0.9),
            row(2, 300.0, 0, None),
        ],
    }
    console = Console(file=io.StringIO(), width=140)
    console.print(summary_panel(summary, tmp_path))
    text = console.file.getvalue()
    assert "forecast" in text
    assert "force RMSE about 0.05 eV/Å now" in text
    assert "the basis cannot meet the target" in text
    assert "held for 95.0% of the oracle's answers (100.0% at 300 K, 90.0% at 900 K)" in text
    odd = {"forecast": "soon", "advice": {"text": 1}, "calibration": {"coverage": 0.95}, "walked": [{}]}
    console.print(summary_panel(odd, tmp_path))


def test_summary_tells_volumes_met_and_properties(tmp_path):
    from thalweg.cli.summary import summary_panel

    console = Console(file=io.StringIO(), width=200)
    audit = {"n_structures": 9, "volume_mean": 11.734, "volume_min": 11.5, "volume_max": 12.0}
    properties = {"equation_of_state": {"failed": "no minimum", "oracle_calls": 3}}
    console.print(summary_panel({"audit": audit, "properties": properties}, tmp_path))
    text = console.file.getvalue()
    assert "volumes met: 11.50 to 12.00 Å³/atom, mean 11.73" in text
    assert "equation of state: no minimum" in text


def written(folder):
    """A run folder with a store and a summary that names a model in another folder."""
    with SqliteStore.open(folder) as store:
        store.start_run({"seed": 1})
    write_summary(folder, stop=None, n_labels=0, model_path="/old/place/model")
    return folder


@pytest.mark.parametrize("content", [b"not a database " * 300, b"SQLite format 3\0" + bytes(5000)])
def test_status_of_garbage_is_an_error(tmp_path, content):
    (written(tmp_path) / "thalweg.db").write_bytes(content)
    for arguments in (["status", str(tmp_path)], ["status", str(tmp_path), "--json"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 5
        assert "thalweg.db" in result.stderr
        assert "restore it from a copy" in result.stderr


def test_status_of_an_empty_database_beside_a_run_is_an_error(tmp_path):
    write_summary(tmp_path, n_labels=3)
    (tmp_path / "thalweg.db").touch()
    assert CliRunner().invoke(app, ["status", str(tmp_path)]).exit_code == 5


def test_status_of_a_copy_names_no_other_place(tmp_path):
    (written(tmp_path) / "model").mkdir()
    for arguments in (["status", str(tmp_path)], ["status", str(tmp_path), "--json"]):
        output = CliRunner().invoke(app, arguments).output
        assert "/old/place" not in output
        assert str(tmp_path / "model") in output.replace("\n", "").replace("│", "").replace(" ", "")


def test_status_without_a_database_says_what_is_missing(tmp_path):
    write_summary(tmp_path, stop=None, n_labels=7)
    result = CliRunner().invoke(app, ["status", str(tmp_path)])
    assert "thalweg.db is missing: restore it from a copy" in " ".join(result.output.split())
    assert "same `thalweg run` command" not in result.output
    assert json.loads(CliRunner().invoke(app, ["status", str(tmp_path), "--json"]).output)["warning"]

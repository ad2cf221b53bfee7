"""`thalweg md` as a user types it: words for what is wrong, files, a kill at any moment."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from copper import copper, copper_potential
from thalweg.cli.app import app
from thalweg.cli.mdconsole import MdConsole, closing_lines, progress_line
from thalweg.production import ProductionProgress

COMMAND = [sys.executable, "-m", "thalweg.cli"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model and structures."""
    folder = tmp_path_factory.mktemp("md")
    copper_potential().save(folder / "run" / "model")
    atoms = copper(1, size=0.0)[0][0].to_atoms()
    atoms.write(folder / "copper.xyz", format="extxyz")
    slab = atoms.copy()
    slab.center(vacuum=6.0, axis=2)
    slab.write(folder / "slab.xyz", format="extxyz")
    slab.symbols[0] = "H"
    slab.write(folder / "hydride.xyz", format="extxyz")
    atoms.set_pbc(False)
    atoms.write(folder / "cluster.xyz", format="extxyz")
    atoms.symbols[0] = "Ge"
    atoms.write(folder / "germanium.xyz", format="extxyz")
    return folder


@pytest.fixture
def md(place, tmp_path, monkeypatch):
    """Runs the verb in `place` with its output in tmp_path/out."""
    monkeypatch.chdir(place)
    monkeypatch.delenv("THALWEG_TRACEBACK", raising=False)

    def call(*words, structure="copper.xyz", model="run"):
        given = ["md", model, structure, "-o", str(tmp_path / "out"), "--threads", "1", *words]
        return CliRunner().invoke(app, given)

    return call


def test_a_short_trajectory(md, tmp_path):
    result = md("--steps", "40", "--every", "20", "--log-every", "10", "--halt", "off", "-T", "50")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(
        "Cu8: 8 atoms, 50 K, 0.08 ps in steps of 2 fs, velocities drawn, no halt, 1 thread"
    )
    assert "finished at step 40, 0.080 ps" in result.output
    assert len((tmp_path / "out" / "log.csv").read_text().splitlines()) == 6
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["state"], summary["step"], summary["n_atoms"]) == ("finished", 40, 8)


def test_time_units_supercell_and_json(md, tmp_path):
    result = md(
        "--time", "20 fs", "--timestep", "0.5", "--repeat", "2", "1", "1", "--ensemble", "npt", "--json"
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["step"], summary["n_atoms"]) == (40, 16)
    assert summary["settings"]["ensemble"] == "npt"


def test_equilibration_is_left_out_of_averages_and_errors_of_means_are_said(md, tmp_path):
    words = ("--time", "0.4ps", "--halt", "off", "-T", "50", "--log-every", "1", "--equilibrate", "0.2 ps")
    assert md(*words[:1], "0.1ps", *words[2:]).exit_code == 2  # nothing would be left
    result = md(*words)
    assert result.exit_code == 0, result.output
    assert "mean from 0.2 ps on ± its standard error (sd: of single values): " in result.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["averaged"] == {"rows": 101, "rows_left_out": 100, "from_ps": 0.2}
    assert summary["settings"]["equilibrate"] == 100
    assert summary["energy_drift_meV_per_atom_ps"] is None
    other = md(*words[:-1], "0.3 ps")
    assert other.exit_code == 2
    assert "equilibrate 100 -> 150" in other.output


def test_means_in_words():
    averages = {
        "temperature_K": {"mean": 300.12345, "error_of_mean": 2.345, "sd": 25.61},
        "pressure_GPa": {"mean": 0.51234, "error_of_mean": None, "sd": 1.234},
        "volume_A3": {"mean": 47.04, "error_of_mean": 0.0, "sd": 0.0},
    }
    summary = {
        "state": "finished", "step": 3, "time_ps": 0.003, "averages": averages, "largest_bound": None,
        "averaged": {"rows": 9, "rows_left_out": 0, "from_ps": 0.0}, "energy_drift_meV_per_atom_ps": None,
        "timing": {"steps": 0}, "files": {"trajectory": "t", "log": "l"},
    }  # fmt: skip
    said = "300.123 ± 2.3 K (sd 26), 0.51234 ± (unknown: too short) GPa (sd 1.2), 47.04 Å³"
    assert closing_lines(summary)[1] == f"mean ± its standard error (sd: of single values): {said}"
    only = summary | {
        "averages": {"volume_A3": averages["volume_A3"]},
        "averaged": {"rows": 1, "from_ps": 0.0},
    }
    assert closing_lines(only)[1] == "the only row of the log: 47.04 Å³"
    equilibrating = summary | {"averages": {}, "averaged": {"rows": 0, "rows_left_out": 9, "from_ps": 5.0}}
    assert closing_lines(equilibrating)[1] == "no averages: they begin at 5 ps"


def test_halt_says_what_to_do(md, tmp_path):
    result = md("--steps", "400", "--halt", "0.012", "--uncertainty-every", "1", "-T", "600")
    assert result.exit_code == 3, result.output
    assert "uncertain" in result.output
    assert f"thalweg queue RUN {tmp_path / 'out' / 'halted.extxyz'}" in result.output
    assert (tmp_path / "out" / "halted.extxyz").exists()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["halted"]["reason"]


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ((), {}, "how long? give either --steps or --time"),
        (("--steps", "5", "--time", "1ps"), {}, "how long?"),
        (("--time", "10 eV"), {}, "--time: expected a time"),
        (("--time", "0.1 fs"), {}, "less than one step"),
        (("--steps", "5", "--halt", "never"), {}, "--halt: expected a force"),
        (("--steps", "5", "--halt", "-1"), {}, "halt: expected a bound above 0 eV/Å, or off"),
        (("--steps", "5", "--timestep", "500"), {}, "timestep: expected 0.001 to 20 fs"),
        (("--steps", "5", "--uncertainty-every", "0"), {}, "set halt to off"),
        (("--steps", "5", "-e", "npt", "--barostat-time", "1"), {}, "at least 20 time steps"),
        (("--steps", "5", "-e", "npt"), {"structure": "cluster.xyz"}, "periodic in three directions"),
        (("--steps", "5", "-e", "npt"), {"structure": "slab.xyz"}, "Å without an atom"),
        (("--steps", "5", "-T", "1e6"), {}, "temperature: expected 0 to 20000 K"),
        (
            ("--steps", "5", "--timestep", "5"),
            {"structure": "hydride.xyz"},
            "cannot follow the vibrations of H",
        ),
        (("--steps", "5", "--equilibrate", "-1"), {}, "--equilibrate: expected a time of 0 to"),
        (("--steps", "5", "--equilibrate", "1 eV"), {}, "--equilibrate: expected a time"),
        (("--steps", "5", "--equilibrate", "1 ns"), {}, "leave none for averages"),
        (("--steps", "5", "--repeat", "2", "2", "2"), {"structure": "cluster.xyz"}, "not periodic along"),
        (("--steps", "5"), {"structure": "germanium.xyz"}, "Ge"),
        (("--steps", "5"), {"structure": "absent.xyz"}, "there is no such file"),
        (("--steps", "5"), {"model": "absent"}, "absent: no such folder"),
        (("--steps", "5"), {"model": "."}, "no saved potential here"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(md, tmp_path, words, options, message):
    result = md(*words, **options)
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")
    assert "Traceback" not in result.output
    assert not (tmp_path / "out" / "log.csv").exists()


def test_other_settings_on_the_way(md):
    assert md("--steps", "20", "--halt", "off").exit_code == 0
    result = md("--steps", "40", "--halt", "off", "--temperature", "500")
    assert result.exit_code == 2
    assert "temperature 300.0 -> 500.0" in result.output
    assert md("--steps", "40", "--halt", "off").exit_code == 0


ARGUMENTS = [
    "run",
    "copper.xyz",
    "--repeat",
    "2",
    "2",
    "2",
    "--steps",
    "3000",
    "--every",
    "50",
    "--log-every",
    "20",
]
ARGUMENTS += ["--ensemble", "npt", "--halt", "off", "-T", "50", "--format", "traj", "--threads", "1"]


def start(place, output):
    return subprocess.Popen(
        [*COMMAND, "md", *ARGUMENTS, "-o", str(output)],
        cwd=place,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_restart(process, output, earlier):
    """Until a restart newer than `earlier` is there, or the process has ended."""
    path = output / "restart" / "md.json"
    while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns <= earlier):
        time.sleep(0.01)
    return path.stat().st_mtime_ns if path.exists() else 0


def test_killed_at_any_moment_it_goes_on_bit_for_bit(place, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    process = start(place, whole)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    stamp, kills = 0, 0
    for delay in (0.0, 0.15, 0.3):
        process = start(place, parts)
        stamp = wait_for_restart(process, parts, stamp)
        time.sleep(delay)
        process.kill()
        kills += process.wait(timeout=60) == -signal.SIGKILL
        process.stdout.close()
    assert kills >= 1
    process = start(place, parts)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert (whole / "trajectory.traj").read_bytes() == (parts / "trajectory.traj").read_bytes()
    logs = [(folder / "log.csv").read_text().splitlines() for folder in (whole, parts)]
    assert len(logs[0]) == 152
    assert [line.rpartition(",")[0] for line in logs[0]] == [line.rpartition(",")[0] for line in logs[1]]
    assert (whole / "last.extxyz").read_bytes() == (parts / "last.extxyz").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_saves_and_says_how_to_go_on(place, tmp_path, number):
    process = start(place, tmp_path / "out")
    wait_for_restart(process, tmp_path / "out", 0)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "everything is saved, and the same command continues" in output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["state"] == "interrupted"
    assert 0 <= summary["step"] < 3000


def test_progress_in_one_line():
    progress = ProductionProgress(500, 2000, 1.0, 250.0, temperature=301.2, pressure_gpa=-0.1, bound=0.12)
    assert progress_line(progress) == (
        "step 500/2,000 | 1.00 ps | 301 K | -0.10 GPa | largest bound 0.12 eV/Å | 250 steps/s | 6.0 s to go"
    )
    assert progress_line(ProductionProgress(0, 10, 0.0, None)) == "step 0/10 | 0.00 ps"


def test_a_live_line_in_a_terminal_and_none_when_quiet():
    import io

    from rich.console import Console

    shown = {}
    for quiet in (False, True):
        file = io.StringIO()
        with MdConsole(quiet=quiet, console=Console(file=file, force_terminal=True, width=120)) as console:
            console.progress(ProductionProgress(5, 10, 0.01, 100.0))
            time.sleep(0.3)
            console.insist("done")
        shown[quiet] = file.getvalue()
    assert "step 5/10" in shown[False]
    assert "step 5/10" not in shown[True]
    assert "done" in shown[True]


def test_large_structures_are_carved_before_they_are_queued():
    summary = {
        "state": "halted", "step": 3, "time_ps": 0.003, "n_atoms": 4000, "averages": {}, "largest_bound": None,
            "averaged": {"rows": 0, "rows_left_out": 0, "from_ps": 0.0},
        "energy_drift_meV_per_atom_ps": None, "settings": {"ensemble": "nvt"}, "timing": {"steps": 0},
        "files": {}, "halted": {"reason": "Cu1 uncertain", "event": "break_uncertain", "file": "halted.extxyz"},
    }  # fmt: skip
    assert "thalweg carve halted.extxyz" in closing_lines(summary)[-1]
    assert "carve" not in closing_lines({**summary, "n_atoms": 40})[-1]
    assert "a larger --halt" in closing_lines(summary)[-1]
    summary["halted"]["event"] = "too_close"
    assert "a larger --halt" not in closing_lines(summary)[-1]


def test_what_the_file_says_is_told(md, place):
    atoms = copper(1, size=0.0)[0][0].to_atoms()
    atoms.info["charge"] = 1
    atoms.arrays["vel"] = np.full((len(atoms), 3), 1e-4)
    atoms.write(place / "ion.xyz", format="extxyz")
    dataclasses.replace(copper_potential(), provenance={"charges": [0]}).save(place / "neutral")
    result = md("--steps", "10", "--halt", "off", structure="ion.xyz", model="neutral")
    assert "Cu8: 8 atoms, charge +1, 300 K" in result.output
    assert "velocities of the file" in result.output
    assert "the structure has charge 1, and the potential learned from charge 0" in result.output
    plain = md("--steps", "20", "--halt", "off", "-o", str(place / "plain"))
    assert "velocities drawn" in plain.output
    assert "charge" not in plain.output

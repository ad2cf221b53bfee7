"""The command as a process of its own: what only shows there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "thalweg.cli"]

# A shell's background jobs ignore SIGINT, and so does all that they start, which these tests may be.
SLOW = """
import signal, sys, time, types
signal.signal(signal.SIGINT, signal.default_int_handler)
module = types.ModuleType("thalweg.loop.runner")
def run(config, folder, reporter):
    reporter.event("info", "walking", {})
    time.sleep(60)
module.run = run
sys.modules["thalweg.loop.runner"] = module
from thalweg.cli import main
main()
"""


def test_help_imports_nothing_heavy():
    code = (
        "import sys, thalweg.cli.app\n"
        "heavy = {'numpy', 'ase', 'scipy', 'pydantic', 'matplotlib', 'thalweg.loop'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_usage_error_of_the_process():
    result = subprocess.run(
        [*COMMAND, "run", "absent.yaml"], capture_output=True, text=True, timeout=900, check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith("thalweg: absent.yaml: no such file")


def test_closed_pipe_is_no_traceback():
    process = subprocess.Popen([*COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert b"Traceback" not in errors
    assert b"BrokenPipe" not in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_disk_is_one_message(unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "--help"],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=900,
            check=False,
        )
    assert result.returncode == 4
    assert result.stderr.startswith("thalweg: the disk is full")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interruption_says_how_to_go_on(tmp_path, number):
    (tmp_path / "water.yaml").write_text("system: water.xyz\noracle: tblite\n")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "run", "water.yaml"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout.readline() == "walking\n"
            time.sleep(0.05)
            process.send_signal(number)
            output, errors = process.communicate(timeout=900)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Continue with: thalweg run water.yaml --run runs/water" in output
    assert "Traceback" not in errors

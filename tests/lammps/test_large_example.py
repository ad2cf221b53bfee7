"""The example in `examples/lammps` as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_runs import find_installation

EXAMPLE = Path(__file__).parents[2] / "examples" / "lammps" / "learn_from_large.py"


@pytest.mark.physics
@pytest.mark.timeout(1800)
def test_a_large_run_teaches_until_it_goes_all_the_way(tmp_path):
    installation = find_installation()
    environment = os.environ | {
        "THALWEG_LMP": installation.lmp,
        "THALWEG_LAMMPS_PLUGIN": installation.plugin,
    }
    done = subprocess.run(
        [sys.executable, EXAMPLE, tmp_path / "large"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "halted at step" in done.stdout
    assert "its environment kept" in done.stdout
    assert "without a bound above" in done.stdout.splitlines()[-1]

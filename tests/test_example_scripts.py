"""The example scripts run from any folder and say what they promise."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

PROMISES = {
    "01_fit_and_evaluate.py": ("test RMSE", "error bounds held", "largest force error bound"),
    "02_learn_on_the_fly.py": ("asked EMT", "audit", "calls", "stopped:"),
    "03_molecular_dynamics_with_uncertainty.py": ("the time was up", "uncertain", "stretched"),
}


def test_every_example_is_run():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(PROMISES)


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_example(name, tmp_path):
    found = subprocess.run(
        [sys.executable, EXAMPLES / name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    for promise in PROMISES[name]:
        assert promise in found.stdout
    assert not list(tmp_path.iterdir())

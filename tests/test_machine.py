"""What is said of the machine is of this process."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg import machine

_CHILD = """
import json, resource
from thalweg.machine import peak_memory
print(json.dumps([peak_memory(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))
"""


def test_the_peak_grows_with_what_is_held():
    before = machine.peak_memory()
    held = np.ones(int((before + 50) * 1e6 / 8))
    assert machine.peak_memory() > before + 40
    assert held.sum() > 0


def test_a_parents_memory_is_not_counted():
    if "VmHWM" not in machine._STATUS.read_text():
        pytest.skip("a kernel that does not say it")
    held = np.ones(int(400e6 / 8))
    own, with_parent = json.loads(subprocess.check_output([sys.executable, "-c", _CHILD], text=True))
    assert held.nbytes == 400e6
    assert with_parent > 400  # the control: getrusage counts it
    assert 5 < own < 300


def test_without_the_kernels_word_getrusage_is_asked(monkeypatch):
    monkeypatch.setattr(machine, "_STATUS", Path("/nowhere/status"))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    assert machine.peak_memory() == pytest.approx(used * unit / 1e6, rel=0.05)

"""Quantiles are those of scipy.stats, which a run does without."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from thalweg import quantiles

LEVELS = [1e-6, 0.01, 0.1, 0.5, 0.9, 0.975, 0.999]


@pytest.mark.parametrize("p", LEVELS)
def test_quantiles_are_those_of_scipy(p):
    assert quantiles.normal(p) == pytest.approx(stats.norm.ppf(p), rel=1e-12, abs=1e-12)
    for dof in (1, 3, 27.5, 400):
        assert quantiles.student(p, dof) == pytest.approx(stats.t.ppf(p, dof), rel=1e-9, abs=1e-9)
    for a, b in ((1, 1), (0.5, 3), (40, 2.5), (243, 1)):
        assert quantiles.beta(p, a, b) == pytest.approx(stats.beta.ppf(p, a, b), rel=1e-9)
    for dof in (1, 3, 9):
        assert quantiles.chi(p, dof) == pytest.approx(stats.chi.ppf(p, dof), rel=1e-9)


def test_normals_are_normal_of_each():
    p = np.array(LEVELS)
    assert quantiles.normals(p).tolist() == [quantiles.normal(one) for one in LEVELS]


def test_ranks_share_ties():
    values = np.array([3.0, 1.0, 2.0, 3.0, 1.0, 3.0, -7.0])
    assert quantiles.ranks(values).tolist() == stats.rankdata(values).tolist()
    assert quantiles.ranks(np.zeros(4)).tolist() == [2.5] * 4


def test_a_run_does_not_import_scipy_stats():
    code = "import sys, thalweg.loop.runner, thalweg.cli.run, thalweg.cli.console; print('scipy.stats' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
    control = subprocess.run(
        [sys.executable, "-c", "import sys, scipy.stats; print('scipy.stats' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert control.stdout.strip() == "True"

"""Errors of means: what is known exactly of independent and of correlated values."""

from dataclasses import replace

import numpy as np
import pytest
from trajectories import NPT, PLAN, column, run

from thalweg.border import check_temperature
from thalweg.errors import InputError
from thalweg.production.blocking import Blocks
from thalweg.production.restart import load_restart


def blocked(values):
    blocks = Blocks()
    for value in values:
        blocks.add(float(value))
    return blocks


def correlated(n, rho, seed):
    """An autoregressive series of unit variance; its mean has the variance (1 + rho) / (1 - rho) / n."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n) * np.sqrt(1 - rho**2)
    out = np.empty(n)
    out[0] = rng.normal()
    for k in range(1, n):
        out[k] = rho * out[k - 1] + noise[k]
    return out


@pytest.mark.parametrize(("rho", "n"), [(0.0, 1000), (0.5, 2000), (0.9, 8000), (0.98, 20000)])
def test_the_error_is_that_of_the_mean(rho, n):
    errors = [blocked(correlated(n, rho, seed)).error() for seed in range(8)]
    expected = np.sqrt((1 + rho) / (1 - rho) / n)
    assert np.mean(errors) == pytest.approx(expected, rel=0.12)
    naive = 1 / np.sqrt(n)
    assert expected >= naive
    assert (np.mean(errors) > 2 * naive) == (rho > 0.7)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_values_have_no_error(n):
    assert blocked(range(n)).error() is None


def test_values_that_hang_together_have_no_error_and_constants_none_at_all():
    assert blocked(np.linspace(0, 1, 200)).error() is None
    assert blocked(correlated(100, 0.99, 1)).error() is None
    assert blocked(np.full(50, 3.0)).error() == 0.0


def test_each_level_holds_the_means_of_blocks():
    values = np.random.default_rng(0).normal(size=37)
    levels = blocked(values).levels
    assert len(levels) == 6
    for k, (n, total, squares, last) in enumerate(levels):
        means = values[: 37 // 2**k * 2**k].reshape(-1, 2**k).mean(axis=1)
        assert (n, total, squares) == (
            len(means),
            pytest.approx(means.sum()),
            pytest.approx((means**2).sum()),
        )
        assert last == pytest.approx(means[-1])


def test_equilibration_is_left_out(copper_potential, cell, tmp_path):
    plan = replace(NPT, equilibrate=100)
    outcome = run(copper_potential, cell, plan, tmp_path)
    kept = column(tmp_path, "step") >= 100
    assert (outcome.averages.n, outcome.averages.n_left_out) == (21, 10)
    summary = outcome.averages.summary()
    for name in ("temperature_K", "volume_A3", "E_tot_eV"):
        values = column(tmp_path, name)[kept]
        assert summary[name]["mean"] == pytest.approx(values.mean(), rel=1e-6)
        assert summary[name]["mean"] != pytest.approx(column(tmp_path, name).mean(), rel=1e-6)
        assert summary[name]["sd"] == pytest.approx(values.std(), rel=1e-3)
        error = blocked(values - values[0]).error()
        assert summary[name]["error_of_mean"] == (None if error is None else pytest.approx(error, rel=1e-3))


@pytest.mark.parametrize("stop_after", [0, 1, 2, 3])
def test_an_interrupted_equilibration_goes_on_bit_for_bit(
    copper_potential, cell, tmp_path, monkeypatch, stop_after
):
    monkeypatch.setattr("thalweg.production.runner._BLOCK_SECONDS", 0.0)
    plan = replace(PLAN, equilibrate=120)
    run(copper_potential, cell, plan, tmp_path / "whole")
    assert run(copper_potential, cell, plan, tmp_path / "parts", stop_after=stop_after).state == "interrupted"
    run(copper_potential, cell, plan, tmp_path / "parts")
    one, other = (load_restart(tmp_path / name).facts["averages"] for name in ("whole", "parts"))
    assert one == other
    assert one["n"] == 19
    names = ("trajectory.extxyz", "last.extxyz")
    assert all((tmp_path / "whole" / n).read_bytes() == (tmp_path / "parts" / n).read_bytes() for n in names)


def test_constant_pressure_protects_vacuum_without_the_command_line_too(copper_potential, cell, tmp_path):
    atoms = cell.to_atoms()
    atoms.center(vacuum=6.0, axis=2)
    slab = type(cell).from_atoms(atoms)
    with pytest.raises(
        InputError, match=r"ensemble npt: along cell vector 3 there are 12\.0 Å without an atom"
    ):
        run(copper_potential, slab, NPT, tmp_path)
    assert not (tmp_path / "log.csv").exists()


def test_absurd_temperatures():
    assert check_temperature([300.0, 2000.0], "it") is None
    assert "9000 K is hotter" in check_temperature([300.0, 9000.0], "it")
    for odd in (-1.0, 30_000.0, float("nan")):
        with pytest.raises(InputError, match="it: expected 0 to 20000 K"):
            check_temperature([odd], "it")

"""Halting before the bound is passed."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from trajectories import PLAN, column, run

from thalweg.structure import Structure


def test_it_halts_before_the_bound_is_passed(copper_potential, cell, tmp_path):
    free = run(copper_potential, cell, PLAN, tmp_path / "free")
    limit = 0.9 * free.worst["bound"]
    strict = replace(PLAN, halt=limit)
    outcome = run(copper_potential, cell, strict, tmp_path / "halted")
    assert outcome.state == "halted"
    offending = ase.io.read(tmp_path / "halted" / "halted.extxyz")
    atom = int(offending.info["atom"])
    assert offending.info["step"] == outcome.step + 1
    assert offending.info["step"] % 5 == 0
    assert offending.arrays["bound"][atom] == pytest.approx(offending.arrays["bound"].max())
    assert offending.arrays["bound"].max() > limit
    assert offending.arrays["novelty"].shape == (8,)
    assert outcome.reason.startswith(f"Cu{atom} uncertain")
    assert column(tmp_path / "halted", "bound_eV_per_A").max() <= limit
    last = ase.io.read(tmp_path / "halted" / "last.extxyz")
    assert last.info["step"] == outcome.step
    # The same command halts again at the same moment; a larger bound goes on as if it had never halted.
    again = run(copper_potential, cell, strict, tmp_path / "halted")
    assert (again.state, again.step) == ("halted", outcome.step)
    on = run(copper_potential, cell, PLAN, tmp_path / "halted")
    assert on.state == "finished"
    assert not (tmp_path / "halted" / "halted.extxyz").exists()
    frames = [ase.io.read(tmp_path / name / "trajectory.extxyz", ":") for name in ("halted", "free")]
    assert len(frames[0]) == len(frames[1])
    for one, other in zip(*frames, strict=True):  # but for rounding: its neighbour list was built anew
        assert one.positions == pytest.approx(other.positions, abs=1e-6)


def test_a_screened_committee_halts_at_bounds_of_the_whole_one(copper_potential, cell, tmp_path):
    free = run(copper_potential, cell, replace(PLAN, uncertainty_every=1), tmp_path / "free")
    limit = 0.7 * free.worst["bound"]
    strict = replace(PLAN, uncertainty_every=1, halt=limit)
    whole = run(copper_potential, cell, strict, tmp_path / "whole")
    screened = run(copper_potential, cell, replace(strict, committee="screened"), tmp_path / "screened")
    assert whole.state == screened.state == "halted"
    assert abs(screened.step - whole.step) < 40
    offending = ase.io.read(tmp_path / "screened" / "halted.extxyz")
    expected = copper_potential.predict(Structure.from_atoms(offending)).forces_bound
    assert offending.arrays["bound"] == pytest.approx(expected, abs=1e-4)
    assert expected.max() > limit


def test_novelty_is_a_limit_where_there_is_one_and_bounds_are(copper_potential):
    assert replace(PLAN, halt=0.3).limits(copper_potential).novelty_break == 5.0
    assert PLAN.limits(copper_potential).novelty_break == np.inf
    blind = replace(copper_potential, novelty=None)
    limits = replace(PLAN, halt=0.3).limits(blind)
    assert (limits.novelty_break, limits.bound_break) == (np.inf, 0.3)


def test_a_start_beyond_the_bound_halts_at_once(copper_potential, cell, tmp_path):
    squeezed = cell.with_positions(cell.positions + np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]] * 0.5)
    outcome = run(copper_potential, squeezed, replace(PLAN, halt=0.02), tmp_path)
    assert (outcome.state, outcome.step, outcome.steps_done) == ("halted", 0, 0)
    assert (tmp_path / "halted.extxyz").exists()

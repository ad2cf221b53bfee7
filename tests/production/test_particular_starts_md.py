"""Held atoms, masses and velocities of a structure file in production, and in what is written of it."""

import dataclasses

import ase.io
import numpy as np
import pytest
from test_going_on import check_same, spoil
from trajectories import PLAN, run

from thalweg.errors import InputError
from thalweg.production import prepare_start
from thalweg.store import read_moving
from thalweg.units import fs


def particular(cell):
    """Two atoms held, one along z alone; all of them lighter; a charge."""
    fixed = np.zeros((len(cell), 3), bool)
    fixed[:2] = True
    fixed[2, 2] = True
    return dataclasses.replace(cell, fixed=fixed, masses=np.full(len(cell), 40.0), charge=1)


@pytest.mark.parametrize("form", ["extxyz", "traj"])
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_all_of_it_is_kept_over_a_kill(copper_potential, cell, tmp_path, monkeypatch, form, ensemble):
    monkeypatch.setattr("thalweg.production.runner._BLOCK_SECONDS", 0.0)
    plan = dataclasses.replace(PLAN, format=form, ensemble=ensemble)
    start, whole, parts = particular(cell), tmp_path / "whole", tmp_path / "parts"
    run(copper_potential, start, plan, whole)
    run(copper_potential, start, plan, parts, stop_after=1)
    spoil(parts, form)
    run(copper_potential, start, plan, parts)
    check_same(whole, parts, form)
    last, velocities = read_moving(whole / "last.extxyz")
    assert last.charge == 1
    assert np.array_equal(last.fixed, start.fixed)
    assert last.amu.tolist() == [40.0] * len(cell)
    assert not velocities[start.fixed].any()
    assert velocities[~start.fixed].all()
    for frame in ase.io.read(whole / f"trajectory.{form}", ":"):
        moved = np.abs(frame.positions - cell.positions)
        assert moved[start.fixed].max() < 1e-7
        assert len(frame.constraints) > 0
    assert moved[~start.fixed].max() > 0.01


def test_lighter_atoms_move_further(copper_potential, cell, tmp_path):
    light = dataclasses.replace(cell, masses=np.full(len(cell), 10.0))
    for name, start in (("light", light), ("usual", cell)):
        run(copper_potential, start, PLAN, tmp_path / name)
    light, usual = (ase.io.read(tmp_path / name / "last.extxyz") for name in ("light", "usual"))
    assert not np.allclose(light.positions, usual.positions)
    assert light.get_masses()[0] == 10.0
    assert usual.get_masses()[0] == pytest.approx(63.546)


def test_velocities_of_gpumd_and_quip_are_in_angstrom_per_femtosecond(tmp_path):
    path = tmp_path / "moving.xyz"
    for name in ("vel", "velo"):
        path.write_text(f"1\nProperties=species:S:1:pos:R:3:{name}:R:3\nCu 0 0 0 0.01 0 -0.02\n")
        _, velocities = read_moving(path)
        assert velocities[0] == pytest.approx(np.array([0.01, 0, -0.02]) / fs)
    path.write_text("1\nProperties=species:S:1:pos:R:3:velocities:R:3\nCu 0 0 0 0.01 0 0\n")
    with pytest.raises(InputError, match=r"'velocities' is in Å/fs to some programs"):
        read_moving(path)


def test_a_supercell_keeps_it(cell):
    large = prepare_start(particular(cell), None, (2, 1, 1)).structure
    assert large.charge == 2
    assert large.fixed.all(axis=1).sum() == 4
    assert set(large.amu) == {40.0}


def test_a_structure_that_is_held_as_a_whole_is_refused(cell):
    held = dataclasses.replace(cell, fixed=np.ones((len(cell), 3), bool))
    with pytest.raises(InputError, match="atoms are held, so that nothing moves"):
        prepare_start(held)

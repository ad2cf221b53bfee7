"""Plans and starts: supercells, velocities, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from trajectories import NPT, PLAN, run

from thalweg.errors import InputError
from thalweg.production import prepare_start
from thalweg.structure import Structure
from thalweg.units import kB


def test_supercells(cell, copper_potential):
    velocities = np.random.default_rng(0).normal(size=(8, 3))
    start = prepare_start(cell, velocities, (1, 2, 3))
    shifts = [[0, j, k] for j in range(2) for k in range(3)]
    expected = np.concatenate([cell.positions + shift @ cell.cell for shift in np.array(shifts)])
    assert start.structure.positions == pytest.approx(expected)
    assert start.structure.cell == pytest.approx(cell.cell * [[1], [2], [3]])
    assert np.array_equal(start.velocities.reshape(6, 8, 3), [velocities] * 6)
    energy = copper_potential.predict(start.structure).energy
    assert energy == pytest.approx(6 * copper_potential.predict(cell).energy)
    chain = replace_pbc(cell, (True, False, True))
    with pytest.raises(InputError, match="not periodic along its cell vector 2"):
        prepare_start(chain, repeat=(2, 2, 1))


def replace_pbc(structure, pbc):
    return Structure(structure.numbers, structure.positions, structure.cell, np.array(pbc))


def test_velocities_of_the_file_are_kept_and_drawn_ones_leave_the_whole_at_rest(
    cell, copper_potential, tmp_path
):
    given = np.random.default_rng(0).normal(size=(8, 3))
    assert np.array_equal(prepare_start(cell, given).walker(PLAN).velocities, given)
    start = prepare_start(cell, repeat=(4, 4, 4))
    free, still = (start.walker(replace(PLAN, ensemble=name)).velocities for name in ("nvt", "nve"))
    masses = start.walker(PLAN).masses
    assert np.abs(masses @ still).max() < 1e-9
    assert np.abs(masses @ free).max() > 1.0
    small, cold = prepare_start(cell), replace(PLAN, ensemble="nve")
    drawn = np.array([small.walker(replace(cold, seed=seed)).velocities for seed in range(400)])
    temperatures = (masses[:8, None] * drawn**2).sum(axis=(1, 2)) / (3 * 8 * kB)
    assert temperatures.mean() == pytest.approx(400, rel=0.06)  # an eighth less without the whole's share


def test_npt_of_a_molecule_is_refused_before_a_file_is_made(copper_potential, cell, tmp_path):
    with pytest.raises(InputError, match="periodic in three directions"):
        run(copper_potential, replace_pbc(cell, (False, True, True)), NPT, tmp_path)
    assert not (tmp_path / "log.csv").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_steps": 0}, "steps"),
        ({"halt": -1.0}, "halt"),
        ({"halt": 0.3, "uncertainty_every": 0}, "never computed"),
        ({"timestep_fs": 0.0}, "timestep"),
        ({"ensemble": "npt", "barostat_fs": 1.0}, "20 time steps"),
        ({"format": "xyz"}, "extxyz or traj"),
        ({"precision": "half"}, "double or mixed"),
        ({"seed": -1}, "seed: expected 0 to"),
        ({"seed": 2**64}, "seed: expected 0 to"),
        ({"temperature": -1.0}, "temperature: expected 0 to 20000 K"),
        ({"every": 0}, "every: expected 1 to"),
        ({"log_every": 0}, "every: expected 1 to"),
        ({"uncertainty_every": -1}, "uncertainty-every: expected 0 to"),
    ],
)
def test_bad_plans(change, words):
    with pytest.raises(InputError, match=words):
        replace(PLAN, **change)

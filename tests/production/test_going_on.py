"""Going on after any interruption, bit for bit, and only with what the trajectory began with."""

import json
import random
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from trajectories import NPT, PLAN, log_of, run

from thalweg.errors import InputError, StoreError
from thalweg.models.archive import read_archive, write_archive
from thalweg.production import prepare_start
from thalweg.production.restart import load_restart


@pytest.mark.parametrize(
    "plan", [PLAN, NPT, replace(NPT, format="traj", precision="mixed"), replace(PLAN, ensemble="nve")]
)
@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_an_interrupted_trajectory_goes_on_bit_for_bit(
    copper_potential, cell, tmp_path, monkeypatch, plan, stop_after
):
    monkeypatch.setattr("thalweg.production.runner._BLOCK_SECONDS", 0.0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(copper_potential, cell, plan, whole)
    first = run(copper_potential, cell, plan, parts, stop_after=stop_after)
    assert first.state == "interrupted"
    assert first.step < 300
    spoil(parts, plan.format)
    second = run(copper_potential, cell, plan, parts, n_threads=2)
    assert second.state == "finished"
    assert second.steps_done == 300 - first.step
    check_same(whole, parts, plan.format)


def spoil(folder, form):
    """What a process that was killed between two restarts leaves behind: a frame, and half of the next."""
    if form == "traj":  # whose header counts frames
        with ase.io.Trajectory(folder / "trajectory.traj", "a") as trajectory:
            trajectory.write(ase.io.read(folder / "trajectory.traj"))
    with (folder / f"trajectory.{form}").open("ab") as stream:
        stream.write(b"8\nLattice half a fra")
    with (folder / "log.csv").open("ab") as stream:
        stream.write(b"310,0.62,4")


def check_same(whole, parts, form):
    name = f"trajectory.{form}"
    assert (whole / name).read_bytes() == (parts / name).read_bytes()
    assert log_of(whole) == log_of(parts)
    one, other = load_restart(whole), load_restart(parts)
    for key in ("velocities", "list_positions", "list_cell"):
        assert np.array_equal(getattr(one.state, key), getattr(other.state, key))
    assert one.facts["averages"] == other.facts["averages"]
    assert (whole / "last.extxyz").read_bytes() == (parts / "last.extxyz").read_bytes()


def test_a_finished_trajectory_goes_further_with_more_steps(copper_potential, cell, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(copper_potential, cell, PLAN, whole)
    run(copper_potential, cell, replace(PLAN, n_steps=130), parts)
    again = run(copper_potential, cell, replace(PLAN, n_steps=130), parts)
    assert (again.state, again.steps_done) == ("finished", 0)
    run(copper_potential, cell, PLAN, parts)
    check_same(whole, parts, "extxyz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 500.0}, "temperature 400.0 -> 500.0"),
        ({"every": 7, "seed": 9}, "every 20 -> 7; seed 3 -> 9"),
    ],
)
def test_other_settings_are_refused_and_nothing_is_lost(copper_potential, cell, tmp_path, change, words):
    run(copper_potential, cell, PLAN, tmp_path, stop_after=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix}
    with pytest.raises(InputError, match=words):
        run(copper_potential, cell, replace(PLAN, **change), tmp_path)
    del before["thalweg.lock"]
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())


def test_another_potential_or_start_is_refused(copper_potential, cell, tmp_path):
    run(copper_potential, cell, PLAN, tmp_path, stop_after=1)
    heavier = replace(copper_potential, weights=copper_potential.weights * 1.001)
    novelty = replace(copper_potential.novelty, inv_rest=2 * copper_potential.novelty.inv_rest)
    for other in (heavier, replace(copper_potential, novelty=novelty)):
        with pytest.raises(InputError, match="another potential"):
            run(other, cell, PLAN, tmp_path)
    with pytest.raises(InputError, match="another start structure"):
        run(copper_potential, cell, PLAN, tmp_path, start=prepare_start(cell, repeat=(2, 1, 1)))


@pytest.mark.parametrize("form", ["extxyz", "traj"])
def test_a_file_cut_short_and_a_damaged_restart_are_refused(copper_potential, cell, tmp_path, form):
    plan = replace(PLAN, format=form)
    run(copper_potential, cell, plan, tmp_path, stop_after=1)
    for name in (f"trajectory.{form}", "log.csv"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-10])
        with pytest.raises(StoreError, match=rf"{name}: {len(whole) - 10} bytes, but the restart file says"):
            run(copper_potential, cell, plan, tmp_path)
        (tmp_path / name).write_bytes(whole)
    arrays = next((tmp_path / "restart").glob("*.npz"))
    arrays.write_bytes(arrays.read_bytes()[:-100])
    with pytest.raises(StoreError, match="cannot be read"):
        run(copper_potential, cell, plan, tmp_path)


def test_any_flipped_bit_of_the_restart_is_noticed(copper_potential, cell, tmp_path):
    run(copper_potential, cell, PLAN, tmp_path, stop_after=1)
    path = tmp_path / "restart" / "md.json"
    data = path.read_bytes()
    rng = random.Random(5)
    refused = 0
    for at in rng.sample(range(len(data)), 200):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        try:
            load_restart(tmp_path)
        except StoreError:
            refused += 1
        else:
            assert json.loads(path.read_bytes()) == json.loads(data)
    assert refused > 150
    path.write_bytes(data)
    assert load_restart(tmp_path) is not None


def test_a_restart_of_the_version_before_is_read(copper_potential, cell, tmp_path):
    run(copper_potential, cell, PLAN, tmp_path, stop_after=1)
    path = tmp_path / "restart" / "md.json"
    manifest = json.loads(path.read_text())
    del manifest["manifest_sha256"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="checksum"):
        load_restart(tmp_path)
    path.write_text(json.dumps(manifest | {"version": 1}))
    assert run(copper_potential, cell, PLAN, tmp_path).state == "finished"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("log",), -1),
        (("log",), 1.5),
        (("frames",), {"bytes": "many"}),
        (("frames",), None),
        (("averages", "n"), 10**40),
        (("averages", "surprise"), 1),
        (("averages", "time_sums"), [0.0]),
        (("worst",), {"bound": "large"}),
        (("plan",), []),
        (("n_atoms",), 10**12),
        (("walker", "step"), -1),
        (("walker", "step"), 2**63),
        (("walker", "surprise"), 1),
    ],
)
def test_a_restart_that_says_what_none_has_said_is_refused(copper_potential, cell, tmp_path, place, value):
    run(copper_potential, cell, PLAN, tmp_path, stop_after=1)
    arrays, facts = read_archive(tmp_path / "restart", "md", 2)
    inner = facts
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    write_archive(tmp_path / "restart", "md", 2, arrays, facts)
    with pytest.raises(StoreError, match="cannot be read"):
        run(copper_potential, cell, PLAN, tmp_path)


def test_two_processes_do_not_share_a_folder(copper_potential, cell, tmp_path):
    from thalweg.store.lock import RunLock

    lock = RunLock(tmp_path)
    with pytest.raises(StoreError, match="in use"):
        run(copper_potential, cell, PLAN, tmp_path)
    lock.release()
    assert run(copper_potential, cell, PLAN, tmp_path).state == "finished"

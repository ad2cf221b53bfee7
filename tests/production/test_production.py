"""Production dynamics: what is written, going on after any interruption, halting at the bound, changed settings."""

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest

from thalweg.errors import InputError, StoreError
from thalweg.explorers import CoreField, MdSettings, advance
from thalweg.production import Plan, prepare_start, produce, summarise, write_summary
from thalweg.production.restart import load_restart
from thalweg.production.runner import _FIRST_STEPS
from thalweg.production.thermo import COLUMNS
from thalweg.structure import Structure
from thalweg.units import GPa, kB

PLAN = Plan(
    n_steps=300,
    timestep_fs=2.0,
    temperature=400.0,
    every=20,
    log_every=10,
    uncertainty_every=5,
    halt=None,
    seed=3,
)
NPT = replace(PLAN, ensemble="npt", coupling="full", pressure_gpa=1.0, barostat_fs=100.0)


class Listener:
    """Hears everything, and asks to stop at the n-th look."""

    def __init__(self, stop_after=10**9):
        self.heard, self.looks, self.stop_after = [], 0, stop_after

    def progress(self, progress):
        self.heard.append(progress)

    def say(self, text):
        self.heard.append(text)

    def stop(self):
        self.looks += 1
        return self.looks > self.stop_after


def run(potential, cell, plan, folder, stop_after=10**9, **options):
    listener = Listener(stop_after)
    start = options.pop("start", prepare_start(cell))
    return produce(potential, start, plan, folder, observer=listener, stop=listener.stop, **options)


def log_of(folder):
    """Every column but the wall time."""
    lines = (folder / "log.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    return [line.rpartition(",")[0] for line in lines]


def column(folder, name):
    lines = (folder / "log.csv").read_text().splitlines()[1:]
    return np.array([float(line.split(",")[COLUMNS.index(name)]) for line in lines])


@pytest.mark.parametrize("form", ["extxyz", "traj"])
def test_what_is_written_is_the_trajectory(copper_potential, cell, tmp_path, form):
    outcome = run(copper_potential, cell, replace(NPT, format=form, velocities=True), tmp_path)
    assert (outcome.state, outcome.step) == ("finished", 300)
    frames = ase.io.read(tmp_path / f"trajectory.{form}", ":")
    assert [frame.info["step"] for frame in frames] == list(range(0, 301, 20))
    state = prepare_start(cell).walker(NPT)
    field = CoreField(copper_potential.elements, copper_potential.force_field)
    expected = advance(field, [state], 300, NPT.settings(), NPT.limits(copper_potential))[0]
    for frame, snapshot in zip(frames[1:], expected.samples, strict=True):
        assert frame.positions == pytest.approx(snapshot.structure.positions, abs=1e-8)
        assert np.array(frame.cell) == pytest.approx(snapshot.structure.cell, abs=1e-12)
        assert frame.get_velocities() == pytest.approx(snapshot.velocities, abs=1e-7)
        assert frame.get_potential_energy() == pytest.approx(snapshot.potential_energy, abs=1e-9)
        places = frame.arrays if form == "extxyz" else frame.info
        assert places["bound"] == pytest.approx(snapshot.bound, abs=1e-5)
        assert places["novelty"] == pytest.approx(snapshot.novelty, abs=1e-5)
        assert places["bound"].max() > 0.01
    assert frames[-1].cell.volume != pytest.approx(frames[0].cell.volume, abs=1e-3)


def test_the_log_holds_what_ase_computes(copper_potential, cell, tmp_path):
    run(copper_potential, cell, replace(NPT, every=10, velocities=True), tmp_path)
    frames = ase.io.read(tmp_path / "trajectory.extxyz", ":")
    assert column(tmp_path, "step").tolist() == [frame.info["step"] for frame in frames]
    assert column(tmp_path, "time_ps") == pytest.approx(0.002 * column(tmp_path, "step"))
    assert column(tmp_path, "volume_A3") == pytest.approx([frame.get_volume() for frame in frames])
    kinetic = [frame.get_kinetic_energy() for frame in frames]
    assert column(tmp_path, "E_kin_eV") == pytest.approx(kinetic, rel=1e-5)
    assert column(tmp_path, "temperature_K") == pytest.approx(np.array(kinetic) / (1.5 * 8 * kB), rel=1e-5)
    assert column(tmp_path, "E_tot_eV") == pytest.approx(column(tmp_path, "E_pot_eV") + kinetic)
    tensors = []
    for frame in frames:
        stress = copper_potential.predict(Structure.from_atoms(frame)).stress
        v = frame.get_velocities()
        kinetic_part = frame.get_masses() @ (v[:, [0, 1, 2, 1, 0, 0]] * v[:, [0, 1, 2, 2, 2, 1]])
        tensors.append((kinetic_part / frame.get_volume() - stress) / GPa)
    expected = np.array(tensors)
    assert np.abs(expected).min(axis=0).max() > 0.01
    for k, name in enumerate(("P_xx", "P_yy", "P_zz", "P_yz", "P_xz", "P_xy")):
        assert column(tmp_path, f"{name}_GPa") == pytest.approx(expected[:, k], rel=1e-4, abs=1e-3)
    assert column(tmp_path, "pressure_GPa") == pytest.approx(expected[:, :3].mean(axis=1), abs=1e-3)
    for k, name in enumerate(f"cell_{vector}{axis}" for vector in "abc" for axis in "xyz"):
        vectors = [frame.cell.array.ravel()[k] for frame in frames]
        assert column(tmp_path, name) == pytest.approx(vectors, abs=1e-6)
    bounds = [frame.arrays["bound"].max() for frame in frames]
    assert column(tmp_path, "bound_eV_per_A") == pytest.approx(bounds, abs=1e-5)


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


def test_a_start_beyond_the_bound_halts_at_once(copper_potential, cell, tmp_path):
    squeezed = cell.with_positions(cell.positions + np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]] * 0.5)
    outcome = run(copper_potential, squeezed, replace(PLAN, halt=0.02), tmp_path)
    assert (outcome.state, outcome.step, outcome.steps_done) == ("halted", 0, 0)
    assert (tmp_path / "halted.extxyz").exists()


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


def test_two_processes_do_not_share_a_folder(copper_potential, cell, tmp_path):
    from thalweg.store.lock import RunLock

    lock = RunLock(tmp_path)
    with pytest.raises(StoreError, match="in use"):
        run(copper_potential, cell, PLAN, tmp_path)
    lock.release()
    assert run(copper_potential, cell, PLAN, tmp_path).state == "finished"


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
        ({"temperature": -1.0}, "temperature: expected 0 K or more"),
        ({"every": 0}, "stride of at least 1"),
        ({"log_every": 0}, "stride of at least 1"),
        ({"uncertainty_every": -1}, "a stride of -1 steps is none"),
    ],
)
def test_bad_plans(change, words):
    with pytest.raises(InputError, match=words):
        replace(PLAN, **change)


def test_summary(copper_potential, cell, tmp_path):
    plan = replace(PLAN, ensemble="nve", temperature=100.0, timestep_fs=1.0)
    summary = summarise(run(copper_potential, cell, plan, tmp_path), plan, tmp_path, 1)
    write_summary(summary, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    for name in ("temperature_K", "E_tot_eV", "pressure_GPa", "volume_A3"):
        values = column(tmp_path, name)
        assert summary["averages"][name]["mean"] == pytest.approx(values.mean(), rel=1e-6)
        assert summary["averages"][name]["sd"] == pytest.approx(values.std(), rel=1e-3, abs=1e-7)
    slope = np.polyfit(column(tmp_path, "time_ps"), column(tmp_path, "E_tot_eV"), 1)[0]
    assert summary["energy_drift_meV_per_atom_ps"] == pytest.approx(1e3 * slope / 8, rel=1e-3, abs=1e-6)
    assert summary["averages"]["E_tot_eV"]["sd"] < 0.02 * summary["averages"]["E_kin_eV"]["sd"]
    assert (summary["n_atoms"], summary["time_ps"]) == (8, 0.3)
    timing = summary["timing"]
    assert timing["steps_per_second"] == pytest.approx(300 / timing["wall"])
    assert timing["us_per_atom_step"] == pytest.approx(1e6 * timing["wall"] / 300 / 8)
    assert timing["ns_per_day"] == pytest.approx(300e-6 * 86400 / timing["wall"])
    assert timing["peak_memory_MB"] > 10


def test_progress_is_heard(copper_potential, cell, tmp_path):
    listener = Listener()
    produce(copper_potential, prepare_start(cell), NPT, tmp_path, observer=listener, stop=listener.stop)
    last = listener.heard[-1]
    assert (last.step, last.n_steps, last.time_ps) == (300, 300, 0.6)
    assert last.temperature == pytest.approx(column(tmp_path, "temperature_K")[-1])
    assert last.pressure_gpa == pytest.approx(column(tmp_path, "pressure_GPa")[-1])
    assert last.bound >= column(tmp_path, "bound_eV_per_A")[1:].max() - 1e-9


def test_progress_within_a_block_counts_from_the_start(copper_potential, cell, tmp_path, monkeypatch):
    def look_after_seven_steps(*block, poll):
        poll(7)
        return advance(*block, poll=poll)

    monkeypatch.setattr("thalweg.production.runner.advance", look_after_seven_steps)
    listener = Listener()
    produce(copper_potential, prepare_start(cell), PLAN, tmp_path, observer=listener, stop=listener.stop)
    steps = [progress.step for progress in listener.heard]
    assert steps.count(7) == 2  # of no block, and of the first
    assert _FIRST_STEPS + 7 in steps


def test_strides_of_uncertainty_change_no_physics(copper_potential, cell):
    """Beyond rounding: the same forces whether or not the committee is asked."""
    state = prepare_start(cell).walker(PLAN)
    field = CoreField(copper_potential.elements, copper_potential.force_field)
    often, never = (
        advance(
            field, [state], 100, MdSettings(timestep_fs=2.0, score_stride=n), PLAN.limits(copper_potential)
        )[0]
        for n in (1, 0)
    )
    assert often.state.structure.positions == pytest.approx(never.state.structure.positions, abs=1e-9)
    assert never.last.bound is None
    assert often.last.bound is not None

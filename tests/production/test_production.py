"""Production dynamics: what is written and said is the trajectory."""

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from trajectories import NPT, PLAN, Listener, column, run

from thalweg.explorers import CoreField, MdSettings, advance
from thalweg.features.evaluate import num_threads
from thalweg.production import prepare_start, produce, summarise, write_summary
from thalweg.production.runner import _FIRST_STEPS
from thalweg.structure import Structure
from thalweg.units import GPa, kB


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


@pytest.mark.parametrize(("every", "log_every", "longest"), [(20, 100, 40), (100, 5, 10)])
def test_blocks_are_short_where_their_frames_or_rows_are_many(
    copper_potential, cell, tmp_path, monkeypatch, every, log_every, longest
):
    lengths = []

    def noted(core, states, n_steps, *rest, **options):
        lengths.append(n_steps)
        return advance(core, states, n_steps, *rest, **options)

    monkeypatch.setattr("thalweg.production.runner.advance", noted)
    monkeypatch.setattr("thalweg.production.runner._FRAME_BYTES", 2 * 64 * 8)  # two frames, two rows
    run(copper_potential, cell, replace(PLAN, every=every, log_every=log_every), tmp_path)
    assert max(lengths) == longest
    assert sum(lengths) == 300


def test_the_log_says_what_a_step_took(copper_potential, cell, tmp_path):
    outcome = run(copper_potential, cell, replace(PLAN, n_steps=_FIRST_STEPS), tmp_path)
    seconds = 1e-6 * 8 * _FIRST_STEPS * column(tmp_path, "us_per_atom_step")
    assert seconds[0] == 0
    assert 0 < seconds[1] == seconds[-1] < 1.01 * outcome.seconds


def test_the_number_of_threads_is_left_as_it_was(copper_potential, cell, tmp_path, monkeypatch):
    seen = []

    def noted(*block, **options):
        seen.append(num_threads())
        return advance(*block, **options)

    monkeypatch.setattr("thalweg.production.runner.advance", noted)
    before = num_threads()
    run(copper_potential, cell, replace(PLAN, n_steps=10), tmp_path, n_threads=before + 2)
    assert set(seen) == {before + 2}
    assert num_threads() == before


def test_one_row_has_no_drift(copper_potential, cell, tmp_path):
    outcome = run(copper_potential, cell, replace(PLAN, n_steps=1), tmp_path / "one")
    assert outcome.averages.n == 1
    assert outcome.averages.drift() is None
    two = run(copper_potential, cell, replace(PLAN, n_steps=10), tmp_path / "two")
    assert np.isfinite(two.averages.drift())


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

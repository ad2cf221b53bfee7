"""Runs a production trajectory from its start, or from where it was interrupted, to its end or to where it halts.

A trajectory is a function of its plan, start and potential, bit for bit: how it is cut into blocks, killed and resumed
changes nothing. So blocks are as long as is convenient: after each, frames and log are made safe on the
disk, and then the restart that counts them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thalweg.border import check_filled, check_timestep
from thalweg.errors import InputError, check
from thalweg.explorers import BlockResult, CoreField, Snapshot, WalkerState, WalkEvent, advance
from thalweg.explorers.origin import Origin
from thalweg.features import set_num_threads
from thalweg.features.evaluate import num_threads
from thalweg.files import write_atomically
from thalweg.potential import Potential
from thalweg.production.averages import Averages
from thalweg.production.frames import FrameFile, extxyz_text, open_frames
from thalweg.production.outcome import Observer, Outcome, ProductionProgress
from thalweg.production.plan import Plan
from thalweg.production.restart import Restart, identity_of, load_restart, save_restart
from thalweg.production.start import Start
from thalweg.production.thermo import ThermoFile, table
from thalweg.store.lock import RunLock
from thalweg.structure import Structure

LOG, HALTED, LAST = "log.csv", "halted.extxyz", "last.extxyz"
_BLOCK_SECONDS = 10.0
_FIRST_STEPS, _LEAST_STEPS = 50, 50
_FRAME_BYTES = 256 * 2**20
"""Memory for the frames and rows of a block."""


@dataclass
class _Run:
    """What changes on the way."""

    potential: Potential
    core: CoreField
    plan: Plan
    folder: Path
    frames: FrameFile
    log: ThermoFile
    state: WalkerState
    averages: Averages
    identities: dict[str, Any]
    observer: Observer
    stop: Callable[[], bool]
    origin: Origin
    worst: dict[str, Any] = field(default_factory=dict)
    parted: dict[str, Any] = field(default_factory=dict)
    rate: float | None = None
    steps_done: int = 0
    latest: dict[str, float] = field(default_factory=dict)


def produce(
    potential: Potential,
    start: Start,
    plan: Plan,
    folder: Path,
    *,
    observer: Observer,
    n_threads: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run the trajectory of `plan` in `folder`, from where its restart stands if there is one.

    Writes the trajectory, the log, the restart, and at the end the last structure; where the bound is passed, the
    offending one. `stop` is asked about ten times a second.

    Raises
    ------
    InputError
        The restart belongs to another potential, start or plan; an element that the potential does not know; constant
        pressure without a periodic cell or with vacuum in it; steps too long for the lightest atom.
    StoreError
        The restart is damaged, or a file is shorter than the restart says.
    """
    began = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as at_end:
        at_end.callback(RunLock(folder).release)
        at_end.callback(set_num_threads, num_threads())
        set_num_threads(n_threads)
        run = _open(potential, start, plan, folder, observer, stop, at_end)
        result = _first(run)
        while result.event is WalkEvent.BLOCK_END and run.state.step < plan.n_steps and not stop():
            result = _block(run, _block_steps(run))
        return _close(run, result, time.perf_counter() - began)


def _open(
    potential: Potential,
    start: Start,
    plan: Plan,
    folder: Path,
    observer: Observer,
    stop: Callable[[], bool],
    at_end: ExitStack,
) -> _Run:
    """Everything as it was left, or new; files are closed `at_end`."""
    identities = {"plan": plan.to_json(), "potential": identity_of(potential), "start": start.identity}
    saved = load_restart(folder)
    if saved is not None:
        _check_same(saved.facts, identities, plan, folder)
    walker = start.walker(plan) if saved is None else saved.state
    facts = {} if saved is None else saved.facts
    if saved is None:
        _check_physics(walker.structure, plan)
    walker.to_native(potential.elements)  # an unknown element is an error before any file is made
    (folder / HALTED).unlink(missing_ok=True)
    path = folder / f"trajectory.{plan.format}"
    frames = open_frames(path, walker.masses if plan.velocities else None, facts.get("frames"))
    at_end.callback(frames.close)
    log = ThermoFile(folder / LOG, facts.get("log"))
    at_end.callback(log.close)
    return _Run(
        potential=potential,
        core=CoreField(potential.elements, potential.field(plan.precision)),
        plan=plan,
        folder=folder,
        frames=frames,
        log=log,
        state=walker,
        averages=Averages(**facts.get("averages", {})),
        identities=identities,
        observer=observer,
        stop=stop,
        origin=Origin.of(
            start.structure, holds_shape=plan.ensemble == "npt" and plan.coupling != "isotropic"
        ),
        worst=facts.get("worst", {}),
        parted=facts.get("parted", {}),
    )


def _check_physics(structure: Structure, plan: Plan) -> None:
    """Raise InputError where the plan cannot be followed, or would press the vacuum out of the cell."""
    if plan.ensemble == "npt":
        check(
            structure.pbc.all(),
            "ensemble npt: the structure must be periodic in three directions; use nvt, or give it a cell",
        )
        check_filled(structure, "ensemble npt")
    check_timestep([structure], plan.timestep_fs, "timestep")


def _check_same(facts: dict[str, Any], identities: dict[str, Any], plan: Plan, folder: Path) -> None:
    """A trajectory is one thing: what its numbers depend on stays."""
    changed = plan.changes(facts.get("plan", {}))
    if facts.get("potential") != identities["potential"]:
        changed.append("another potential")
    if facts.get("start") != identities["start"]:
        changed.append("another start structure")
    if changed:
        raise InputError(
            f"{folder} holds a trajectory with other settings: {'; '.join(changed)}. Only steps and halt may change "
            f"when you continue. Start another trajectory with --output, for example from {folder / LAST}"
        )


def _first(run: _Run) -> BlockResult:
    """Judge where it stands; a trajectory that begins has its first frame and its first row of the log there."""
    result = _advance(run, 0)
    if run.averages.n + run.averages.n_left_out == 0 and result.event is WalkEvent.BLOCK_END:
        run.frames.write(result.last)
        _keep(run, result, 0.0)
    return result


def _advance(run: _Run, n_steps: int) -> BlockResult:
    begun, base = time.perf_counter(), run.state.step

    def poll(done: int) -> bool:
        seconds = time.perf_counter() - begun
        rate = done / seconds if done and seconds > 0 else run.rate
        _report(run, base + done, rate)
        return run.stop()

    settings, limits = run.plan.settings(), run.plan.limits(run.potential)
    return advance(run.core, [run.state], n_steps, settings, limits, poll=poll)[0]


def _report(run: _Run, step: int, rate: float | None) -> None:
    run.observer.progress(
        ProductionProgress(
            step=step,
            n_steps=run.plan.n_steps,
            time_ps=step * run.plan.timestep_fs / 1000.0,
            steps_per_second=rate,
            temperature=run.latest.get("temperature"),
            pressure_gpa=run.latest.get("pressure"),
            bound=run.worst.get("bound"),
        )
    )


def _block_steps(run: _Run) -> int:
    """Steps of the next block: some seconds' worth, whose frames fit into memory."""
    n_atoms, plan = len(run.state.structure), run.plan
    frames = max(1, _FRAME_BYTES // (64 * n_atoms))
    rows = _FRAME_BYTES // 512
    wanted = _FIRST_STEPS if run.rate is None else max(_LEAST_STEPS, int(_BLOCK_SECONDS * run.rate))
    return min(wanted, frames * plan.every, rows * plan.log_every, plan.n_steps - run.state.step)


def _block(run: _Run, n_steps: int) -> BlockResult:
    begun = time.perf_counter()
    result = _advance(run, n_steps)
    seconds = time.perf_counter() - begun
    run.steps_done += result.n_steps
    if result.n_steps:
        run.rate = result.n_steps / seconds
    for snapshot in result.samples:
        run.frames.write(snapshot)
        _watch(run, snapshot)
    worst = result.worst
    if worst is not None and worst.bound_max is not None and worst.bound_max > run.worst.get("bound", -1.0):
        run.worst = {"bound": worst.bound_max, "atom": worst.bound_atom, "step": worst.step}
    _keep(run, result, 1e6 * seconds / max(result.n_steps, 1) / len(result.state.structure))
    return result


def _watch(run: _Run, snapshot: Snapshot) -> None:
    """Say it once when the structure falls apart, or its cell flows; the frames tell, however blocks are cut."""
    if run.parted or (parted := run.origin.parting(snapshot.structure)) is None:
        return
    how, what = parted
    run.parted = {"how": how.value, "what": what, "step": snapshot.step, "time_ps": snapshot.time_fs / 1000.0}
    run.observer.say(
        f"{snapshot.time_fs / 1000.0:.2f} ps: {what}; from here on it is another system than the start's"
    )


def _keep(run: _Run, result: BlockResult, us_per_atom_step: float) -> None:
    """Log, averages and restart."""
    structure = result.state.structure
    rows = table(result.log, len(structure), bool(structure.pbc.all()))
    run.log.write(rows, us_per_atom_step)
    run.averages.add(rows, run.plan.equilibrate)
    if len(rows):
        run.latest = {"temperature": float(result.log.temperature[-1])}
        pressure = float(rows[-1, 6])
        if math.isfinite(pressure):
            run.latest["pressure"] = pressure
    facts = {
        **run.identities,
        "frames": run.frames.mark(),
        "log": run.log.mark(),
        "averages": run.averages.to_json(),
        "worst": run.worst,
        "parted": run.parted,
    }
    run.state = result.state
    save_restart(run.folder, Restart(run.state, facts))
    _report(run, run.state.step, run.rate)


def _close(run: _Run, result: BlockResult, seconds: float) -> Outcome:
    """The last structure, the offending one, and what became of it."""
    last = result.last
    write_atomically(run.folder / LAST, extxyz_text(last, run.state.masses))
    halted = result.event is not WalkEvent.BLOCK_END
    reason = result.verdict.describe(run.state.structure) if halted else ""
    if halted:
        offending = result.event_snapshot or last
        verdict = result.verdict
        atom = "" if verdict.atom is None else f" atom={verdict.atom}"
        comment = f'{atom} event={verdict.event.value} why="{reason}"'
        write_atomically(run.folder / HALTED, extxyz_text(offending, run.state.masses, comment))
    finished = run.state.step >= run.plan.n_steps
    return Outcome(
        state="halted" if halted else "finished" if finished else "interrupted",
        step=run.state.step,
        event=result.event,
        reason=reason,
        snapshot=last,
        averages=run.averages,
        worst=run.worst,
        parted=run.parted,
        steps_done=run.steps_done,
        seconds=seconds,
    )

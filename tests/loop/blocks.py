"""Blocks made by hand, for the tests of what the loop makes of them."""

from __future__ import annotations

import numpy as np

from thalweg.explorers.base import Snapshot
from thalweg.explorers.block import BlockResult, ThermoLog
from thalweg.explorers.limits import Finding, WalkEvent
from thalweg.explorers.visit import Frames
from thalweg.explorers.walker import WalkerState
from thalweg.loop.walking.exploration import Walk
from thalweg.loop.walking.gate import GateLimits, judge
from thalweg.structure import Structure

NO_LOG = ThermoLog(
    *[np.zeros(0, np.int64), *[np.zeros(0)] * 3, *[np.zeros((0, 3, 3))] * 2, *[np.zeros(0)] * 2]
)
LIMITS = GateLimits(label=0.2, break_=0.6, novelty_label=3.0, novelty_break=10.0)
STEP_FS = 2.0


def dimer(distance: float = 2.5) -> Structure:
    return Structure([29, 29], [[0, 0, 0], [0, 0, distance]], np.zeros((3, 3)), [False] * 3)


def moment(step: int, bound: float = 0.1, novelty: float = 1.0) -> Snapshot:
    """The dimer at `step`, each step at a distance of its own; its second atom is the worse one."""
    return Snapshot(
        structure=dimer(2.5 + 0.001 * step),
        velocities=np.full((2, 3), 0.01 * step),
        step=step,
        time_fs=step * STEP_FS,
        temperature=300.0,
        potential_energy=-1.0,
        bound=np.array([0.5 * bound, bound]),
        novelty=np.array([0.5 * novelty, novelty]),
    )


def frames(moments: list[Snapshot]) -> Frames:
    return Frames(
        like=dimer(),
        step=np.array([m.step for m in moments], dtype=np.int64),
        time_fs=np.array([m.time_fs for m in moments]),
        positions=np.array([m.structure.positions for m in moments]).reshape(-1, 2, 3),
        velocities=np.array([m.velocities for m in moments]).reshape(-1, 2, 3),
        cells=np.array([m.structure.cell for m in moments]).reshape(-1, 3, 3),
        temperature=np.array([m.temperature for m in moments]),
        potential_energy=np.array([m.potential_energy for m in moments]),
        bound=np.array([m.bound for m in moments]).reshape(-1, 2),
        novelty=np.array([m.novelty for m in moments]).reshape(-1, 2),
    )


def walker_at(one: Snapshot, walker_id: int = 0, temperature: float = 300.0) -> WalkerState:
    start = WalkerState.start(one.structure, temperature=temperature, seed=5, walker_id=walker_id)
    return WalkerState(
        structure=one.structure,
        velocities=one.velocities,
        masses=start.masses,
        temperature=temperature,
        seed=5,
        walker_id=walker_id,
        step=one.step,
        time_fs=one.time_fs,
        list_positions=one.structure.positions,
        reference_energy=-1.0,
    )


def block(
    trajectory: list[Snapshot],
    *,
    event: WalkEvent = WalkEvent.BLOCK_END,
    crossing: Finding | None = None,
    value: float = 0.0,
    limit: float = 0.0,
    walker_id: int = 0,
) -> BlockResult:
    """A block over these moments that ended with `event` after the last of them."""
    last = trajectory[-1]
    over = [m for m in trajectory if m.bound_max >= LIMITS.label or m.novelty_max >= LIMITS.novelty_label]
    if crossing is None and over:
        crossing = Finding(WalkEvent.LABEL_UNCERTAIN, atom=1, value=over[0].bound_max, limit=LIMITS.label)
    broken = event is not WalkEvent.BLOCK_END
    return BlockResult(
        state=walker_at(last, walker_id),
        last=last,
        verdict=Finding(event, atom=1 if broken else None, partner=0, value=value, limit=limit),
        event_step=last.step + broken,
        event_snapshot=None,
        crossing=crossing,
        first_crossing=over[0] if over else None,
        worst=max(trajectory, key=lambda m: m.bound_max),
        history=frames(trajectory),
        samples=frames(trajectory),
        log=NO_LOG,
        n_steps=len(trajectory),
        mean_temperature=300.0,
        fraction_over_label=len(over) / len(trajectory),
        bound_mean=None,
        bound_rms=None,
    )


def walk_of(*results: BlockResult) -> Walk:
    return Walk(results, tuple(judge(k, result, LIMITS) for k, result in enumerate(results)))

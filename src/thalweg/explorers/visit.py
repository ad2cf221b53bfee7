"""What gate, queue and audits read of a walker's block, whichever explorer it was that walked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from thalweg.explorers.base import Snapshot, Walker
from thalweg.explorers.limits import Finding, WalkEvent
from thalweg.explorers.walker import WalkerState
from thalweg.structure import FloatArray, IntArray, Structure
from thalweg.units import kB

W = TypeVar("W", bound=Walker)


@dataclass(frozen=True, eq=False)
class Frames:
    """Moments of one trajectory as stacked arrays; an index gives the Snapshot.

    Shapes: step (n,), time_fs (n,), positions and velocities (n, n_atoms, 3), cells (n, 3, 3), temperature
    (n,) K, potential_energy (n,) eV, bound and novelty (n, n_atoms) or None, NaN at moments that were not
    scored. Units as in Snapshot.
    """

    like: Structure
    step: IntArray
    time_fs: FloatArray
    positions: FloatArray
    velocities: FloatArray
    cells: FloatArray
    temperature: FloatArray
    potential_energy: FloatArray
    bound: FloatArray | None
    novelty: FloatArray | None

    def __len__(self) -> int:
        return len(self.step)

    def __iter__(self) -> Iterator[Snapshot]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> Snapshot:
        return Snapshot(
            structure=self.like.with_positions(self.positions[k], self.cells[k]),
            velocities=self.velocities[k],
            step=int(self.step[k]),
            time_fs=float(self.time_fs[k]),
            temperature=float(self.temperature[k]),
            potential_energy=float(self.potential_energy[k]),
            bound=_scores(self.bound, k),
            novelty=_scores(self.novelty, k),
        )

    @classmethod
    def from_native(cls, fields: dict[str, Any], start: WalkerState, timestep_fs: float) -> Frames:
        """From the core's dict of arrays, for the walker that started the block as `start`."""
        step = fields["step"].astype(np.int64)
        return cls(
            like=start.structure,
            step=step,
            time_fs=start.time_fs + (step - start.step) * timestep_fs,
            positions=fields["positions"],
            velocities=fields["velocities"],
            cells=fields["cells"],
            temperature=fields["kT"] / kB,
            potential_energy=fields["energy"],
            bound=fields["bound"],
            novelty=fields["novelty"],
        )

    @classmethod
    def of(cls, like: Structure, moments: Sequence[Snapshot]) -> Frames:
        """Stacked; scores are kept where any moment has them."""
        n, n_atoms = len(moments), len(like)

        def scores(name: str) -> FloatArray | None:
            rows = [getattr(moment, name) for moment in moments]
            if all(row is None for row in rows):
                return None
            return np.array([np.full(n_atoms, np.nan) if row is None else row for row in rows])

        def numbers(name: str) -> FloatArray:
            return np.array([getattr(moment, name) for moment in moments], dtype=np.float64)

        return cls(
            like=like,
            step=np.array([moment.step for moment in moments], dtype=np.int64),
            time_fs=numbers("time_fs"),
            positions=np.array([m.structure.positions for m in moments]).reshape(n, n_atoms, 3),
            velocities=np.array([m.velocities for m in moments]).reshape(n, n_atoms, 3),
            cells=np.array([m.structure.cell for m in moments]).reshape(n, 3, 3),
            temperature=numbers("temperature"),
            potential_energy=numbers("potential_energy"),
            bound=scores("bound"),
            novelty=scores("novelty"),
        )

    def before(self, step: int) -> Frames:
        """Those at steps below `step`, which come first."""
        n = int(np.searchsorted(self.step, step))
        return Frames(
            like=self.like,
            step=self.step[:n],
            time_fs=self.time_fs[:n],
            positions=self.positions[:n],
            velocities=self.velocities[:n],
            cells=self.cells[:n],
            temperature=self.temperature[:n],
            potential_energy=self.potential_energy[:n],
            bound=None if self.bound is None else self.bound[:n],
            novelty=None if self.novelty is None else self.novelty[:n],
        )

    def only(self) -> Snapshot | None:
        """The one moment in it, or None."""
        return self[0] if len(self) else None


def _scores(scores: FloatArray | None, k: int) -> FloatArray | None:
    """Row k; None where nobody computed it."""
    return None if scores is None or np.isnan(scores[k, 0]) else scores[k]


@dataclass(frozen=True, eq=False)
class Visit(Generic[W]):
    """Outcome of one block for one walker.

    Attributes
    ----------
    state : Walker
        Where to go on from: at the end of the block or at the event for a label, one step before it for a break or an
        unphysical moment. Its `time_fs` is how far the walker has come.
    last : Snapshot
        `state` with its energy and scores.
    verdict : Finding
        What ended the block, with its reason.
    crossing, first_crossing : Finding and Snapshot or None
        The first moment of the block above a label limit.
    worst : Snapshot or None
        The moment with the largest bound (largest novelty where there is no committee).
    history : Frames
        The most recent moments, oldest first: where to step back to.
    samples : Frames
        Moments at even distances: for audits, trajectories and reports.
    n_steps : int
        Steps done.
    mean_temperature : float, K
        Mean kinetic temperature over them; NaN after no step, and where nothing moves in time.
    """

    state: W
    last: Snapshot
    verdict: Finding
    crossing: Finding | None
    first_crossing: Snapshot | None
    worst: Snapshot | None
    history: Frames
    samples: Frames
    n_steps: int
    mean_temperature: float

    @property
    def event(self) -> WalkEvent:
        """What ended the block."""
        return self.verdict.event

    @property
    def is_stuck(self) -> bool:
        """Whether the walker could not leave the place where it stood."""
        return self.n_steps == 0

    def last_sane(self, bound: float, novelty: float = math.inf) -> Snapshot | None:
        """The latest of `history` and `last` whose scores lie below both limits; None when there is none.

        It is what the gate asks about after a break, and where the walker then steps back to.
        """
        moments: list[Snapshot] = [*self.history, self.last]
        for snapshot in sorted(moments, key=lambda one: one.step, reverse=True):
            if (snapshot.bound_max or 0.0) <= bound and (snapshot.novelty_max or 0.0) <= novelty:
                return snapshot
        return None

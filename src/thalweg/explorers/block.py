"""What a block of molecular dynamics hands back for one walker: a Visit, and what only dynamics has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.explorers.base import Snapshot
from thalweg.explorers.limits import EVENTS, Finding, WalkEvent
from thalweg.explorers.visit import Frames, Visit
from thalweg.explorers.walker import WalkerState
from thalweg.structure import FloatArray, IntArray
from thalweg.units import kB


@dataclass(frozen=True, eq=False)
class ThermoLog:
    """A trajectory's numbers every `log_stride` steps, as stacked arrays.

    Shapes: step, time_fs (fs), temperature (K), potential_energy (eV), bound (eV/Å) and novelty (n,); stress
    (n, 3, 3) eV/Å³, with its kinetic part, sign as ASE's; cells (n, 3, 3) Å. bound and novelty are the largest over
    atoms, NaN where not scored; stress is NaN unless periodic in three directions.
    """

    step: IntArray
    time_fs: FloatArray
    temperature: FloatArray
    potential_energy: FloatArray
    stress: FloatArray
    cells: FloatArray
    bound: FloatArray
    novelty: FloatArray

    def __len__(self) -> int:
        return len(self.step)

    @property
    def pressure(self) -> FloatArray:
        """(n,), eV/Å³: minus a third of the stress's trace."""
        pressure: FloatArray = -np.trace(self.stress, axis1=1, axis2=2) / 3.0
        return pressure

    @property
    def volume(self) -> FloatArray:
        """(n,), Å³; meaningful for structures periodic in three directions."""
        volume: FloatArray = np.abs(np.linalg.det(self.cells))
        return volume

    @classmethod
    def from_native(cls, fields: dict[str, Any], start: WalkerState, timestep_fs: float) -> ThermoLog:
        """From the core's dict of arrays, for the walker that started the block as `start`."""
        step = fields["step"].astype(np.int64)
        return cls(
            step=step,
            time_fs=start.time_fs + (step - start.step) * timestep_fs,
            temperature=fields["kT"] / kB,
            potential_energy=fields["energy"],
            stress=fields["stress"],
            cells=fields["cells"],
            bound=fields["bound"],
            novelty=fields["novelty"],
        )


@dataclass(frozen=True, eq=False)
class BlockResult(Visit[WalkerState]):
    """Outcome of one block of molecular dynamics for one walker; see `Visit` for what every explorer gives.

    Attributes
    ----------
    event_step : int
        The step at which it ended (state.step, or state.step + 1 when the walker was sent back).
    event_snapshot : Snapshot or None
        The offending moment; None at the plain end of a block and when it is not finite.
    log : ThermoLog
        Numbers every log_stride steps; of the moment given where the block had no steps.
    fraction_over_label : float
        Share of the scored steps above a label limit.
    bound_mean, bound_rms : ndarray (n_atoms,), eV/Å, or None
        Each atom's bound over the scored steps: mean and root mean square.
    """

    event_step: int
    event_snapshot: Snapshot | None
    log: ThermoLog
    fraction_over_label: float
    bound_mean: FloatArray | None
    bound_rms: FloatArray | None


def read_verdict(fields: dict[str, Any]) -> Finding:
    """From the core's numbers."""
    event = EVENTS[fields["event"]]
    scale = 1 / kB if event is WalkEvent.TOO_HOT else 1.0
    atom, partner = fields["atom"], fields["partner"]
    return Finding(
        event=event,
        atom=None if atom < 0 else atom,
        partner=None if partner < 0 else partner,
        value=fields["value"] * scale,
        limit=fields["limit"] * scale,
    )


def _state_after(fields: dict[str, Any], start: WalkerState, last: Frames) -> WalkerState:
    reference, listed = fields["reference_energy"], fields["list_positions"]
    return WalkerState(
        structure=last[0].structure,
        velocities=last.velocities[0],
        masses=start.masses,
        temperature=start.temperature,
        seed=start.seed,
        walker_id=start.walker_id,
        step=fields["step"],
        time_fs=float(last.time_fs[0]),
        list_positions=listed if len(listed) else None,
        list_cell=fields["list_cell"] if len(listed) else None,
        reference_energy=None if math.isnan(reference) else reference,
    )


def read_result(fields: dict[str, Any], start: WalkerState, timestep_fs: float) -> BlockResult:
    """From the core's dict of arrays, for the walker that started the block as `start`."""

    def frames(key: str) -> Frames:
        return Frames.from_native(fields[key], start, timestep_fs)

    n_steps, n_scored = fields["n_steps"], fields["n_scored"]
    last, crossing = frames("last"), read_verdict(fields["crossing"])
    has_bounds = n_scored > 0 and len(fields["bound_sum"]) > 0
    return BlockResult(
        state=_state_after(fields, start, last),
        last=last[0],
        verdict=read_verdict(fields["verdict"]),
        event_step=fields["event_step"],
        event_snapshot=frames("event").only(),
        crossing=None if crossing.event is WalkEvent.NONE else crossing,
        first_crossing=frames("first_crossing").only(),
        worst=frames("worst").only(),
        history=frames("history"),
        samples=frames("samples"),
        log=ThermoLog.from_native(fields["log"], start, timestep_fs),
        n_steps=n_steps,
        mean_temperature=fields["kT_sum"] / kB / n_steps if n_steps else math.nan,
        fraction_over_label=fields["n_over_label"] / n_scored if n_scored else 0.0,
        bound_mean=fields["bound_sum"] / n_scored if has_bounds else None,
        bound_rms=np.sqrt(fields["bound_sum2"] / n_scored) if has_bounds else None,
    )

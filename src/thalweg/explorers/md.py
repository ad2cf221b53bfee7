"""Molecular dynamics of many walkers at once, inside the core.

NVT is Langevin dynamics by the BAOAB splitting with the exact Ornstein-Uhlenbeck step; NVE is velocity
Verlet.

    B  v += (dt / 2) F / m
    A  x += (dt / 2) v
    O  v = c v + sqrt((1 - c²) kT / m) xi,   c = exp(-friction dt)

The centre of mass is left free: holding it still under Langevin noise takes energy out and biases the
temperature. Every walker is independent: its trajectory depends on its state, the field and the settings, bit
for bit, and neither on the other walkers, nor on the number of threads, nor on how a run is cut into blocks.

References
    Leimkuhler and Matthews, Appl. Math. Res. eXpress 2013, 34 (BAOAB)
    Salmon et al., SC11 (2011): Philox4x32-10, the counter-based random numbers
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from thalweg import _native
from thalweg.errors import InputError, ModelError
from thalweg.explorers.base import NativeField
from thalweg.explorers.block import BlockResult, Frames, read_result
from thalweg.explorers.limits import Event, Limits, Verdict
from thalweg.explorers.walker import WalkerState, initial_velocities
from thalweg.units import fs

__all__ = [
    "BlockResult",
    "Event",
    "Frames",
    "Limits",
    "MdSettings",
    "MolecularDynamics",
    "Verdict",
    "WalkerState",
    "advance",
    "initial_velocities",
]


@dataclass(frozen=True)
class MdSettings:
    """How walkers move and what is kept of their way.

    Attributes
    ----------
    timestep_fs : float, fs
    friction_per_fs : float, 1/fs
        Of the Langevin thermostat; unused in NVE.
    ensemble : 'nvt' or 'nve'
        The cell is fixed in both.
    record_stride : int
        A sample at every step divisible by it; 0 keeps none.
    history_stride, history_length : int
        The last `history_length` states at steps divisible by `history_stride`; 0 keeps none.
    skin : float, Å
        Of the neighbour list, which is rebuilt when an atom has moved by half of it.
    """

    timestep_fs: float = 0.5
    friction_per_fs: float = 0.01
    ensemble: Literal["nvt", "nve"] = "nvt"
    record_stride: int = 100
    history_stride: int = 10
    history_length: int = 32
    skin: float = 0.5

    def __post_init__(self) -> None:
        if self.ensemble not in ("nvt", "nve"):
            raise InputError(f"ensemble must be 'nvt' or 'nve', got {self.ensemble!r}")
        if not (0 < self.timestep_fs <= 100):
            raise InputError(f"timestep must lie above 0 and up to 100 fs, got {self.timestep_fs} fs")
        if not (0 < self.friction_per_fs <= 100) and self.ensemble == "nvt":
            raise InputError(
                f"friction must lie above 0 and up to 100 /fs in NVT, got {self.friction_per_fs}; "
                "0.01 is usual, and for no thermostat set ensemble='nve'"
            )
        if min(self.record_stride, self.history_stride, self.history_length) < 0 or not 0 <= self.skin <= 10:
            raise InputError("strides and history_length must not be negative, and 0 <= skin <= 10 Å")

    def to_native(self) -> _native.MdSettings:
        """The core's form, in its units."""
        native = _native.MdSettings()
        native.timestep = self.timestep_fs * fs
        native.friction = self.friction_per_fs / fs if self.ensemble == "nvt" else 0.0
        native.skin = self.skin
        native.record_stride = self.record_stride
        native.history_stride, native.history_length = self.history_stride, self.history_length
        return native


def advance(
    field: NativeField,
    states: Sequence[WalkerState],
    n_steps: int,
    settings: MdSettings,
    limits: Limits | Sequence[Limits],
    *,
    stop_on_label: bool = False,
    n_threads: int = 1,
) -> list[BlockResult]:
    """Advance every walker by up to `n_steps`, each until its own event; one result per state, in order.

    A walker whose state breaks a limit stops before it. Above a label limit it stops when `stop_on_label`,
    else goes on and the first crossing and the worst moment are reported. The state given is judged as well,
    since the model may have changed in between; only steps done enter the averages.

    Parameters
    ----------
    field : NativeField
    states : sequence of WalkerState, of any sizes
    limits : one for all walkers, or one each
    n_threads : walkers are shared out over so many threads; the interpreter's lock is released

    Raises
    ------
    InputError
        An element that the field does not know, a bad number of steps, threads or limits.
    ModelError
        Limits on a score that the field does not give.
    """
    if n_steps < 0 or n_threads < 1:
        raise InputError(f"advance: expected n_steps >= 0 and n_threads >= 1, got {n_steps} and {n_threads}")
    each = [limits] * len(states) if isinstance(limits, Limits) else list(limits)
    if len(each) != len(states):
        raise InputError(
            f"advance: {len(each)} limits for {len(states)} walkers; expected one for all or one each"
        )
    if not states:
        return []
    _check_scores(field, each)
    fields = _native.advance(
        field.native,
        [state.to_native(field.elements) for state in states],
        settings.to_native(),
        [
            one.to_native(field.elements, state.temperature, len(state.structure))
            for one, state in zip(each, states, strict=True)
        ],
        n_steps=n_steps,
        stop_on_label=stop_on_label,
        n_threads=n_threads,
    )
    return [read_result(one, state, settings.timestep_fs) for one, state in zip(fields, states, strict=True)]


def _check_scores(field: NativeField, limits: Sequence[Limits]) -> None:
    """A limit on a score that nobody computes would never fire: say so instead."""
    bound = min(min(one.bound_label, one.bound_break) for one in limits)
    if bound < math.inf and not field.native.has_committee:
        raise ModelError(
            "limits on the error bound need a committee; this field has none: fit one or drop them"
        )
    novelty = min(min(one.novelty_label, one.novelty_break) for one in limits)
    if novelty < math.inf and not field.native.has_novelty:
        raise ModelError("limits on novelty need a novelty model; this field has none: fit one or drop them")


@dataclass(frozen=True)
class MolecularDynamics:
    """The Explorer that runs `advance` with its settings."""

    settings: MdSettings = MdSettings()
    n_threads: int = 1

    def advance(
        self,
        field: NativeField,
        states: Sequence[WalkerState],
        n_steps: int,
        limits: Limits | Sequence[Limits],
        *,
        stop_on_label: bool = False,
    ) -> list[BlockResult]:
        """See `advance` of this module."""
        return advance(
            field,
            states,
            n_steps,
            self.settings,
            limits,
            stop_on_label=stop_on_label,
            n_threads=self.n_threads,
        )

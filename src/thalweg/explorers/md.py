"""Molecular dynamics of many walkers at once, inside the core.

NVT is Langevin dynamics by the BAOAB splitting with the exact Ornstein-Uhlenbeck step; NVE is velocity
Verlet; NPT is NVT with stochastic cell rescaling, C, as B A O C A B.

    B  v += (dt / 2) F / m
    A  x += (dt / 2) v
    O  v = c v + sqrt((1 - c²) kT / m) xi,   c = exp(-friction dt)
    C  h, x <- h exp(eta), x exp(eta);   eta = (a/3) (P - P0) dt + sqrt(2 (a/3) kT dt / V) xi,   a = 1 / (K tau)

h is the cell, P the internal pressure tensor with the kinetic part N kT / V, V the volume, K `bulk_modulus_gpa`, tau
`barostat_fs`. The law for the cell is of first order and its stationary density is exp(-(E + P0 V) / kT) V^N, whatever
K and tau are: they set how fast the cell answers.

The centre of mass is left free: holding it still under Langevin noise takes energy out and biases the
temperature. Every walker is independent: its trajectory depends on its state, the field and the settings, bit
for bit, and neither on the other walkers, nor on the number of threads, nor on how a run is cut into blocks.

References
    Leimkuhler and Matthews, Appl. Math. Res. eXpress 2013, 34 (BAOAB)
    Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020), eq. 7 (stochastic cell rescaling of the volume)
    Del Tatto, Raiteri, Bernetti and Bussi, Appl. Sci. 12, 1139 (2022) (of the cell)
    Salmon et al., SC11 (2011): Philox4x32-10, the counter-based random numbers
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from thalweg import _native
from thalweg.errors import InputError, ModelError, core_refusals
from thalweg.explorers.base import NativeField
from thalweg.explorers.block import BlockResult, ThermoLog, read_result
from thalweg.explorers.limits import Finding, Limits, WalkEvent
from thalweg.explorers.visit import Frames
from thalweg.explorers.walker import WalkerState, initial_velocities
from thalweg.units import GPa, fs
from thalweg.vocabulary import Committee, Coupling, Ensemble

__all__ = [
    "BlockResult",
    "Committee",
    "Coupling",
    "Ensemble",
    "Finding",
    "Frames",
    "Limits",
    "MdSettings",
    "ThermoLog",
    "WalkEvent",
    "WalkerState",
    "advance",
    "initial_velocities",
]


SCREEN_SHARE = 0.75
"""Share of the limit at which a screened committee is asked whole."""


@dataclass(frozen=True)
class MdSettings:
    """How walkers move and what is kept of their way.

    Attributes
    ----------
    timestep_fs : float, fs
    friction_per_fs : float, 1/fs
        Of the Langevin thermostat; unused in NVE.
    ensemble : 'nvt', 'nve' or 'npt'
        The cell is fixed in the first two; 'npt' needs structures that are periodic in three directions.
    record_stride : int
        A sample at every step divisible by it; 0 keeps none.
    history_stride, history_length : int
        The last `history_length` states at steps divisible by `history_stride`; 0 keeps none.
    skin : float, Å
        Of the neighbour list, which is rebuilt when an atom has moved by half of it.
    score_stride : int
        Bounds and novelty are computed, and their limits looked at, at steps divisible by it and at samples; 0:
        never. Physical sanity is looked at in every step.
    committee : 'whole' or 'screened'
        Screened looks at one signed sum of the members a look, at a twelfth of the cost, and asks the whole committee
        for samples and where an atom's estimated bound passes three quarters of its limit. Bounds elsewhere are
        estimates, right on average over a few looks.
    log_stride : int
        A row of the thermodynamic log at every step divisible by it; 0 keeps none.
    pressure_gpa : float, GPa
        Of the barostat.
    coupling : 'isotropic', 'axes' or 'full'
        What the barostat changes: the volume alone; the lengths along x, y and z; all six strains of the cell.
    barostat_fs : float, fs
        Time in which the volume follows the pressure, for a material of `bulk_modulus_gpa` (GPa). Both set how fast,
        not what, is sampled.
    """

    timestep_fs: float = 0.5
    friction_per_fs: float = 0.01
    ensemble: Ensemble = "nvt"
    record_stride: int = 100
    history_stride: int = 10
    history_length: int = 32
    skin: float = 0.5
    score_stride: int = 1
    committee: Committee = "whole"
    log_stride: int = 0
    pressure_gpa: float = 0.0
    coupling: Coupling = "isotropic"
    barostat_fs: float = 1000.0
    bulk_modulus_gpa: float = 100.0

    def __post_init__(self) -> None:
        if self.ensemble not in get_args(Ensemble):
            raise InputError(f"ensemble must be 'nvt', 'nve' or 'npt', got {self.ensemble!r}")
        if self.committee not in get_args(Committee):
            raise InputError(f"committee must be 'whole' or 'screened', got {self.committee!r}")
        if not (0 < self.timestep_fs <= 100):
            raise InputError(f"timestep must lie above 0 and up to 100 fs, got {self.timestep_fs} fs")
        if not (0 < self.friction_per_fs <= 100) and self.ensemble != "nve":
            raise InputError(
                f"friction must lie above 0 and up to 100 /fs at constant temperature, got {self.friction_per_fs}; "
                "0.01 is usual, and for no thermostat set ensemble='nve'"
            )
        strides = (
            self.record_stride,
            self.history_stride,
            self.history_length,
            self.score_stride,
            self.log_stride,
        )
        if min(strides) < 0 or not 0 <= self.skin <= 10:
            raise InputError("strides and history_length must not be negative, and 0 <= skin <= 10 Å")
        self._check_barostat()

    def _check_barostat(self) -> None:
        if self.coupling not in get_args(Coupling):
            raise InputError(f"coupling must be 'isotropic', 'axes' or 'full', got {self.coupling!r}")
        if not (math.isfinite(self.pressure_gpa) and 0 < self.bulk_modulus_gpa < math.inf):
            raise InputError(
                f"barostat: expected a finite pressure and a bulk modulus above 0 GPa, "
                f"got {self.pressure_gpa} and {self.bulk_modulus_gpa}"
            )
        if self.ensemble == "npt" and not 20 * self.timestep_fs <= self.barostat_fs < math.inf:
            raise InputError(
                f"barostat: its time must be at least 20 time steps of {self.timestep_fs} fs, got "
                f"{self.barostat_fs} fs; 1000 fs is usual"
            )

    def to_native(self) -> _native.MdSettings:
        """The core's form, in its units."""
        native = _native.MdSettings()
        native.timestep = self.timestep_fs * fs
        native.friction = 0.0 if self.ensemble == "nve" else self.friction_per_fs / fs
        native.skin = self.skin
        native.record_stride = self.record_stride
        native.history_stride, native.history_length = self.history_stride, self.history_length
        native.score_stride, native.log_stride = self.score_stride, self.log_stride
        native.screen_share = SCREEN_SHARE if self.committee == "screened" else 0.0
        if self.ensemble == "npt":
            mobility = 1.0 / (self.bulk_modulus_gpa * GPa * self.barostat_fs * fs)
            native.set_barostat(self.coupling, self.pressure_gpa * GPa, mobility)
        return native


def advance(  # noqa: PLR0913 - each of them is one thing that a block is told
    field: NativeField,
    states: Sequence[WalkerState],
    n_steps: int,
    settings: MdSettings,
    limits: Limits | Sequence[Limits],
    *,
    stop_on_label: bool = False,
    n_threads: int = 1,
    poll: Callable[[int], bool] | None = None,
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
    n_threads : walkers are shared out over so many threads; the interpreter's lock is released. A large walker's
        forces are shared out over `thalweg.features.set_num_threads` besides
    poll : called about every 0.1 s with the steps done; returns True to end the block where it stands

    Raises
    ------
    InputError
        An element that the field does not know, a bad number of steps, threads or limits, constant pressure
        without a periodic cell.
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
    _check_scores(field, settings, each)
    if settings.ensemble == "npt" and not all(state.structure.pbc.all() for state in states):
        raise InputError("ensemble 'npt' needs structures that are periodic in three directions; use 'nvt'")
    if settings.ensemble == "npt" and any(state.structure.fixed is not None for state in states):
        raise InputError(
            "ensemble 'npt' moves every atom with the cell, and some are fixed; use 'nvt', or free them"
        )
    native_limits = [
        one.to_native(field.elements, state.temperature, state.structure.n_free)
        for one, state in zip(each, states, strict=True)
    ]
    with core_refusals():
        fields = _native.advance(
            field.native,
            [state.to_native(field.elements) for state in states],
            settings.to_native(),
            native_limits,
            n_steps=n_steps,
            stop_on_label=stop_on_label,
            n_threads=n_threads,
            poll=poll,
        )
    return [read_result(one, state, settings.timestep_fs) for one, state in zip(fields, states, strict=True)]


def _check_scores(field: NativeField, settings: MdSettings, limits: Sequence[Limits]) -> None:
    """A limit on a score that nobody computes would never fire: say so instead."""
    bound = min(min(one.bound_label, one.bound_break) for one in limits)
    novelty = min(min(one.novelty_label, one.novelty_break) for one in limits)
    if min(bound, novelty) < math.inf and settings.score_stride == 0:
        raise InputError("limits on bound or novelty need score_stride >= 1, got 0: nothing is ever scored")
    if bound < math.inf and not field.native.has_committee:
        raise ModelError(
            "limits on the error bound need a committee; this field has none: fit one or drop them"
        )
    if novelty < math.inf and not field.native.has_novelty:
        raise ModelError("limits on novelty need a novelty model; this field has none: fit one or drop them")

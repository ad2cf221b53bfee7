"""The plan of a production trajectory: everything that its numbers depend on, and what may change on the way."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, get_args

from thalweg.border import HOTTEST
from thalweg.errors import InputError, check
from thalweg.explorers import Limits, MdSettings
from thalweg.explorers.limits import NOVELTY_BREAK
from thalweg.potential import Potential
from thalweg.vocabulary import Committee, Coupling, Ensemble, Precision, TrajectoryFormat

_RANGES: dict[str, tuple[float, float, str, str]] = {
    "n_steps": (1, 1e12, "steps", "steps"),
    "timestep_fs": (1e-3, 20, "timestep", "fs"),
    "temperature": (0, HOTTEST, "temperature", "K"),
    "pressure_gpa": (-1000, 10_000, "pressure", "GPa"),
    "barostat_fs": (1, 1e9, "barostat time", "fs"),
    "bulk_modulus_gpa": (1e-3, 1e5, "bulk modulus", "GPa"),
    "friction_per_fs": (0, 10, "friction", "1/fs"),
    "equilibrate": (0, 1e12, "equilibrate", "steps"),
    "every": (1, 1e12, "every", "steps between frames"),
    "log_every": (1, 1e12, "log-every", "steps between rows of the log"),
    "uncertainty_every": (0, 1e12, "uncertainty-every", "steps between looks at the bound"),
}
"""Least and largest, what it is called, and its unit: far beyond use, within what numbers can hold."""

_MAY_CHANGE = ("n_steps", "halt")


@dataclass(frozen=True)
class Plan:
    """A trajectory's settings.

    Attributes
    ----------
    n_steps : int
        Steps from the start; a finished trajectory goes on when this is raised.
    timestep_fs : float, fs
    ensemble : 'nve', 'nvt' or 'npt'
    temperature : float, K
        Of the thermostat, and of the velocities that are drawn.
    pressure_gpa : float, GPa
    coupling, barostat_fs, bulk_modulus_gpa :
        As in `MdSettings`.
    friction_per_fs : float, 1/fs
        Friction of the thermostat.
    equilibrate : int, steps
        At the beginning, which averages and the drift leave out.
    every, log_every, uncertainty_every : int, steps
        Between frames, rows of the log, and looks at the uncertainty; the last may be 0: never.
    committee : 'whole' or 'screened'
        As in `MdSettings`: screened looks cost a twelfth, and ask the whole committee where an atom's estimated bound
        passes three quarters of `halt`, and for frames.
    halt : float, eV/Å, or None
        Largest error bound of any atom that is accepted; None: none is too large. Otherwise it halts at the usual
        break limit of novelty, too.
    velocities : bool
        Whether frames hold velocities (as momenta).
    format : 'extxyz' or 'traj'
    precision : 'double' or 'mixed'
        Of the forces; mixed takes about half the time.
    seed : int
    """

    n_steps: int
    timestep_fs: float
    ensemble: Ensemble = "nvt"
    temperature: float = 300.0
    pressure_gpa: float = 0.0
    coupling: Coupling = "isotropic"
    barostat_fs: float = 1000.0
    bulk_modulus_gpa: float = 100.0
    friction_per_fs: float = 0.01
    equilibrate: int = 0
    every: int = 1000
    log_every: int = 100
    uncertainty_every: int = 10
    committee: Committee = "whole"
    halt: float | None = 0.5
    velocities: bool = False
    format: TrajectoryFormat = "extxyz"
    precision: Precision = "double"
    seed: int = 1

    def __post_init__(self) -> None:
        for key, (least, most, name, unit) in _RANGES.items():
            value = getattr(self, key)
            check(least <= value <= most, f"{name}: expected {least:g} to {most:g} {unit}, got {value:g}")
        check(
            self.equilibrate < self.n_steps,
            f"equilibrate: {self.equilibrate} of {self.n_steps} steps leave none for averages; take fewer of them",
        )
        check(
            self.precision in get_args(Precision),
            f"precision: expected double or mixed, got {self.precision!r}",
        )
        check(
            self.format in get_args(TrajectoryFormat), f"format: expected extxyz or traj, got {self.format!r}"
        )
        check(0 <= self.seed < 2**64, f"seed: expected 0 to 2**64 - 1, got {self.seed}")
        if self.halt is not None and not 0 < self.halt < math.inf:
            raise InputError(f"halt: expected a bound above 0 eV/Å, or off, got {self.halt}")
        if self.halt is not None and self.uncertainty_every == 0:
            raise InputError(
                "halt: the bound is never computed at a stride of 0; set halt to off, or a stride"
            )
        self.settings()

    def settings(self) -> MdSettings:
        """The walkers' settings."""
        return MdSettings(
            timestep_fs=self.timestep_fs,
            friction_per_fs=self.friction_per_fs,
            ensemble=self.ensemble,
            record_stride=self.every,
            history_stride=0,
            history_length=0,
            score_stride=self.uncertainty_every,
            committee=self.committee,
            log_stride=self.log_every,
            pressure_gpa=self.pressure_gpa,
            coupling=self.coupling,
            barostat_fs=self.barostat_fs,
            bulk_modulus_gpa=self.bulk_modulus_gpa,
        )

    def limits(self, potential: Potential) -> Limits:
        """Where it halts. Atoms that are too close or too hot, and non-finite values, always end it."""
        has_novelty = potential.novelty is not None and self.halt is not None
        bound = math.inf if self.halt is None else self.halt
        return Limits(
            bound_label=bound,  # by which a screened committee is asked whole
            bound_break=bound,
            novelty_break=NOVELTY_BREAK if has_novelty else math.inf,
            species_factor=potential.bounds.factors.tolist(),
            species_floor=potential.bounds.floors.tolist(),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    def changes(self, saved: dict[str, Any]) -> list[str]:
        """In words, what differs from the saved settings and may not; what these do not name stood at its default."""
        before = {part.name: part.default for part in dataclasses.fields(self)} | saved
        return [
            f"{key} {before[key]} -> {value}"
            for key, value in self.to_json().items()
            if key not in _MAY_CHANGE and before[key] != value
        ]

"""What an oracle gives back: a label, or one of the four named ways in which there is none.

Outcome
+ Label                               converged: energy, forces, perhaps stress, each with its noise
+ Failure(kind)                       unconverged | crashed | timed_out | implausible
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from thalweg.errors import InputError
from thalweg.structure import FloatArray


@dataclass(frozen=True)
class LabelNoise:
    """Standard deviations of the oracle's own answer, from its convergence diagnostics.

    energy in eV (total), forces in eV/Å per component, stress in eV/Å³ per component. They enter a fit
    as weights 1/(σ_model² + σ_label²), so noisier labels weigh less.
    """

    energy: float = 0.0
    forces: float = 0.0
    stress: float = 0.0

    def __post_init__(self) -> None:
        if not all(np.isfinite(s) and s >= 0 for s in (self.energy, self.forces, self.stress)):
            raise InputError(f"label noise must be finite and not negative, got {self}")


@dataclass(frozen=True, eq=False)
class Label:
    """A converged answer.

    Attributes
    ----------
    energy : float, eV, total
    forces : float64 ndarray, shape (n_atoms, 3), eV/Å
        All NaN where the oracle gave the energy alone (`has_forces`).
    stress : float64 ndarray, shape (6,), eV/Å³, or None
        Voigt order xx, yy, zz, yz, xz, xy; ASE's sign (dE/dstrain / V).
    noise : LabelNoise
    oracle : str
        The oracle's fingerprint: name and settings.
    wall_time : float, s
    """

    energy: float
    forces: FloatArray
    stress: FloatArray | None = None
    noise: LabelNoise = LabelNoise()
    oracle: str = ""
    wall_time: float = 0.0

    def __post_init__(self) -> None:
        forces = np.array(self.forces, dtype=np.float64)
        if forces.ndim != 2 or forces.shape[1] != 3:
            raise InputError(f"label: forces must have shape (n_atoms, 3), got {forces.shape}")
        forces.flags.writeable = False
        object.__setattr__(self, "forces", forces)
        object.__setattr__(self, "energy", float(self.energy))
        if self.stress is not None:
            stress = np.array(self.stress, dtype=np.float64)
            if stress.shape != (6,):
                raise InputError(f"label: stress must be 6 Voigt numbers, got shape {stress.shape}")
            stress.flags.writeable = False
            object.__setattr__(self, "stress", stress)

    @property
    def has_forces(self) -> bool:
        """Whether forces were labelled."""
        return not bool(np.isnan(self.forces).all()) or self.forces.size == 0


class FailureKind(StrEnum):
    """Why there is no label."""

    UNCONVERGED = "unconverged"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    IMPLAUSIBLE = "implausible"
    REFUSED = "refused"


@dataclass(frozen=True)
class Failure:
    """An answer that must never become a label; recorded with its log, retried, then quarantined."""

    kind: FailureKind
    message: str
    log: str = ""
    oracle: str = ""
    wall_time: float = 0.0


Outcome = Label | Failure

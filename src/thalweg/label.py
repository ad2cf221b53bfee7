"""What an oracle gives back: a label, or one of the five named ways in which there is none.

Outcome
+ Label                               converged: energy, forces, perhaps stress, each with its noise
+ Failure(kind)                       unconverged | crashed | timed_out | implausible | refused
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from thalweg.errors import InputError
from thalweg.structure import FloatArray

MESSAGE_LIMIT = 500
"""Characters of a failure's message that are kept."""
LOG_LIMIT = 8000
"""Characters of a failure's log that are kept."""

_TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


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
    """A converged answer of the oracle.

    Attributes
    ----------
    energy : float, eV, total
        An array with one element is accepted, too.
    forces : float64 ndarray, shape (n_atoms, 3), eV/Å
        All NaN if the oracle gave only the energy (`has_forces`).
    stress : float64 ndarray, shape (6,), eV/Å³, or None
        Voigt order xx, yy, zz, yz, xz, xy; ASE's sign (dE/dstrain / V).
    noise : LabelNoise
    oracle : str
        The oracle's fingerprint: name and settings.
    wall_time : float, s

    Raises
    ------
    InputError
        Complex, masked or non-numeric values, or arrays of the wrong shape.
    """

    energy: float
    forces: FloatArray
    stress: FloatArray | None = None
    noise: LabelNoise = LabelNoise()
    oracle: str = ""
    wall_time: float = 0.0

    def __post_init__(self) -> None:
        energy = real_array(self.energy, "energy")
        if energy.size != 1:
            raise InputError(f"label: the energy must be one number, got an array of shape {energy.shape}")
        forces = real_array(self.forces, "forces")
        if forces.ndim != 2 or forces.shape[1] != 3:
            raise InputError(f"label: forces must have shape (n_atoms, 3), got {forces.shape}")
        forces.flags.writeable = False
        object.__setattr__(self, "energy", float(energy.reshape(-1)[0]))
        object.__setattr__(self, "forces", forces)
        if self.stress is not None:
            stress = real_array(self.stress, "stress")
            if stress.shape != (6,):
                raise InputError(f"label: stress must be 6 Voigt numbers, got shape {stress.shape}")
            stress.flags.writeable = False
            object.__setattr__(self, "stress", stress)

    @property
    def has_forces(self) -> bool:
        """Whether forces were labelled."""
        return not bool(np.isnan(self.forces).all()) or self.forces.size == 0


def real_array(values: Any, what: str) -> FloatArray:
    """A float64 copy of real numbers, of any shape; `what` names them in messages.

    Raises InputError for complex numbers, for masked elements, and for whatever is not a number: NumPy would turn
    each of them into a float64 that means something else.
    """
    try:
        if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
            raise InputError(f"label: {what} has masked elements, not numbers")
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"label: {what} cannot be read as numbers: {error}") from None
    if array.dtype.kind == "c":
        raise InputError(f"label: {what} must be real, got complex numbers")
    if array.dtype.kind not in "fiu":
        raise InputError(f"label: {what} must be numbers, got values of type {array.dtype}")
    return np.array(array, dtype=np.float64)


class FailureKind(StrEnum):
    """Why there is no label."""

    UNCONVERGED = "unconverged"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    IMPLAUSIBLE = "implausible"
    REFUSED = "refused"
    """The oracle cannot treat this structure, or give a property, at all: a retry is useless."""


@dataclass(frozen=True)
class Failure:
    """An answer that must never become a label; recorded with its log, retried, then quarantined.

    `message` is one line, `log` the part of the program's output that says why. Both are cut to MESSAGE_LIMIT and
    LOG_LIMIT characters, and characters that no terminal or file takes are replaced.
    """

    kind: FailureKind
    message: str
    log: str = ""
    oracle: str = ""
    wall_time: float = 0.0

    def __post_init__(self) -> None:
        message = " ".join(readable(self.message, 20 * MESSAGE_LIMIT).split())
        object.__setattr__(self, "message", readable(message, MESSAGE_LIMIT))
        object.__setattr__(self, "log", readable(self.log, LOG_LIMIT))


def readable(text: object, limit: int) -> str:
    """`text` within `limit` characters that every terminal and file takes.

    The middle of a longer text is left out, since programs say why they stop at the end.
    """
    plain = text if isinstance(text, str) else str(text)
    if len(plain) > 4 * limit:
        plain = plain[: 2 * limit] + plain[-2 * limit :]
    plain = _UNREADABLE.sub("\ufffd", _TERMINAL_CODES.sub("", plain).replace("\r\n", "\n"))
    if len(plain) <= limit:
        return plain
    gap = " [...] "
    head = (limit - len(gap)) // 2
    return plain[:head] + gap + plain[len(plain) - (limit - len(gap) - head) :]


Outcome = Label | Failure

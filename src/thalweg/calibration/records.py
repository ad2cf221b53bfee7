"""What calibration learns from: settings, and one record per answer of the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.errors import check
from thalweg.structure import BoolArray, FloatArray, IntArray

NO_DEVIATION = 1e-6
"""eV/Å. Members of a committee that agree so closely had no choice: symmetry, or no other atom is near."""
NO_FORCE = 1e-2
"""eV/Å. Where they had no choice, an error up to this is the oracle's noise."""

SMALLEST = 1e-6
"""eV/Å; keeps logarithms finite."""


def is_evidence(deviation: FloatArray, error: FloatArray) -> BoolArray:
    """Which atoms' errors say anything of a model, from deviation and error per atom, eV/Å.

    A force that vanishes by symmetry is zero for every potential: that the oracle agrees teaches and proves nothing.
    """
    return np.asarray((deviation > NO_DEVIATION) | (error > NO_FORCE))


class Stream(StrEnum):
    """Why a structure was labelled, which decides how far its errors are a fair sample."""

    SEED = "seed"
    QUERY = "query"
    AUDIT = "audit"


@dataclass(frozen=True)
class CalibrationSpec:
    """Settings. half_life, prior_weight and borrow count answers; prior_floor is in eV/Å."""

    confidence: float = 0.95
    half_life: float = 40.0
    prior_factor: float = 1.7
    prior_floor: float = 0.02
    prior_weight: float = 3.0
    borrow: float = 5.0
    adapt_step: float = 0.02
    audit_weight: float = 1.0
    query_weight: float = 0.5
    seed_weight: float = 0.25

    def __post_init__(self) -> None:
        check(
            0.5 <= self.confidence < 1, f"calibration: confidence must lie in [0.5, 1), got {self.confidence}"
        )
        for name, value in asdict(self).items():
            check(
                value > 0 or name in ("prior_floor", "adapt_step"),
                f"calibration: {name} must be above 0, got {value}",
            )

    def weight(self, stream: Stream) -> float:
        """Weight of a fresh answer of this stream."""
        return {
            Stream.AUDIT: self.audit_weight,
            Stream.QUERY: self.query_weight,
            Stream.SEED: self.seed_weight,
        }[stream]

    def weights(self, streams: Sequence[Stream]) -> FloatArray:
        """Weights of answers of these streams, oldest first, each faded with its age; shape (n,)."""
        ages = np.arange(len(streams))[::-1]
        fresh = np.array([self.weight(stream) for stream in streams])
        return np.asarray(fresh * 0.5 ** (ages / self.half_life))

    def faded_prior(self, n_answers: int) -> float:
        """Weight of the prior after so many answers, in answers."""
        return float(self.prior_weight * 0.5 ** (n_answers / self.half_life))


@dataclass(frozen=True, eq=False)
class Compared:
    """One labelled structure beside its prediction: per atom, deviation and error in eV/Å, shape (n_atoms,).

    Elements are atomic numbers. `bound` is what was predicted, eV/Å; None lets the state's own map say it.
    `temperature` (K) is that of the walker that met it, None where no walker did.
    """

    stream: Stream
    numbers: IntArray
    deviation: FloatArray
    error: FloatArray
    bound: FloatArray | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        n = len(self.numbers)
        for name, dtype in (
            ("numbers", np.int64),
            ("deviation", np.float64),
            ("error", np.float64),
            ("bound", np.float64),
        ):
            if (value := getattr(self, name)) is None:
                continue
            array = np.array(value, dtype=dtype)
            check(array.shape == (n,) and n > 0, f"answer: {name} must have shape ({n},), got {array.shape}")
            check(
                bool(np.isfinite(array).all() and (array >= 0).all()),
                f"answer: {name} must be finite, not negative",
            )
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def n_covered(self) -> int:
        """Atoms whose error was within the predicted bound; 0 while no bound is attached."""
        return 0 if self.bound is None else int((self.error <= self.bound).sum())

    def evidence(self) -> Compared | None:
        """The same without atoms that are no evidence (`is_evidence`); None where none is left."""
        keep = is_evidence(self.deviation, self.error)
        if keep.all():
            return self
        if not keep.any():
            return None
        bound = None if self.bound is None else self.bound[keep]
        return replace(
            self,
            numbers=self.numbers[keep],
            deviation=self.deviation[keep],
            error=self.error[keep],
            bound=bound,
        )

    def fair_error(self, share: float) -> FloatArray:
        """Errors as a fair sample would have them: of those of a query its own are this `share`. Shape (n_atoms,)."""
        return self.error / share if self.stream is Stream.QUERY else self.error

    @cached_property
    def log_ratio(self) -> float:
        """Log of the rms error over the rms deviation; made once, since a window is looked at with every answer."""
        error, deviation = (float(np.sqrt(np.mean(v**2))) for v in (self.error, self.deviation))
        return float(np.log(max(error, SMALLEST) / max(deviation, SMALLEST)))

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return dict(self._plain)

    @cached_property
    def _plain(self) -> dict[str, Any]:
        """Made once: a checkpoint writes the whole window."""
        bound = None if self.bound is None else self.bound.tolist()
        return {
            "stream": self.stream.value,
            "numbers": self.numbers.tolist(),
            "deviation": self.deviation.tolist(),
            "error": self.error.tolist(),
            "bound": bound,
            "temperature": self.temperature,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Compared:
        """Inverse of `to_json`."""
        return cls(
            Stream(data["stream"]),
            data["numbers"],
            data["deviation"],
            data["error"],
            data["bound"],
            temperature=data.get("temperature"),
        )

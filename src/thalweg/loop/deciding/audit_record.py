"""Audits: structures drawn at random and not by uncertainty, scored before they are learned.

An audit is an unbiased sample of what walkers meet. A record keeps the error of every atom, so that a changed
target can be judged on the audits already made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.calibration.intervals import clustered_lower_bound, effective_trials, wilson_interval
from thalweg.errors import check
from thalweg.units import GPa

STRESS_STATED = 0.5 * GPa
"""eV/Å³. What the share of stress components within is stated for, where no stress target is set."""
SAME_VOLUME = 1e-6
"""Relative; what differs less has one volume."""


@dataclass(frozen=True)
class AuditRecord:
    """One audited structure.

    Attributes
    ----------
    n_labels : labels learned when the answer came; the audited model had learned these but for the last few
    force_errors : |F_model - F_oracle| per atom, eV/Å
    force_bounds : the bound predicted for each of them beforehand, eV/Å
    energy_error : (E_model - E_oracle) / n_atoms, eV per atom, or None
    stress_error : root mean square over the six components, eV/Å³, or None
    volume : Å³ per atom, of structures periodic in three directions, or None
    stress_errors : |stress_model - stress_oracle| of each of them, eV/Å³; empty without a stress
    start : number of the start, from 0, whose walker met it, or None
    temperature : of that walker, K, or None
    energy_uncertainty : standard deviation that was stated for the energy, eV per atom, or None
    """

    n_labels: int
    force_errors: tuple[float, ...]
    force_bounds: tuple[float, ...]
    energy_error: float | None = None
    stress_error: float | None = None
    volume: float | None = None
    stress_errors: tuple[float, ...] = ()
    start: int | None = None
    temperature: float | None = None
    energy_uncertainty: float | None = None

    def __post_init__(self) -> None:
        for name in ("force_errors", "force_bounds", "stress_errors"):
            object.__setattr__(self, name, tuple(float(e) for e in getattr(self, name)))
        check(
            len(self.force_errors) == len(self.force_bounds) > 0,
            f"audit: each atom needs both; {len(self.force_errors)} errors, {len(self.force_bounds)} bounds",
        )
        check(all(e >= 0 for e in self.force_errors), "audit: force errors must be 0 or more")

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.force_errors)

    def n_within(self, force_error: float) -> int:
        """Atoms whose error is at most `force_error` (eV/Å)."""
        return sum(e <= force_error for e in self.force_errors)

    def n_stress_within(self, stress_error: float) -> int:
        """Components of the stress whose error is at most `stress_error` (eV/Å³)."""
        return sum(e <= stress_error for e in self.stress_errors)

    @property
    def n_covered(self) -> int:
        """Atoms whose error is at most the bound predicted for them."""
        return sum(e <= b for e, b in zip(self.force_errors, self.force_bounds, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return dict(self._plain)

    @cached_property
    def _plain(self) -> dict[str, Any]:
        """Made once: every checkpoint writes all audits."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AuditRecord:
        """Inverse of `to_json`."""
        return cls(**data)


@dataclass(frozen=True)
class Target:
    """What the user asks for.

    Attributes
    ----------
    force_error : eV/Å
    confidence : the fraction of atoms that must have a smaller error
    certificate_level : one-sided confidence of the statement that they do. 0.90: of ten runs whose target is
        just missed, at most one claims it.
    stress_error : eV/Å³, or None
        That `confidence` of the components of the stress must be below; None: the stress is stated, and not required.
    """

    force_error: float
    confidence: float = 0.95
    certificate_level: float = 0.90
    stress_error: float | None = None

    def __post_init__(self) -> None:
        check(self.force_error > 0, f"target: force_error must be above 0 eV/Å, got {self.force_error}")
        check(
            self.stress_error is None or self.stress_error > 0,
            f"target: stress_error must be above 0 eV/Å³, got {self.stress_error}",
        )
        check(0 < self.confidence < 1, f"target: confidence must lie between 0 and 1, got {self.confidence}")
        check(
            0.5 < self.certificate_level < 1,
            f"target: certificate_level must lie between 0.5 and 1, got {self.certificate_level}",
        )


@dataclass(frozen=True)
class AuditSummary:
    """Audits in numbers (units as in AuditRecord).

    `force_rmse` is over force components, `force_error_quantile` is that of the atoms' errors at the target's
    confidence; `interval` holds the fraction within the target: a two-sided Wilson interval with the
    effective number of trials, level 2 certificate_level - 1, so that each end holds one-sidedly at
    certificate_level.
    `coverage` is the fraction of atoms within their predicted bounds. `volume_mean`, `volume_min` and `volume_max` (Å³
    per atom) are of the structures that walkers met; None where the volume does not vary. `stress_within` is the
    fraction of stress components within the stress target, or STRESS_STATED where none is set, and
    `stress_lower_bound` its bound. `energy_within` is the fraction of energies within two stated standard deviations,
    and `energy_ratio` their root mean square error over that stated.
    """

    n_structures: int
    n_atoms: int
    force_rmse: float
    force_error_quantile: float
    fraction_within: float
    interval: tuple[float, float]
    lower_bound: float
    coverage: float
    energy_rmse: float | None = None
    stress_rmse: float | None = None
    volume_mean: float | None = None
    volume_min: float | None = None
    volume_max: float | None = None
    stress_within: float | None = None
    stress_lower_bound: float | None = None
    energy_within: float | None = None
    energy_ratio: float | None = None

    def meets(self, target: Target) -> bool:
        """Whether these audits, judged once, certify the target."""
        stress = self.stress_lower_bound or 0.0
        return self.lower_bound >= target.confidence and (
            target.stress_error is None or stress >= target.confidence
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for summaries and reports."""
        return asdict(self)


def _rms(values: list[float]) -> float | None:
    return math.sqrt(sum(v * v for v in values) / len(values)) if values else None


def _volumes(volumes: list[float]) -> dict[str, float]:
    if not volumes or max(volumes) <= min(volumes) * (1.0 + SAME_VOLUME):
        return {}
    mean = sum(volumes) / len(volumes)
    return {"volume_mean": mean, "volume_min": min(volumes), "volume_max": max(volumes)}


def summarise_audits(audits: Sequence[AuditRecord], target: Target) -> AuditSummary | None:
    """All of `audits` as one sample; None without any.

    `lower_bound` is the cluster-robust one for these audits judged once; a run that looks repeatedly pays for
    it in `thalweg.loop.deciding.certification`.
    """
    if not audits:
        return None
    errors = np.array([e for a in audits for e in a.force_errors])
    within = [a.n_within(target.force_error) for a in audits]
    sizes = [a.n_atoms for a in audits]
    fraction, level = sum(within) / sum(sizes), target.certificate_level
    n_star = effective_trials(within, sizes, level)
    return AuditSummary(
        n_structures=len(audits),
        n_atoms=sum(sizes),
        force_rmse=float(np.sqrt((errors**2).mean() / 3)),
        force_error_quantile=float(np.quantile(errors, target.confidence)),
        fraction_within=fraction,
        interval=wilson_interval(fraction * n_star, n_star, 2 * level - 1),
        lower_bound=clustered_lower_bound(within, sizes, level),
        coverage=sum(a.n_covered for a in audits) / sum(sizes),
        energy_rmse=_rms([a.energy_error for a in audits if a.energy_error is not None]),
        stress_rmse=_rms([a.stress_error for a in audits if a.stress_error is not None]),
        **_volumes([a.volume for a in audits if a.volume is not None]),
        **_stress_summary(audits, target),
        **_energy_summary(audits),
    )


def _stress_summary(audits: Sequence[AuditRecord], target: Target) -> dict[str, float]:
    within, sizes = stress_counts(audits, target.stress_error or STRESS_STATED)
    if not sizes:
        return {}
    bound = clustered_lower_bound(within, sizes, target.certificate_level)
    return {"stress_within": sum(within) / sum(sizes), "stress_lower_bound": bound}


def _energy_summary(audits: Sequence[AuditRecord]) -> dict[str, float]:
    pairs = np.array(
        [
            (a.energy_error, a.energy_uncertainty)
            for a in audits
            if a.energy_error is not None and a.energy_uncertainty is not None
        ]
    )
    if not len(pairs) or not pairs[:, 1].any():
        return {}
    error, stated = np.abs(pairs[:, 0]), pairs[:, 1]
    ratio = float(np.sqrt(np.mean(error**2) / np.mean(stated**2)))
    return {"energy_within": float(np.mean(error <= 2.0 * stated)), "energy_ratio": ratio}


def stress_counts(audits: Sequence[AuditRecord], stress_error: float) -> tuple[list[int], list[int]]:
    """Of each audit with a stress: components within `stress_error` (eV/Å³), and components."""
    with_stress = [a for a in audits if a.stress_errors]
    return [a.n_stress_within(stress_error) for a in with_stress], [len(a.stress_errors) for a in with_stress]

"""When to stop: the target is certified, further calls would gain too little, or the budget is spent.

Every rule is a pure function of history.

Notation of the forecast
    n       labels learned
    e       force error of a structure that was not yet learned, eV/Å (root mean square over its atoms)
    e(n) = A n^-b, fitted as log e = log A - b log n by least squares
    gain    1 - e(n + m) / e(n) = 1 - (1 + m / n)^-b, the relative reduction of the error by the next m calls
Power laws describe learning curves of atomistic models well over the range a run covers
(Huang & von Lilienfeld, J. Chem. Phys. 145, 161102, 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from thalweg import quantiles
from thalweg.errors import check
from thalweg.loop.deciding.audit_record import AuditRecord, AuditSummary, Target, summarise_audits
from thalweg.loop.deciding.certification import (
    Certificate,
    Certification,
    advance,
    audits_needed,
    fresh_window,
)
from thalweg.units import GPa

__all__ = [
    "AuditRecord",
    "AuditSummary",
    "Budget",
    "Certificate",
    "Certification",
    "Forecast",
    "LearningPoint",
    "StopReason",
    "Target",
    "Verdict",
    "advance",
    "all_blind",
    "audits_needed",
    "certified_audits",
    "decide_stop",
    "forecast_gain",
    "fresh_window",
    "learning_points",
    "summarise_audits",
]

FORECAST_CALLS = 50
"""The forecast is for this many more calls."""
FORECAST_POINTS = 12
"""Fewest points of a learning curve that a forecast may rest on."""
FORECAST_LEVEL = 0.90
"""One-sided confidence of the forecast's most hopeful gain."""
SMALL_GAIN = 0.05
"""A hopeful gain below this fraction of the error is not worth FORECAST_CALLS calls."""


class StopReason(StrEnum):
    """Why a run ended."""

    TARGET = "target"
    DIMINISHING = "diminishing"
    BUDGET = "budget"


@dataclass(frozen=True)
class Verdict:
    """Whether to stop, why, in words, and what is certified (numbers; empty when nothing is)."""

    stop: bool
    reason: StopReason | None
    message: str
    certified: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "reason": None if self.reason is None else self.reason.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Inverse of `to_json`."""
        reason = data["reason"]
        return cls(
            data["stop"], None if reason is None else StopReason(reason), data["message"], data["certified"]
        )


@dataclass(frozen=True)
class LearningPoint:
    """Force error (eV/Å) of one structure, predicted by a model that had learned `n_labels` labels."""

    n_labels: int
    error: float


@dataclass(frozen=True)
class Forecast:
    """What the next `calls` calls would take off the error, as a fraction.

    `gain` is the best estimate, `hopeful_gain` its one-sided upper confidence limit (FORECAST_LEVEL);
    `error_now` is the fitted error in eV/Å, `exponent` the fitted b.
    """

    calls: int
    gain: float
    hopeful_gain: float
    error_now: float
    exponent: float


@dataclass(frozen=True)
class Budget:
    """Oracle calls: allowed, spent (audits and failures included)."""

    allowed: int
    spent: int


def learning_points(audits: Sequence[AuditRecord]) -> tuple[LearningPoint, ...]:
    """The audits as a learning curve: the root mean square of each structure's force errors."""
    return tuple(
        LearningPoint(a.n_labels, math.sqrt(sum(e * e for e in a.force_errors) / a.n_atoms)) for a in audits
    )


def forecast_gain(
    points: Sequence[LearningPoint], n_labels: int, calls: int = FORECAST_CALLS
) -> Forecast | None:
    """Fit e = A n^-b to `points` and look `calls` calls ahead of `n_labels`.

    Returns None when there are fewer than FORECAST_POINTS usable points (n and error above zero), or they all
    sit at one number of labels. Noise of structures is taken as log-normal; the interval is Student's.
    """
    usable = [p for p in points if p.n_labels > 0 and p.error > 0]
    if len(usable) < FORECAST_POINTS or n_labels < 1:
        return None
    x = np.log([p.n_labels for p in usable])
    y = np.log([p.error for p in usable])
    spread = float(((x - x.mean()) ** 2).sum())
    if spread < 1e-12:
        return None
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    residual = y - y.mean() - slope * (x - x.mean())
    dof = len(usable) - 2
    slope_error = math.sqrt(float((residual**2).sum()) / dof / spread)
    exponent = -slope
    hopeful = exponent + quantiles.student(FORECAST_LEVEL, dof) * slope_error
    ahead = math.log1p(calls / n_labels)
    return Forecast(
        calls=calls,
        gain=-math.expm1(-exponent * ahead),
        hopeful_gain=-math.expm1(-hopeful * ahead),
        error_now=math.exp(float(y.mean()) + slope * (math.log(n_labels) - float(x.mean()))),
        exponent=exponent,
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _describe_certificate(certificate: Certificate) -> str:
    return (
        f"at least {_percent(certificate.lower_bound)} of atoms have a force error below "
        f"{certificate.force_error:g} eV/Å (certified at {_percent(certificate.level)} confidence by "
        f"{certificate.n_structures} random audits, {_percent(certificate.fraction_within)} of "
        f"{certificate.n_atoms} atoms within){_describe_stress(certificate)}"
    )


def _describe_stress(certificate: Certificate) -> str:
    bound, error, rmse = certificate.stress_lower_bound, certificate.stress_error, certificate.stress_rmse
    if bound is None or error is None or rmse is None:
        return ""
    return f"; at least {_percent(bound)} of stress components within {error / GPa:.3g} GPa, RMSE {rmse / GPa:.2g} GPa"


def _describe_audits(summary: AuditSummary | None, target: Target) -> str:
    if summary is None:
        return "nothing is certified: there were no audits"
    return (
        f"the target is not certified; {summary.n_structures} audits over the run found "
        f"{_percent(summary.fraction_within)} of atoms within {target.force_error:g} eV/Å "
        f"(target: {_percent(target.confidence)}), force RMSE {summary.force_rmse:.3f} eV/Å"
    )


def _with_scope(claim: str, scope: str) -> str:
    return f"{claim}; {scope}" if scope else claim


def all_blind(n_audits: int) -> str:
    """Why a run ends in which every force vanishes by symmetry."""
    return (
        f"nothing can be certified: in all {n_audits} audits every force vanishes by symmetry, whatever the potential; "
        "repeat the cell (system.repeat), so that atoms can move against each other"
    )


def certified_audits(certification: Certification, audits: Sequence[AuditRecord]) -> tuple[AuditRecord, ...]:
    """The audits on which the certificate was judged; none without one."""
    certificate, first = certification.certificate, certification.window_start
    return () if certificate is None else tuple(audits[first : first + certificate.n_structures])


def _certified(certificate: Certificate | None) -> dict[str, float]:
    return (
        {} if certificate is None else {k: float(v) for k, v in asdict(certificate).items() if v is not None}
    )


def decide_stop(
    certification: Certification,
    audits: Sequence[AuditRecord],
    target: Target,
    budget: Budget,
    forecast: Forecast | None = None,
    scope: str = "",
) -> Verdict:
    """Judge the run. The certified target comes first, then the budget, then diminishing returns.

    `scope` says what the statement does not cover.

    Diminishing returns stop a run only when even the forecast's hopeful gain is below SMALL_GAIN and the
    present window of audits would not certify within the calls that are left.
    """
    check(budget.allowed >= 0, f"budget: calls allowed must not be negative, got {budget.allowed}")
    certificate = certification.certificate
    if certificate is not None:
        message = _with_scope(f"target reached: {_describe_certificate(certificate)}", scope)
        return Verdict(True, StopReason.TARGET, message, _certified(certificate))
    reached = _with_scope(_describe_audits(summarise_audits(audits, target), target), scope)
    left = budget.allowed - budget.spent
    if left <= 0:
        message = f"budget spent: all {budget.allowed} oracle calls are used; {reached}"
        return Verdict(True, StopReason.BUDGET, message, {})
    if forecast is not None and forecast.hopeful_gain < SMALL_GAIN:
        needed = audits_needed(certification, audits, target, n_atoms=audits[-1].n_atoms if audits else 1)
        if needed is None or needed > left:
            message = (
                f"diminishing returns: {forecast.calls} more calls would lower the force error by about "
                f"{_percent(max(0.0, forecast.gain))} (at most {_percent(max(0.0, forecast.hopeful_gain))}); "
                f"{reached}"
            )
            return Verdict(True, StopReason.DIMINISHING, message, {})
    return Verdict(False, None, f"going on: {left} calls left", {})

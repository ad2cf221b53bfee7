"""What further calls would bring: the error after them, with an interval, from audits alone.

Notation
    n_k, e_k   labels learned when audit k came, and its force error, root mean square over components, eV/Å
    n, m       labels now, and after further calls
    E          error now, eV/Å: E² = Σ w_k e_k² (n_k / n)^(2b) / Σ w_k, every audit carried forward to the present
    F          residual that stays at audited structures after they were learned, eV/Å: no label mends it
    phi        F² / E², at most 1
    b          local slope, log e = a + u_T - b log n, u_T for each temperature
    w_k        n_k / n: what a model of half as many labels did counts half

    E(m)² = F² + (E² - F²) (n / m)^(2c),    c = b / (1 - phi)

b is found by least squares with the priors b ~ N(B (1 - phi), (S (1 - phi) + S_LEAST)²) and u_T ~ N(0, U²): with few
audits, which scatter, the prior speaks; it says that what labels can mend falls as labels^-B. The interval is
log-normal: the scatter of audits for the level, the posterior of b for what comes, and MISSED. Queries are left out,
since they are chosen to be hard.

References
    Power laws: Huang & von Lilienfeld, J. Chem. Phys. 145, 161102 (2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from thalweg import quantiles
from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.structure import FloatArray

AHEAD = (10, 50, 100)
"""Calls for which a run says what they would bring."""
LEAST_AUDITS = 3
"""Fewer say nothing of where a run is."""
B, S, S_LEAST, U = 0.6, 0.25, 0.05, 0.4
"""Prior of the slope and its deviation, the least deviation, and that of temperatures."""
SCATTER, SCATTER_COUNTS = 0.35, 5.0
"""Prior of the scatter of log e_k from structure to structure, and the audits that it counts as."""
MISSED = 0.1
"""Deviation of log E that a power law misses."""
LEVEL = 0.8
"""Of the two-sided interval."""


@dataclass(frozen=True)
class Expected:
    """The force error (rms of components, eV/Å) after `calls` more calls, with its interval at LEVEL.

    `quantile` is the error (eV/Å) that the target's share of atoms would not exceed.
    """

    calls: int
    error: float
    low: float
    high: float
    quantile: float


@dataclass(frozen=True)
class Outlook:
    """A forecast.

    Attributes
    ----------
    n_audits : int
    error, quantile : float, eV/Å
        As of now: rms of force components, and what the target's share of atoms does not exceed.
    floor : float, eV/Å
        What no label mends (F).
    exponent : float
        b.
    ahead : one for each number of calls
    calls_needed : int or None
        Calls after which the quantile would meet the target: 0 if it does; None if that is never, or beyond FAR.
    """

    n_audits: int
    error: float
    quantile: float
    floor: float
    exponent: float
    ahead: tuple[Expected, ...]
    calls_needed: int | None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


FAR = 10_000
"""Calls; a target that is farther is not met."""


def foresee(
    audits: Sequence[AuditRecord],
    n_labels: int,
    *,
    confidence: float,
    force_error: float,
    floor: float = 0.0,
    labels_per_call: float = 1.0,
    ahead: Sequence[int] = AHEAD,
) -> Outlook | None:
    """The forecast from the audits of what is walked now.

    Parameters
    ----------
    audits : in their order
    n_labels : labels learned by now
    confidence, force_error : the target; eV/Å
    floor : F, eV/Å; 0 where it is not known
    labels_per_call : labels that a call brings, failures counted

    Returns
    -------
    Outlook or None
        None with fewer than LEAST_AUDITS audits.
    """
    usable = [a for a in audits if a.n_labels > 0 and max(a.force_errors) > 0]
    if len(usable) < LEAST_AUDITS or n_labels < 1:
        return None
    curve = _Curve.fitted(usable, n_labels, floor)
    ratio = curve.quantile(confidence) / curve.error

    def expected(calls: int) -> Expected:
        m = n_labels + calls * labels_per_call
        error, spread = curve.at(m), math.exp(_Z * curve.deviation(m))
        return Expected(calls, error, error / spread, error * spread, ratio * error)

    return Outlook(
        n_audits=len(usable),
        error=curve.error,
        quantile=ratio * curve.error,
        floor=curve.floor,
        exponent=curve.slope,
        ahead=tuple(expected(calls) for calls in ahead),
        calls_needed=_calls_needed(curve, force_error / ratio, labels_per_call),
    )


_Z = quantiles.normal(0.5 + LEVEL / 2)


def component_error(audit: AuditRecord) -> float:
    """Root mean square of an audit's force error over components, eV/Å."""
    return math.sqrt(sum(e * e for e in audit.force_errors) / (3 * audit.n_atoms))


@dataclass(frozen=True, eq=False)
class _Curve:
    """E(m), in the notation of this file; `atoms` are the errors of atoms carried to the present, with weights."""

    n: int
    error: float
    floor: float
    slope: float
    slope_deviation: float
    level_deviation: float
    atoms: FloatArray
    atom_weights: FloatArray

    @classmethod
    def fitted(cls, audits: Sequence[AuditRecord], n: int, floor: float) -> _Curve:
        x = np.log([a.n_labels / n for a in audits])
        e = np.array([component_error(a) for a in audits])
        w = np.minimum(np.exp(x), 1.0)
        level = math.sqrt(float((w * e**2).sum() / w.sum()))  # of audits as they are: only phi depends on it
        phi = min(1.0, (floor / level) ** 2)
        slope, slope_deviation, scatter = _slope(x, np.log(e), w, [a.temperature for a in audits], phi)
        carried = np.exp(slope * x)
        counted = float(w.sum()) ** 2 / float((w**2).sum())
        return cls(
            n=n,
            error=(error := math.sqrt(float((w * (e * carried) ** 2).sum() / w.sum()))),
            floor=min(floor, error),
            slope=slope,
            slope_deviation=slope_deviation,
            level_deviation=scatter / math.sqrt(counted),
            atoms=np.concatenate(
                [c * np.array(a.force_errors) for c, a in zip(carried, audits, strict=True)]
            ),
            atom_weights=np.concatenate([np.full(a.n_atoms, one) for one, a in zip(w, audits, strict=True)]),
        )

    def quantile(self, level: float) -> float:
        """Weighted quantile of atoms' errors as of now, eV/Å."""
        order = np.argsort(self.atoms, kind="stable")
        reached = np.cumsum(self.atom_weights[order]) - 0.5 * self.atom_weights[order]
        return float(np.interp(level * self.atom_weights.sum(), reached, self.atoms[order]))

    def at(self, m: float) -> float:
        """E(m), eV/Å."""
        mended = self.error**2 - self.floor**2
        share = mended / self.error**2
        if share < _NOTHING:
            return self.error
        return math.sqrt(self.floor**2 + mended * (self.n / m) ** (2 * max(self.slope, 0.0) / share))

    def deviation(self, m: float) -> float:
        """Standard deviation of log E(m)."""
        return math.hypot(self.level_deviation, self.slope_deviation * math.log(m / self.n), MISSED)


_NOTHING = 1e-3


def _slope(
    x: FloatArray, y: FloatArray, w: FloatArray, temperatures: Sequence[float | None], phi: float
) -> tuple[float, float, float]:
    """b, its posterior deviation, and the scatter of y about the curve."""
    groups = sorted({t for t in temperatures if t is not None})
    X = np.column_stack(
        [np.ones(len(x)), -x, *(np.array([t == g for t in temperatures], dtype=np.float64) for g in groups)]
    )
    prior = np.array([0.0, (S * (1 - phi) + S_LEAST) ** -2, *[U**-2] * len(groups)])
    centre = np.array([0.0, B * (1 - phi), *[0.0] * len(groups)])
    scatter, solution, A = SCATTER, centre, np.diag(prior)
    for _ in range(_ROUNDS):
        A = (X * w[:, None]).T @ X / scatter**2 + np.diag(prior)
        solution = np.linalg.solve(A, (X * w[:, None]).T @ y / scatter**2 + prior * centre)
        residual2 = float((w * (y - X @ solution) ** 2).sum()) + SCATTER_COUNTS * SCATTER**2
        scatter = math.sqrt(residual2 / (float(w.sum()) + SCATTER_COUNTS))
    return float(solution[1]), math.sqrt(float(np.linalg.inv(A)[1, 1])), scatter


_ROUNDS = 4
"""Of scatter and slope in turn; both settle at once."""


def _calls_needed(curve: _Curve, error: float, labels_per_call: float) -> int | None:
    """Calls until E falls to `error`; None where it never does, or after more than FAR."""
    if curve.error <= error:
        return 0
    if curve.at(curve.n + FAR * labels_per_call) > error:
        return None
    low, high = 0, FAR
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if curve.at(curve.n + middle * labels_per_call) > error else (low, middle)
    return high

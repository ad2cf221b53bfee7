"""Everything the report's page shows, as plain frozen rows and arrays: no database, no HTML.

Notation
    error    |F_model - F_oracle| of one atom, eV/Å, the model's forces taken before it learned the label
    bound    what the model said that error would stay under, at the run's confidence, eV/Å
    target   the force error that the user accepts, eV/Å
    call     running number of an answer of the oracle, from 1, failures included
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from thalweg.properties.results import PropertyResults
from thalweg.structure import FloatArray, Structure
from thalweg.vocabulary import QuestionKind

SEED, QUERY, RELAX = QuestionKind.SEED.value, QuestionKind.QUERY.value, QuestionKind.RELAX.value
AUDIT, HANDED = QuestionKind.AUDIT.value, QuestionKind.HANDED.value
REFERENCE, PROPERTY = QuestionKind.REFERENCE.value, QuestionKind.PROPERTY.value
PROBE = QuestionKind.PROBE.value
CONVERGED = "converged"


@dataclass(frozen=True, eq=False)
class AskedQuestion:
    """One structure put to the oracle and what came back.

    Attributes
    ----------
    call : int
        Running number of the answer, from 1.
    kind : str
        seed, query, audit or handed (in from outside).
    walker : int or None
    time, temperature : float or None
        Where on the walker's way it was met: ps, and the walker's set temperature in K.
    atom : int or None
        The atom whose bound was the largest; `symbol` is its element.
    bound, limit : float or None, eV/Å
        That atom's bound, and the limit that it was held against.
    reason : str
        Why it was asked, in words.
    outcome : str
        converged, or the kind of failure; `message` says more.
    errors, bounds : float64 ndarray, shape (n_atoms,), eV/Å, or None
        Per atom, before learning; None without a label, or where no model existed yet.
    oracle_time : float or None, s
    learned : str
        What was done with the answer, in words.
    """

    call: int
    kind: str
    reason: str = ""
    outcome: str = CONVERGED
    message: str = ""
    walker: int | None = None
    time: float | None = None
    temperature: float | None = None
    atom: int | None = None
    symbol: str = ""
    bound: float | None = None
    limit: float | None = None
    errors: FloatArray | None = None
    bounds: FloatArray | None = None
    oracle_time: float | None = None
    learned: str = ""
    structure_hash: str = ""

    @property
    def failed(self) -> bool:
        """Whether the oracle gave no label."""
        return self.outcome != CONVERGED

    @property
    def error_max(self) -> float | None:
        """Largest force error of any atom, eV/Å."""
        return None if self.errors is None else float(self.errors.max())

    @property
    def error_rms(self) -> float | None:
        """Root mean square of the force error over components, eV/Å."""
        return None if self.errors is None else float(np.sqrt((self.errors**2).mean() / 3.0))

    def fraction_within(self, target: float) -> float | None:
        """Fraction of its atoms whose force error is at most `target` (eV/Å)."""
        return None if self.errors is None else float((self.errors <= target).mean())


@dataclass(frozen=True, eq=False)
class WalkerSeries:
    """One walker along its way: arrays of one length.

    time (ps), bound (largest error bound over atoms, eV/Å), kinetic (kinetic temperature, K);
    `temperature` is the set one, K.
    """

    walker: int
    temperature: float
    time: FloatArray
    bound: FloatArray
    kinetic: FloatArray


@dataclass(frozen=True, eq=False)
class AuditSeries:
    """The audit after each of its structures: fraction of atoms within the target, with its interval.

    Each value is over the last `window` audits, since the model that they judge improves meanwhile.
    """

    window: int
    calls: FloatArray
    fraction: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class CostSeries:
    """Cumulative wall time in s against oracle calls: `parts[name]` has the length of `calls`."""

    calls: FloatArray
    parts: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Portrait:
    """A structure to be drawn: error bounds and true errors per atom in eV/Å (errors None if unlabelled)."""

    call: int
    title: str
    structure: Structure
    bounds: FloatArray
    errors: FloatArray | None


@dataclass(frozen=True)
class AuditNumbers:
    """The audit as the run states it: eV/Å and fractions of atoms.

    `fraction_within` the target, with its two-sided `interval` and one-sided `lower_bound`; `coverage` is the
    fraction inside their predicted bounds. `energy_rmse` is per atom (eV), `energy_within` the fraction of energies
    within two stated standard deviations, `energy_ratio` their root mean square error over that stated.
    """

    n_structures: int
    force_rmse: float | None = None
    force_error_quantile: float | None = None
    fraction_within: float | None = None
    interval: tuple[float, float] | None = None
    lower_bound: float | None = None
    coverage: float | None = None
    energy_rmse: float | None = None
    energy_within: float | None = None
    energy_ratio: float | None = None


@dataclass(frozen=True)
class WalkedRow:
    """What was walked (ps) and audited from one start (counted from 1) at one temperature (K).

    `within` is the share of audited atoms within the target, None without an audit; `blind_audits` are no evidence,
    since their forces vanish by symmetry; walkers `dissociated`, or their cell `flowed`. `bounds_held` is the share of
    audited atoms whose error was within the bound stated beforehand.
    """

    start: int = 0
    formula: str = ""
    temperature: float = 0.0
    walked_ps: float = 0.0
    audits: int = 0
    atoms: int = 0
    within: float | None = None
    blind_audits: int = 0
    dissociated: int = 0
    flowed: int = 0
    bounds_held: float | None = None


@dataclass(frozen=True)
class ForecastNumbers:
    """The force RMSE now and after further calls: (calls, error, low, high), eV/Å; `words` say the same."""

    words: str
    error: float
    ahead: tuple[tuple[int, float, float, float], ...]


@dataclass(frozen=True)
class RunNumbers:
    """The run's `summary.json`, typed; None where it is not known yet.

    `findings` are lines on labels that do not hold together, `advice` on what keeps the run from its target,
    `basis_choices` on looks for a better basis.
    `certificate` holds the numbers that the run certifies (`lower_bound`, `fraction_within`, `n_structures`, ...),
    empty without one. `calibration_factor` is per element.
    """

    oracle_calls: int = 0
    audit_calls: int = 0
    failed_calls: int = 0
    iterations: int = 0
    n_labels: int = 0
    n_features: int | None = None
    md_steps: int = 0
    force_error: float | None = None
    confidence: float | None = None
    audit: AuditNumbers | None = None
    calibration_factor: dict[str, float] = field(default_factory=dict)
    calibration_coverage: float | None = None
    stop_reason: str = ""
    stop_message: str = ""
    certificate: dict[str, float] = field(default_factory=dict)
    timing: dict[str, float] = field(default_factory=dict)
    model_path: str = ""
    properties: PropertyResults = field(default_factory=PropertyResults)
    walked: tuple[WalkedRow, ...] = ()
    findings: tuple[str, ...] = ()
    forecast: ForecastNumbers | None = None
    advice: tuple[str, ...] = ()
    basis_choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class VolumesMet:
    """Volumes (Å³ per atom) of the `n` structures that walkers of one temperature (K) asked about."""

    temperature: float
    n: int
    lowest: float
    mean: float
    highest: float


@dataclass(frozen=True, eq=False)
class ReportData:
    """One run, ready to be drawn.

    `config` is the settings as YAML text, `config_changes` rows (when, what) at resumes,
    `events` rows (when, line) of the conversation.
    """

    title: str
    system: str
    oracle: str
    folder: str
    started: str
    updated: str
    version: str
    summary: RunNumbers
    time_explored: float | None = None
    questions: tuple[AskedQuestion, ...] = ()
    pending: int = 0
    handed_waiting: tuple[str, ...] = ()
    walkers: tuple[WalkerSeries, ...] = ()
    volumes: tuple[VolumesMet, ...] = ()
    audit_series: AuditSeries | None = None
    cost: CostSeries | None = None
    portraits: tuple[Portrait, ...] = ()
    config: str = ""
    config_changes: tuple[tuple[str, str], ...] = ()
    events: tuple[tuple[str, str], ...] = ()

    def of_kind(self, kind: str) -> tuple[AskedQuestion, ...]:
        """The questions of one kind, failures included."""
        return tuple(q for q in self.questions if q.kind == kind)

    @property
    def answered(self) -> tuple[AskedQuestion, ...]:
        """Questions with a label and with a prediction made before it was learned."""
        return tuple(q for q in self.questions if q.errors is not None)

    @property
    def failures(self) -> tuple[AskedQuestion, ...]:
        """Questions without a label."""
        return tuple(q for q in self.questions if q.failed)


def per_atom(questions: Iterable[AskedQuestion]) -> tuple[FloatArray, FloatArray]:
    """Bounds and errors of all atoms laid end to end, each shape (n,), eV/Å; finite, positive bounds only."""
    pairs = [(q.bounds, q.errors) for q in questions if q.bounds is not None and q.errors is not None]
    if not pairs:
        return np.zeros(0), np.zeros(0)
    bounds = np.concatenate([b for b, _ in pairs])
    errors = np.concatenate([e for _, e in pairs])
    keep = np.isfinite(bounds) & np.isfinite(errors) & (bounds > 0)
    return bounds[keep], errors[keep]


def running_median(values: FloatArray, window: int) -> FloatArray:
    """Median of each value and those before it, at most `window` of them, shape (n,)."""
    return np.array([np.median(values[max(0, k + 1 - window) : k + 1]) for k in range(len(values))])


def reliability(bounds: FloatArray, errors: FloatArray, confidence: float, levels: FloatArray) -> FloatArray:
    """Observed fraction of atoms inside their bound, when the bound is restated at other confidences.

    Bounds are stated at `confidence` alone. To other levels they are carried by the shape of a Gaussian
    error in three dimensions: |error| is then chi-distributed with 3 degrees of freedom, so that
    bound(level) = bound · chi3⁻¹(level) / chi3⁻¹(confidence). At level = confidence no shape is assumed.

    Parameters
    ----------
    bounds, errors : shape (n,), eV/Å
    levels : shape (m,), in (0, 1)

    Returns
    -------
    float64 ndarray, shape (m,)
    """
    from scipy.stats import chi

    scale = chi.ppf(levels, 3) / chi.ppf(confidence, 3)
    ratio = np.sort(errors / bounds)
    inside: FloatArray = np.searchsorted(ratio, scale, side="right") / len(ratio)
    return inside

"""What the run has shown, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.report.data import ReportData
from thalweg.units import GPa

CERTIFIED, RUNNING, OPEN = "certified", "running", "open"


@dataclass(frozen=True)
class Headline:
    """`state` is certified, running or open (ended without a certificate); the sentences are plain text."""

    state: str
    badge: str
    claim: str
    why: str


def verdict(data: ReportData) -> Headline:
    """The verdict on a run in its present state."""
    state = _state(data)
    badge = {CERTIFIED: "✓ certified", RUNNING: "● running", OPEN: "○ not certified"}[state]
    return Headline(state, badge, _claim(data, state), _why(data))


def _state(data: ReportData) -> str:
    if not data.summary.stop_reason:
        return RUNNING
    return CERTIFIED if data.summary.certificate else OPEN


def _where(data: ReportData) -> str:
    """Where the atoms were met that the claim speaks of: as far as audits went."""
    rows = data.summary.walked
    audited = [row for row in rows if row.audits]
    if audited:
        temperatures = sorted({row.temperature for row in audited})
        starts, all_starts = len({row.start for row in audited}), len({row.start for row in rows})
    else:
        temperatures, starts, all_starts = sorted({w.temperature for w in data.walkers}), 1, 1
    if not temperatures:
        return ""
    low, high = temperatures[0], temperatures[-1]
    met = f" met at {low:.0f} K" if low == high else f" met at {low:.0f}–{high:.0f} K"
    if all_starts == 1:
        return met
    return f"{met} from {'all' if starts == all_starts else f'{starts} of'} {all_starts} starts"


def _claim(data: ReportData, state: str) -> str:
    s = data.summary
    if s.force_error is None or s.confidence is None:
        return "The run has just started: nothing has been measured yet."
    wanted = (
        f"{100 * s.confidence:g} % of atoms{_where(data)} have a force error below {s.force_error:g} eV/Å"
    )
    found = _found(data)
    if not found:
        return f"Target: {wanted}. Nothing is certified yet: no audit has been labelled."
    if state == CERTIFIED:
        return f"{wanted}: {found}."
    return f"Not certified{' yet' if state == RUNNING else ''} that {wanted}: {found}."


def _found(data: ReportData) -> str:
    """What the audit says; "" without one. A certificate speaks of its own audits, not of the whole run's."""
    numbers, audit = data.summary.certificate, data.summary.audit
    if {"n_structures", "fraction_within", "lower_bound"} <= numbers.keys():
        n, fraction, low = int(numbers["n_structures"]), numbers["fraction_within"], numbers["lower_bound"]
    elif audit is not None and audit.fraction_within is not None:
        n, fraction, low = audit.n_structures, audit.fraction_within, audit.lower_bound or 0.0
    else:
        return ""
    least = f" (at least {100 * low:.1f} %)" if low > 0 else ""
    structures = "1 structure" if n == 1 else f"{n} structures"
    return f"the audit of {structures} found {100 * fraction:.1f} %{least}{_stress(numbers)}"


def _stress(certificate: dict[str, float]) -> str:
    """What a certificate says of the stress; "" where there was none."""
    if not {"stress_error", "stress_lower_bound", "stress_rmse"} <= certificate.keys():
        return ""
    error, rmse = certificate["stress_error"] / GPa, certificate["stress_rmse"] / GPa
    return (
        f", and at least {100 * certificate['stress_lower_bound']:.1f} % of stress components within {error:.3g} GPa "
        f"(RMSE {rmse:.2g} GPa)"
    )


def _why(data: ReportData) -> str:
    s = data.summary
    if s.stop_reason:
        return f"Why it stopped: {(s.stop_message or s.stop_reason).rstrip('.')}."
    if not s.n_labels:
        return "No label has been learned yet. Make the report again later to see how the run goes."
    return (
        f"The run is in progress, or was interrupted: {s.oracle_calls} calls so far, {data.pending} questions open. "
        "The command that started it continues from here."
    )

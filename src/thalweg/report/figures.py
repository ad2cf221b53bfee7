"""The page's figures of what the model learned: each a `<figure>`, or "" where there is nothing to show.

Audits wear the page's one accent colour, because they are the unbiased ones; everything else is ink and grey.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from thalweg.report.data import (
    AUDIT,
    HANDED,
    QUERY,
    SEED,
    AskedQuestion,
    ForecastNumbers,
    ReportData,
    per_atom,
    reliability,
    running_median,
)
from thalweg.report.plot import Axis, Chart, log_ends

WIDE, NORMAL = (1140, 380), (560, 340)
MAX_DOTS = 3000
"""Points drawn in one scatter; more are thinned evenly, and the caption says so."""

KINDS = ((SEED, "seeds"), (QUERY, "queries"), (AUDIT, "audits"), (HANDED, "handed in"))
FORCE = "eV/Å"


def figure(title: str, body: str, caption: str, legend: Sequence[tuple[str, str]] = ()) -> str:
    """A titled figure; `legend` rows are (class of the swatch, words)."""
    keys = "".join(f'<span><i class="key {css}"></i>{escape(words)}</span>' for css, words in legend)
    return (
        f"<figure><h3>{escape(title)}</h3>"
        + (f'<div class="legend">{keys}</div>' if keys else "")
        + f"{body}<figcaption>{caption}</figcaption></figure>"
    )


def _both_widths(draw: Callable[[tuple[int, int]], Chart]) -> str:
    wide, narrow = draw(WIDE).svg(), draw(NORMAL).svg()
    return f'<div class="only-wide">{wide}</div><div class="only-narrow">{narrow}</div>'


def call_axis(data: ReportData, ahead: int = 0) -> Axis:
    """The axis that all figures over the run share; `ahead` calls are yet to come."""
    last = max([q.call for q in data.questions] + [data.summary.oracle_calls, 1]) + ahead
    return Axis("oracle calls", 0.0, last * 1.02 + 0.5, whole=True)


def _tip(q: AskedQuestion) -> str:
    who = f"walker {q.walker}, " if q.walker is not None else ""
    when = f"{q.time:.3g} ps, " if q.time is not None else ""
    return (
        f"call {q.call} ({q.kind}): {who}{when}off by {q.error_max:.3g} {FORCE} at worst, "
        f"{q.error_rms:.3g} rms"
    )


# ---- learning -----------------------------------------------------------------------------------------


def learning_curve(data: ReportData) -> str:
    """Largest force error of every answer, before it was learned, against calls."""
    answered = data.answered
    if not answered:
        return ""
    worst = np.array([q.error_max for q in answered])
    target = data.summary.force_error
    forecast = data.summary.forecast
    ends = [v for _, *values in forecast.ahead for v in values] if forecast else []
    low, high = log_ends(worst, *([target] if target else []), *ends)

    def draw(size: tuple[int, int]) -> Chart:
        axis = Axis(f"largest force error / {FORCE}", low, high, log=True)
        calls = call_axis(
            data, ahead=max((calls for calls, *_ in forecast.ahead), default=0) if forecast else 0
        )
        chart = Chart(calls, axis, "Learning curve: force error of every answer", size)
        for kind, _ in KINDS:
            rows = [q for q in answered if q.kind == kind]
            if not rows:
                continue
            x, y = np.array([q.call for q in rows]), np.array([q.error_max for q in rows])
            chart.dots(x, y, f"dots {kind}", [_tip(q) for q in rows], [q.call for q in rows])
            if kind != SEED and len(rows) >= 5:
                chart.line(x, running_median(y, 11), f"line {kind}")
        if target:
            chart.level(target, f"target {target:g} {FORCE}")
        if forecast:
            _draw_forecast(chart, data.summary.oracle_calls, forecast)
        return chart

    legend = [(f"dot {kind}", words) for kind, words in KINDS if any(q.kind == kind for q in answered)]
    return figure(
        "Learning curve",
        _both_widths(draw),
        "Largest force error of any atom in each answer: the oracle's forces against the prediction made "
        "before that answer was learned. Queries are chosen where the model is least sure, so they stay "
        "hard as the model improves; audits are drawn at random and show what a user of the potential meets. "
        f"Lines: running medians of 11 answers.{_forecast_words(forecast)}",
        [
            *legend,
            ("stroke query", "running median"),
            *([("stroke forecast", "forecast of the force RMSE")] if forecast else []),
        ],
    )


def _draw_forecast(chart: Chart, calls: int, forecast: ForecastNumbers) -> None:
    """The force RMSE now and after further calls, with its interval."""
    x = [calls, *(calls + more for more, *_ in forecast.ahead)]
    chart.line(x, [forecast.error, *(error for _, error, _, _ in forecast.ahead)], "line forecast")
    chart.bars(x[1:], [one[2] for one in forecast.ahead], [one[3] for one in forecast.ahead], "bar forecast")


def _forecast_words(forecast: ForecastNumbers | None) -> str:
    return f" Forecast, with 80 % intervals: {escape(forecast.words)}." if forecast else ""


# ---- calibration --------------------------------------------------------------------------------------


def calibration_scatter(data: ReportData) -> str:
    """Error bound against true error, one dot per atom."""
    answered = data.answered
    bounds, errors = per_atom(answered)
    if not len(bounds):
        return ""
    low, high = log_ends(np.concatenate([bounds, errors]))
    low = max(low, high / 1e5)
    stride = max(1, -(-len(bounds) // MAX_DOTS))
    chart = Chart(
        Axis(f"error bound / {FORCE}", low, high, log=True),
        Axis(f"true force error / {FORCE}", low, high, log=True),
        "Calibration: predicted error bound against true force error, per atom",
        (560, 440),
    )
    for kind, _ in KINDS:
        b, e = per_atom(q for q in answered if q.kind == kind)
        chart.dots(b[::stride], e[::stride], f"dots small {kind}")
    chart.line([low, high], [low, high], "diagonal")
    chart.note(high, high, "error = bound", "end", dy=16)
    inside = float((errors <= bounds).mean())
    thinned = f" One atom in {stride} is drawn." if stride > 1 else ""
    legend = [(f"dot small {kind}", words) for kind, words in KINDS if any(q.kind == kind for q in answered)]
    return figure(
        "Does the error bound hold?",
        chart.svg(),
        f"{100 * inside:.1f} % of {len(bounds)} atoms lie below the diagonal, where the true error is inside "
        f"the bound stated before the oracle was asked{_stated(data)}.{thinned}{_factors(data)}",
        legend,
    )


def _stated(data: ReportData) -> str:
    confidence = data.summary.confidence
    return f"; the bound is stated at {100 * confidence:g} %" if confidence else ""


def _factors(data: ReportData) -> str:
    factors = data.summary.calibration_factor
    if not factors:
        return ""
    words = ", ".join(f"{escape(element)} {factor:.3g}" for element, factor in factors.items())
    return f" Calibration factors, from the committee's deviation to the bound: {words}."


def reliability_curve(data: ReportData) -> str:
    """Stated confidence against observed coverage, of all answers and of audits alone."""
    confidence = data.summary.confidence
    bounds, errors = per_atom(data.answered)
    if confidence is None or not len(bounds):
        return ""
    levels = np.linspace(0.02, 0.995, 80)
    chart = Chart(
        Axis("stated confidence", 0.0, 1.0, percent=True),
        Axis("observed coverage", 0.0, 1.0, percent=True),
        "Reliability: stated confidence against observed coverage",
        (560, 440),
    )
    chart.line([0, 1], [0, 1], "diagonal")
    chart.line(levels, reliability(bounds, errors, confidence, levels), "line query")
    words = [f"{100 * float((errors <= bounds).mean()):.1f} % of all atoms answered"]
    chart.dots([confidence], [float((errors <= bounds).mean())], "dots big query", ["all answers"])
    b, e = per_atom(data.of_kind(AUDIT))
    legend = [("stroke query", "all answers")]
    if len(b):
        chart.line(levels, reliability(b, e, confidence, levels), "line audit")
        chart.dots([confidence], [float((e <= b).mean())], "dots big audit", ["audits"])
        words.append(f"{100 * float((e <= b).mean()):.1f} % of audited atoms")
        legend.append(("stroke audit", "audits"))
    return figure(
        "Does the stated confidence hold?",
        chart.svg(),
        f"At the run's confidence of {100 * confidence:g} % the bound held for {' and '.join(words)} (large "
        "dots; no assumption). The curves scale the bound to other confidences, assuming Gaussian "
        "errors. Above the diagonal the bounds are cautious, below it they are too narrow.",
        legend,
    )


# ---- audit --------------------------------------------------------------------------------------------


def audit_curve(data: ReportData) -> str:
    """Fraction of audited atoms within the target, with its interval, against calls."""
    series, summary = data.audit_series, data.summary
    if series is None or not len(series.calls):
        return ""
    bottom = min([float(np.nanmin(series.low)), (summary.confidence or 1.0) - 0.05])
    chart = Chart(
        call_axis(data),
        Axis("atoms within the target", max(0.0, np.floor(bottom * 20) / 20), 1.0, percent=True),
        "Audit: fraction of atoms within the target against oracle calls",
        NORMAL,
    )
    chart.band(series.calls, series.low, series.high, "band audit")
    chart.line(series.calls, series.fraction, "line audit")
    tips = [
        f"after {int(c)} calls: {100 * f:.1f} % ({100 * a:.1f} to {100 * b:.1f} %)"
        for c, f, a, b in zip(series.calls, series.fraction, series.low, series.high, strict=True)
    ]
    chart.dots(series.calls, series.fraction, "dots small audit", tips)
    if summary.confidence:
        chart.level(summary.confidence, f"asked for: {100 * summary.confidence:g} %")
    return figure(
        "Audit: fraction of atoms within the target",
        chart.svg(),
        "Structures drawn at random from the trajectories, not by uncertainty: the fraction of their atoms "
        f"within the target over the last {series.window} audits, with its two-sided 80 % interval. The "
        "certificate is stricter: it is corrected for repeated looks at the audits.",
        [("dot audit", "audited atoms within the target"), ("swatch audit", "interval")],
    )


def audit_errors(data: ReportData) -> str:
    """Median to largest force error of each audited structure."""
    audits = [q for q in data.of_kind(AUDIT) if q.errors is not None]
    if not audits:
        return ""
    x = np.array([q.call for q in audits])
    worst = np.array([q.error_max for q in audits])
    median = np.array([float(np.median(q.errors)) for q in audits if q.errors is not None])
    target = data.summary.force_error
    low, high = log_ends(np.concatenate([worst, median]), *([target] if target else []))
    chart = Chart(
        call_axis(data),
        Axis(f"force error / {FORCE}", low, high, log=True),
        "Audited structures: median and largest force error",
        NORMAL,
    )
    chart.bars(x, median, worst, "bar audit")
    chart.dots(
        x,
        median,
        "dots small query",
        [f"call {q.call}: median {m:.3g} {FORCE}" for q, m in zip(audits, median, strict=True)],
    )
    chart.dots(x, worst, "dots audit", [_tip(q) for q in audits], [q.call for q in audits])
    if target:
        chart.level(target, f"target {target:g} {FORCE}", "end")
    return figure(
        "Each audited structure",
        chart.svg(),
        "From the median to the largest force error among the atoms of each structure.",
        [("dot audit", "largest"), ("dot small query", "median")],
    )

"""The page's figures of what the run did: its cost, and its walkers' uncertainty and temperature."""

from __future__ import annotations

import numpy as np

from thalweg.report.data import QUERY, ReportData
from thalweg.report.figures import FORCE, NORMAL, call_axis, figure
from thalweg.report.plot import Axis, Chart, log_ends
from thalweg.report.tables import plain_table
from thalweg.structure import FloatArray


def cost_curve(data: ReportData) -> str:
    """Cumulative wall time by what it was spent on, stacked, against calls."""
    cost = data.cost
    if cost is None or len(cost.calls) < 2:
        return ""
    total = np.sum(list(cost.parts.values()), axis=0)
    unit, scale = _time_unit(float(total[-1]))
    chart = Chart(
        call_axis(data),
        Axis(f"wall time / {unit}", 0.0, max(float(total[-1]) / scale, 1e-9) * 1.05),
        "Cost: cumulative wall time against oracle calls",
        NORMAL,
    )
    floor: FloatArray = np.zeros(len(cost.calls))
    for name, seconds in cost.parts.items():
        chart.band(cost.calls, floor / scale, (floor + seconds) / scale, f"area {name}")
        floor = floor + seconds
    return figure(
        "Cost over time",
        chart.svg(),
        "Cumulative wall time since the start, by what it was spent on; time between an interruption and "
        "the next start is not counted.",
        [(f"swatch {name}", name) for name in cost.parts],
    )


def _time_unit(seconds: float) -> tuple[str, float]:
    if seconds > 7200:
        return "h", 3600.0
    return ("min", 60.0) if seconds > 300 else ("s", 1.0)


def oracle_times(data: ReportData) -> str:
    """Wall time of each call."""
    timed = [q for q in data.questions if q.oracle_time is not None and q.oracle_time > 0]
    if not timed:
        return ""
    seconds = np.array([q.oracle_time for q in timed], dtype=float)
    failed = np.array([q.failed for q in timed])
    calls = [q.call for q in timed]
    low, high = log_ends(seconds)
    chart = Chart(
        call_axis(data),
        Axis("oracle time / s", low, high, log=True),
        "Oracle time of each call",
        NORMAL,
    )
    tips = [f"call {q.call} ({q.outcome.replace('_', ' ')}): {q.oracle_time:.3g} s" for q in timed]
    for css, rows in (("dots query", np.flatnonzero(~failed)), ("dots failed", np.flatnonzero(failed))):
        x = [calls[k] for k in rows]
        chart.dots(x, seconds[rows], css, [tips[k] for k in rows], x)
    legend = [("dot query", "label")] + ([("dot failed", "failure")] if data.failures else [])
    return figure(
        "Oracle time of each call",
        chart.svg(),
        f"Median {float(np.median(seconds)):.3g} s, longest {float(seconds.max()):.3g} s.",
        legend,
    )


def walker_uncertainty(data: ReportData, most: int = 8) -> str:
    """Largest error bound of each walker along its way, one strip each on common axes."""
    walkers = [w for w in data.walkers if len(w.time)]
    if not walkers:
        return ""
    target = data.summary.force_error
    every = np.concatenate([w.bound for w in walkers])
    low, high = log_ends(every, *([target] if target else []))
    end = max(float(w.time.max()) for w in walkers) or 1.0
    strips = []
    for w in walkers[:most]:
        name = f"walker {w.walker}, {w.temperature:g} K"
        chart = Chart(
            Axis("time / ps", 0.0, end * 1.02),
            Axis(f"bound / {FORCE}", low, high, log=True),
            name,
            (560, 190),
        )
        chart.line(w.time, w.bound, "line walker")
        chart.note(0.0, high, name, dy=12)
        if target:
            chart.level(target, "target", "end")
        strips.append(chart.svg())
    rest = f" The first {most} of {len(walkers)} walkers are drawn." if len(walkers) > most else ""
    return figure(
        "Error bound along each walk",
        f'<div class="strips">{"".join(strips)}</div>',
        "Largest error bound over the atoms. Where it crosses the limit the walker pauses and the oracle is "
        f"asked.{rest}",
    )


def temperature_check(data: ReportData) -> str:
    """Mean kinetic temperature of each walker beside the one it was set to."""
    rows = [(w, *_mean_and_error(w.kinetic)) for w in data.walkers if np.isfinite(w.kinetic).any()]
    if not rows:
        return ""
    ends = [v for w, mean, error in rows for v in (w.temperature, mean - error, mean + error)]
    pad = max(0.1 * (max(ends) - min(ends)), 20.0)
    chart = Chart(
        Axis("walker", -0.6, len(rows) - 0.4, whole=True),
        Axis("temperature / K", min(ends) - pad, max(ends) + pad),
        "Kinetic temperature of the walkers against the set temperature",
        NORMAL,
    )
    x = np.arange(len(rows))
    mean, error = np.array([r[1] for r in rows]), np.array([r[2] for r in rows])
    chart.bars(x, mean - error, mean + error, "bar audit")
    tips = [f"walker {w.walker}: {m:.0f} ± {e:.0f} K, set to {w.temperature:g} K" for w, m, e in rows]
    chart.dashes(x, [w.temperature for w, _, _ in rows], "dash")
    chart.dots(x, mean, "dots audit", tips)
    return figure(
        "Kinetic temperature of the walkers",
        chart.svg(),
        "Mean kinetic temperature along each walk with twice its standard error (samples taken as "
        "independent), and the temperature that was set.",
        [("dot audit", "mean kinetic"), ("stroke dash", "set")],
    )


def walker_table(data: ReportData) -> str:
    """The walkers in numbers."""
    rows = []
    for w in data.walkers:
        asked = sum(q.walker == w.walker and q.kind == QUERY for q in data.questions)
        mean, error = _mean_and_error(w.kinetic)
        time = f"{w.time.max():.4g}" if len(w.time) else "0"
        last = f"{w.bound[-1]:.3g}" if len(w.bound) else ""
        heat = f"{mean:.0f} ± {error:.0f}" if np.isfinite(mean) else ""
        rows.append((str(w.walker), time, f"{w.temperature:g}", heat, str(asked), last))
    if not rows:
        return ""
    header = ("walker", "walked, ps", "set, K", "mean kinetic, K", "queries", "last bound, eV/Å")
    return f"<div><h3>Walkers in numbers</h3>{plain_table(header, rows)}</div>"


def _mean_and_error(values: FloatArray) -> tuple[float, float]:
    v = values[np.isfinite(values)]
    if not len(v):
        return float("nan"), float("nan")
    error = 2.0 * float(v.std(ddof=1)) / np.sqrt(len(v)) if len(v) > 1 else 0.0
    return float(v.mean()), float(error)

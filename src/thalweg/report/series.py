"""Curves over the run, from its questions and from the numbers it wrote down at each iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.loop.deciding.audit_record import AuditRecord, Target, summarise_audits
from thalweg.report.data import AUDIT, AskedQuestion, AuditSeries, CostSeries, WalkerSeries
from thalweg.store import MetricsRecord

AUDIT_WINDOW = 20
"""Audits over which the running fraction is taken."""

COST_PARTS = ("oracle", "explore", "fit", "other")
MAX_POINTS = 800
"""Points of one walker's curve; longer ones keep the largest bound of each stretch."""


def audit_series(
    questions: Sequence[AskedQuestion], force_error: float | None, confidence: float | None
) -> AuditSeries | None:
    """Fraction of atoms within `force_error` (eV/Å) after each audit; None before the second audit."""
    audits = [(q.call, q.errors, q.bounds) for q in questions if q.kind == AUDIT]
    records = [
        (call, AuditRecord(0, tuple(errors), tuple(bounds)))
        for call, errors, bounds in audits
        if errors is not None and bounds is not None
    ]
    if force_error is None or confidence is None or len(records) < 2:
        return None
    target, rows = Target(force_error, confidence), []
    for k in range(2, len(records) + 1):
        window = [record for _, record in records[max(0, k - AUDIT_WINDOW) : k]]
        summary = summarise_audits(window, target)
        if summary is not None:
            rows.append((float(records[k - 1][0]), summary.fraction_within, *summary.interval))
    calls, fraction, low, high = np.array(rows).T
    return AuditSeries(AUDIT_WINDOW, calls, fraction, low, high)


def cost_series(metrics: Sequence[MetricsRecord]) -> CostSeries | None:
    """Cumulative wall time against calls; None before two iterations wrote theirs."""
    rows = [m.values for m in metrics if "oracle_calls" in m.values and m.values.get("timing")]
    if len(rows) < 2:
        return None
    calls = np.array([0.0] + [float(row["oracle_calls"]) for row in rows])
    parts = {
        name: np.array([0.0] + [float(row["timing"].get(name, 0.0)) for row in rows]) for name in COST_PARTS
    }
    return CostSeries(calls, parts)


def walker_series(metrics: Sequence[MetricsRecord]) -> tuple[WalkerSeries, ...]:
    """Each walker along its way."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for m in metrics:
        for walker in m.values.get("walkers") or ():
            rows.setdefault(int(walker["index"]), []).append(walker)
    return tuple(_walker(index, rows[index]) for index in sorted(rows))


def _walker(index: int, rows: list[dict[str, Any]]) -> WalkerSeries:
    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([np.nan if row.get(name) is None else float(row[name]) for row in rows])

    time, bound, kinetic = column("time"), column("bound"), column("kinetic_temperature")
    stretch = -(-len(time) // MAX_POINTS)
    if stretch > 1:
        starts = np.arange(0, len(time), stretch)
        time, bound, kinetic = time[starts], np.fmax.reduceat(bound, starts), kinetic[starts]
    return WalkerSeries(index, float(rows[-1].get("temperature") or 0.0), time, bound, kinetic)

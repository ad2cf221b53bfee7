"""The end of a run, and its state from outside: what is certified, what it cost, where everything lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from thalweg.cli.output import duration
from thalweg.properties.results import PropertyResults
from thalweg.units import GPa, meV


def summary_panel(summary: Mapping[str, Any], folder: Path) -> RenderableType:
    """A panel for the data of `summary.json`; keys that are not there (yet) are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text in (
        *_verdict(summary),
        *_quality(summary),
        *_forecast(summary),
        *_advice(summary),
        *_labels(summary),
        *_basis(summary),
        *_properties(summary),
        *_cost(summary),
        *_places(summary, folder),
    ):
        table.add_row(heading, Text(text))
    reached = (summary.get("stop") or {}).get("reason") == "target"
    return Panel(table, title="summary", title_align="left", border_style="green" if reached else "yellow")


def _verdict(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    stop = summary.get("stop") or {}
    if stop.get("message"):
        yield "stopped", str(stop["message"])


def _quality(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    target, audit, calibration = (summary.get(key) or {} for key in ("target", "audit", "calibration"))
    if audit.get("n_structures"):
        if _number(audit.get("force_rmse")):
            count, rmse = audit["n_structures"], audit["force_rmse"]
            yield "audit", f"{count} random structures, force RMSE {rmse:.3f} eV/Å"
        if _number(audit.get("force_error_quantile")) and target:
            share, quantile = target["confidence"], audit["force_error_quantile"]
            yield "", f"{share:.0%} of atoms below {quantile:.3f} eV/Å (target: {target['force_error']:g})"
        others = []
        if _number(audit.get("energy_rmse")):
            others.append(f"energy RMSE {audit['energy_rmse'] / meV:.1f} meV/atom")
        if _number(audit.get("energy_within")):
            others.append(f"{audit['energy_within']:.0%} of energies within 2 stated standard deviations")
        if _number(audit.get("stress_rmse")):
            others.append(f"stress RMSE {audit['stress_rmse'] / GPa:.2f} GPa")
        if others:
            yield "", ", ".join(others)
        if all(_number(audit.get(key)) for key in ("volume_mean", "volume_min", "volume_max")):
            yield "", _volumes(audit)
        interval = audit.get("interval")
        if isinstance(interval, list | tuple) and len(interval) == 2 and all(map(_number, interval)):
            yield "", f"between {interval[0]:.1%} and {interval[1]:.1%} of atoms are within the target"
    if _number(calibration.get("coverage")):
        yield (
            "bounds",
            f"held for {calibration['coverage']:.1%} of the oracle's answers{_by_temperature(summary)}",
        )


def _by_temperature(summary: Mapping[str, Any]) -> str:
    """Where walkers have several temperatures, how far bounds held at each, over all audits."""
    walked = summary.get("walked")
    rows = [row for row in walked or () if _number(row.get("bounds_held")) and _number(row.get("atoms"))]
    words = []
    for temperature in sorted({row["temperature"] for row in rows}):
        here = [row for row in rows if row["temperature"] == temperature]
        held = sum(row["bounds_held"] * row["atoms"] for row in here) / sum(row["atoms"] for row in here)
        words.append(f"{held:.1%} at {temperature:.0f} K")
    return f" ({', '.join(words)})" if len(words) > 1 else ""


def _volumes(audit: Mapping[str, Any]) -> str:
    mean, lowest, highest = (audit[f"volume_{key}"] for key in ("mean", "min", "max"))
    return f"volumes met: {lowest:.2f} to {highest:.2f} Å³/atom, mean {mean:.2f}"


def _properties(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for line in PropertyResults.from_summary(summary.get("properties")).describe():
        yield "property", line


def _forecast(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What further calls would bring."""
    forecast = summary.get("forecast")
    if isinstance(forecast, dict) and forecast.get("words"):
        yield "forecast", str(forecast["words"])


def _advice(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps the run from its target."""
    advice = summary.get("advice")
    for one in advice if isinstance(advice, list) else ():
        if isinstance(one, dict) and one.get("text"):
            yield "advice", str(one["text"])


def _labels(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What does not hold together among the labels."""
    findings = summary.get("findings")
    for finding in findings if isinstance(findings, list) else ():
        if isinstance(finding, dict) and finding.get("words"):
            yield "labels", f"do not hold together: {finding['words']}"


def _basis(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was chosen of the basis by the labels, and why."""
    choices = summary.get("basis_choices")
    heading = "basis"
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("words"):
            yield heading, str(choice["words"])
            heading = ""


def _cost(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    calls = summary.get("oracle_calls")
    if calls is not None:
        audits, failed = summary.get("audit_calls", 0), summary.get("failed_calls", 0)
        yield (
            "oracle",
            f"{calls} calls ({audits} audits, {failed} failed), {summary.get('n_labels', 0)} labels",
        )
    if summary.get("md_steps"):
        yield "walked", f"{summary['md_steps']:,} MD steps in {summary.get('iterations', 0)} iterations"
    yield from _walked(summary.get("walked") or [])
    timing = summary.get("timing") or {}
    if _number(timing.get("wall")):
        parts = [
            f"{name} {duration(timing[name])}"
            for name in ("oracle", "explore", "fit")
            if _number(timing.get(name))
        ]
        yield "time", f"{duration(timing['wall'])} ({', '.join(parts)})"


_MOST_STARTS = 8
_ROW = {"start", "formula", "temperature", "walked_ps", "audits", "dissociated"}


def _walked(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """A line for each start: how far it was walked, where audits were made, how often it fell apart."""
    rows = [row for row in rows if row.keys() >= _ROW]  # a file may hold anything
    starts = sorted({row["start"] for row in rows})
    for start in starts[:_MOST_STARTS]:
        here = [row for row in rows if row["start"] == start]
        temperatures = [row["temperature"] for row in here]
        audits = sum(row["audits"] for row in here)
        text = f"start {start} ({here[0]['formula']}): {sum(row['walked_ps'] for row in here):.1f} ps "
        text += f"at {min(temperatures):.0f}-{max(temperatures):.0f} K, {audits} audits"
        if apart := sum(row["dissociated"] for row in here):
            text += f", fell apart {apart} times"
        yield "", text
    if len(starts) > _MOST_STARTS:
        yield "", f"and {len(starts) - _MOST_STARTS} other starts (summary.json)"


def _places(summary: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    yield "folder", str(folder)
    if summary.get("model_path"):
        yield "potential", str(folder / "model")
    yield "next", f"thalweg report {folder}; thalweg export {folder} --format extxyz"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

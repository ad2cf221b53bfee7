"""The live panel: calls against the budget, the audit's certificate against the target, walkers, clock."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from thalweg.cli.output import duration
from thalweg.loop.telling.reporter import Progress, WalkerProgress

_GAUGE_WIDTH = 28
_MOST_WALKERS = 12
"""Rows of the walkers' table; the ones with the largest bounds are shown when there are more."""


def progress_panel(progress: Progress | None, wall: float) -> RenderableType:
    """The panel for `progress`; `wall` is the wall time so far, s."""
    if progress is None:
        return Panel(Text("starting…", style="dim"), title="thalweg", title_align="left", border_style="blue")
    parts: list[RenderableType] = [_gauges(progress)]
    if progress.walkers:
        parts.append(_walkers(progress))
    if progress.forecast:
        parts.append(Text(progress.forecast, style="dim"))
    parts.append(_clock(progress, wall))
    title = f"thalweg, iteration {progress.iteration}"
    return Panel(Group(*parts), title=title, title_align="left", border_style="blue")


def _gauges(progress: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=max(progress.budget, 1), completed=progress.oracle_calls, width=_GAUGE_WIDTH)
    table.add_row(
        "oracle calls", bar, f"{progress.oracle_calls} of {progress.budget}, {progress.n_labels} labels"
    )
    if progress.within_target is None:
        table.add_row("certificate", Text("·" * _GAUGE_WIDTH, style="dim"), "no audit yet")
        return table
    low, high = progress.within_target
    share = f"{low:.1%} to {high:.1%} within {progress.target:g} eV/Å"
    table.add_row("certificate", gauge(low, high, progress.confidence), share)
    table.add_row("", "", f"wanted {progress.confidence:.0%} of atoms, {progress.audited} audits")
    return table


def gauge(low: float, high: float, wanted: float) -> Text:
    """A confidence interval of a share against the wanted share, drawn on the range that matters.

    The scale runs from twice the accepted share of misses below `wanted` to 1.
    """
    start = max(0.0, 1.0 - 3.0 * (1.0 - wanted))

    def column(share: float) -> int:
        return round((min(max(share, start), 1.0) - start) / (1.0 - start) * (_GAUGE_WIDTH - 1))

    style = "green" if low >= wanted else "red" if high < wanted else "yellow"
    cells = Text()
    for k in range(_GAUGE_WIDTH):
        inside = column(low) <= k <= column(high)
        if k == column(wanted):
            cells.append("┃", style="bold")
        else:
            cells.append("█" if inside else "·", style=style if inside else "dim")
    return cells


def _walkers(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for heading in ("walker", "T / K", "ps", "bound eV/Å", ""):
        table.add_column(heading, justify="left" if heading == "" else "right")
    shown = progress.walkers
    if len(shown) > _MOST_WALKERS:
        worst = sorted(shown, key=lambda w: -(w.bound or 0.0))[:_MOST_WALKERS]
        shown = tuple(sorted(worst, key=lambda w: w.index))
    for walker in shown:
        table.add_row(*_walker_cells(walker, progress.target))
    return table


def _walker_cells(walker: WalkerProgress, target: float) -> tuple[RenderableType, ...]:
    bound: RenderableType = "–"
    if walker.bound is not None:
        style = "green" if walker.bound <= target else "yellow" if walker.bound <= 2 * target else "red"
        bound = Text(f"{walker.bound:.2f}", style=style)
    time = f"{walker.time:.1f} / {walker.time_total:g}"
    return str(walker.index), f"{walker.temperature:.0f}", time, bound, Text(walker.state, style="dim")


def _clock(progress: Progress, wall: float) -> Text:
    spent = progress.timing
    split = f"oracle {duration(spent.oracle)}, explore {duration(spent.explore)}, fit {duration(spent.fit)}"
    rate = f"; {progress.steps_per_second:,.0f} MD steps/s" if progress.steps_per_second else ""
    return Text(f"{duration(wall)} ({split}){rate}; {progress.md_ps:.1f} ps walked", style="dim")

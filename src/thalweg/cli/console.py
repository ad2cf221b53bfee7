"""The conversation of a run: lines that scroll above a live panel, or plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from thalweg.cli.live import LiveConsole
from thalweg.cli.panel import progress_panel
from thalweg.cli.summary import summary_panel
from thalweg.loop.telling.reporter import EventKind, Progress

_STYLES: dict[str, str] = {
    EventKind.QUERY: "",
    EventKind.AUDIT: "cyan",
    EventKind.BACKTRACK: "yellow",
    EventKind.REJECT: "red",
    EventKind.PARTED: "yellow",
    EventKind.FAILURE: "red",
    EventKind.WARNING: "bold yellow",
    EventKind.ADVICE: "bold yellow",
    EventKind.STOP: "bold",
    EventKind.CHANGE: "magenta",
    EventKind.BASIS: "magenta",
    EventKind.RESUME: "magenta",
}


class ConsoleReporter(LiveConsole):
    """A Reporter on a console."""

    refresh, plain_interval = 2.0, 30.0

    _latest: Progress | None = None

    def event(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """One line of the conversation."""
        if not self._quiet or kind == EventKind.WARNING:
            style = _STYLES.get(kind, "dim")
            self._print(Text(text, style))

    def progress(self, progress: Progress) -> None:
        """Keep it for the panel; without a terminal, a line now and then."""
        self._latest = progress
        if self._line_is_due():
            self._print(Text(progress_line(progress)))

    def say(self, text: str) -> None:
        """A line that is shown even when quiet."""
        self._take_down()
        self._print(Text(text))

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """What is certified, what it cost, where everything lies."""
        self._take_down()
        self._print(summary_panel(summary, folder))

    def _panel(self) -> RenderableType:
        return progress_panel(self._latest, time.monotonic() - self._started)


def progress_line(progress: Progress) -> str:
    """Where the run stands, in one line."""
    parts = [
        f"iteration {progress.iteration}",
        f"{progress.oracle_calls}/{progress.budget} calls",
        f"{progress.n_labels} labels",
        f"{progress.md_ps:.1f} ps",
    ]
    if progress.bound is not None:
        parts.append(f"worst bound {progress.bound:.2f} eV/Å")
    if progress.within_target is not None:
        low, high = progress.within_target
        parts.append(f"audit: {low:.1%} to {high:.1%} of atoms within {progress.target:g} eV/Å")
    return " | ".join(parts)

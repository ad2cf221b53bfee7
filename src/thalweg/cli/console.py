"""The conversation of a run: lines that scroll above a live panel, or plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from thalweg.cli.failures import silence
from thalweg.cli.panel import progress_panel
from thalweg.cli.summary import summary_panel
from thalweg.loop.reporter import EventKind, Progress

_STYLES: dict[str, str] = {
    EventKind.QUERY: "",
    EventKind.LEARN: "green",
    EventKind.AUDIT: "cyan",
    EventKind.BACKTRACK: "yellow",
    EventKind.REJECT: "red",
    EventKind.FAILURE: "red",
    EventKind.WARNING: "bold yellow",
    EventKind.STOP: "bold",
    EventKind.CHANGE: "magenta",
    EventKind.RESUME: "magenta",
}

_REFRESH = 2.0
"""Redraws per second: more would take time from the walkers."""
_PLAIN_INTERVAL = 30.0
"""Seconds between progress lines where there is no terminal."""


class PatientConsole(Console):
    """A console that falls silent when its reader goes away: the run goes on."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process."""
        self.quiet = True
        silence(self.file)


class ConsoleReporter:
    """A Reporter on a console. Use as a context manager, so that the live panel is taken down at the end.

    It never raises: when its reader goes away (a closed pipe), the run goes on in silence.
    """

    def __init__(
        self, *, quiet: bool = False, to_stderr: bool = False, console: Console | None = None
    ) -> None:
        self._console = console or PatientConsole(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._latest: Progress | None = None
        self._last_line = time.monotonic()
        self._started = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> ConsoleReporter:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(
                get_renderable=self._panel, console=self._console, refresh_per_second=_REFRESH, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_down()

    def event(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """One line of the conversation."""
        if not self._quiet or kind == EventKind.WARNING:
            style = _STYLES.get(kind, "dim")
            self._print(Text(text, style))

    def progress(self, progress: Progress) -> None:
        """Keep it for the panel; without a terminal, a line now and then."""
        self._latest = progress
        now = time.monotonic()
        if self._live is None and not self._quiet and now - self._last_line > _PLAIN_INTERVAL:
            self._last_line = now
            self._print(Text(progress_line(progress)))

    def say(self, text: str) -> None:
        """A line that is shown even when quiet."""
        self._take_down()
        self._print(Text(text))

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """What is certified, what it cost, where everything lies."""
        self._take_down()
        self._print(summary_panel(summary, folder))

    def _panel(self) -> Any:
        return progress_panel(self._latest, time.monotonic() - self._started)

    def _print(self, what: Any) -> None:
        try:
            self._console.print(what)
        except OSError:  # for example a log on a full disk
            self._console.quiet = True

    def _take_down(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()


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

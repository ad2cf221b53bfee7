"""How verbs that take long talk: a live panel in a terminal, plain lines now and then without one."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from rich.console import Console, RenderableType
from rich.live import Live

from thalweg.cli.failures import silence


class PatientConsole(Console):
    """A console that falls silent when its reader goes away: the work goes on."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process."""
        self.quiet = True
        silence(self.file)


class LiveConsole(ABC):
    """Use as a context manager, so that the live panel is taken down at the end.

    It never raises: when its reader goes away (a closed pipe), the work goes on in silence.
    """

    refresh: ClassVar[float]
    """Redraws per second: more would take time from the work."""
    plain_interval: ClassVar[float]
    """Seconds between progress lines where there is no terminal."""

    def __init__(
        self, *, quiet: bool = False, to_stderr: bool = False, console: Console | None = None
    ) -> None:
        self._console = console or PatientConsole(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._started = self._last_line = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(
                get_renderable=self._panel,
                console=self._console,
                refresh_per_second=self.refresh,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_down()

    @abstractmethod
    def _panel(self) -> RenderableType:
        """What is live."""

    def _line_is_due(self) -> bool:
        """Whether a progress line is wanted now, which then counts as printed."""
        now = time.monotonic()
        if self._live is not None or self._quiet or now - self._last_line <= self.plain_interval:
            return False
        self._last_line = now
        return True

    def _print(self, what: RenderableType) -> None:
        try:
            self._console.print(what)
        except OSError:  # for example a log on a full disk
            self._console.quiet = True

    def _take_down(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

"""Sends the conversation to the reporter, the log file and, at the next checkpoint, the store.

Lines wait for the checkpoint, because a resumed run repeats, word for word, what it said after it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.loop.telling.metrics import IterationMetrics
from thalweg.loop.telling.reporter import EventKind, Progress, Reporter
from thalweg.store import Store, bounded_text

LOG_NAME = "thalweg.log"


@dataclass(frozen=True)
class _Line:
    """A line of the conversation that waits for the checkpoint; `data` says the same in numbers."""

    iteration: int
    kind: EventKind
    text: str
    data: Mapping[str, Any]


class Journal:
    """One voice for a run."""

    def __init__(self, store: Store, folder: Path, reporter: Reporter) -> None:
        self._store = store
        self._log = folder / LOG_NAME
        self._reporter = reporter
        self._lines: list[_Line] = []
        self._metrics: list[tuple[int, IterationMetrics]] = []

    def say(self, iteration: int, kind: EventKind, text: str, data: Mapping[str, Any] | None = None) -> None:
        """One line of the conversation."""
        text, data = bounded_text(text), dict(data or {})
        self._lines.append(_Line(iteration, kind, text, data))
        self._reporter.event(kind.value, text, data)
        # A full disk must not end a run over a line of its log: the store says so where it matters.
        with suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def measure(self, iteration: int, metrics: IterationMetrics) -> None:
        """Numbers of an iteration, for the report's curves."""
        self._metrics.append((iteration, metrics))

    def show(self, progress: Progress) -> None:
        """Where the run stands."""
        self._reporter.progress(progress)

    def write(self) -> None:
        """Put what was said since the last time into the store; to be called inside the checkpoint's transaction."""
        for line in self._lines:
            self._store.append_event(line.iteration, line.kind.value, line.text, line.data)
        for iteration, metrics in self._metrics:
            self._store.append_metrics(iteration, metrics.to_json())
        self._lines.clear()
        self._metrics.clear()

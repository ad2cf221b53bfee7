"""Measures where the wall time goes. The readings are shown and stored, and decide nothing but the wall-time budget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from thalweg.loop.timing import Timing

Part = Literal["oracle", "explore", "fit"]


class Stopwatch:
    """Adds to the times of earlier invocations."""

    def __init__(self, before: Timing) -> None:
        self._before = before
        self._start = time.perf_counter()
        self._parts: dict[Part, float] = {"oracle": 0.0, "explore": 0.0, "fit": 0.0}

    @contextmanager
    def __call__(self, part: Part) -> Iterator[None]:
        """Time what happens inside as `part`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._parts[part] += time.perf_counter() - start

    @property
    def running(self) -> float:
        """Seconds since this invocation began."""
        return time.perf_counter() - self._start

    @property
    def timing(self) -> Timing:
        """All invocations together, s."""
        before = self._before
        return Timing(
            oracle=before.oracle + self._parts["oracle"],
            explore=before.explore + self._parts["explore"],
            fit=before.fit + self._parts["fit"],
            wall=before.wall + self.running,
        )

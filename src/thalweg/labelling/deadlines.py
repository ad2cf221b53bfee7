"""A time limit for executors that have none: a late answer is dropped."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class _Watched:
    """A task, the future that stands for it, and when it was first seen running."""

    task: Future[Any]
    shown: Future[Any] = field(default_factory=Future)
    began: float | None = None


class Deadlines:
    """Watches tasks of foreign executors.

    Parameters
    ----------
    limit : float, s
        From when the executor says that a task runs. One that never says so, and never ends, is waited for: a queue
        may be long.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._watched: list[_Watched] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="thalweg-deadlines", daemon=True)
        self._thread.start()

    def watch(self, task: Future[Any]) -> Future[Any]:
        """A future with the task's outcome, or with TimeoutError where that came too late."""
        one = _Watched(task)
        one.shown.set_running_or_notify_cancel()
        with self._lock:
            self._watched.append(one)
        task.add_done_callback(lambda _: self._settle(one, None))
        return one.shown

    def close(self) -> None:
        """Watch no longer."""
        self._closing.set()

    def _watch(self) -> None:
        while not self._closing.wait(min(0.2, self.limit / 5)):
            now = time.monotonic()
            with self._lock:
                running = list(self._watched)
            for one in running:
                if one.began is None and one.task.running():
                    one.began = now
                if one.began is not None and now - one.began > self.limit:
                    one.task.cancel()
                    self._settle(one, TimeoutError(f"no answer within the time limit of {self.limit:g} s"))

    def _settle(self, one: _Watched, late: TimeoutError | None) -> None:
        """Give the outcome once: whatever comes second is dropped."""
        with self._lock:
            if one not in self._watched:
                return
            self._watched.remove(one)
        if late is not None:
            one.shown.set_exception(late)
        elif one.task.cancelled():
            one.shown.set_exception(InterruptedError("the call was cancelled"))
        elif (error := one.task.exception()) is not None:
            one.shown.set_exception(error)
        else:
            with suppress(Exception):
                one.shown.set_result(one.task.result())

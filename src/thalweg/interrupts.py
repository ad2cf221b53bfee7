"""Ctrl-C and its like held back where an interruption would lose what has been paid for.

    with held():            signals wait until the end of the block
        with let_through(): except in here, until `answered()` is called
            answer = ...

Python runs handlers of signals in the main thread alone; in any other these blocks do nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""By which people, batch systems and closing terminals end a run."""


class _Gate:
    """Handlers as they were, whether signals pass now, and the signals that wait."""

    def __init__(self) -> None:
        self.handlers = {number: signal.getsignal(number) for number in INTERRUPTS}
        self.open = False
        self.waiting: list[int] = []

    def close(self) -> None:
        """Hold signals back whose handler is Python's; those that end the process at once do so."""
        for number, handler in self.handlers.items():
            if callable(handler):
                signal.signal(number, self._came)

    def remove(self) -> None:
        """Set the handlers back."""
        for number, handler in self.handlers.items():
            if callable(handler):
                signal.signal(number, handler)

    def deliver(self) -> None:
        """Let the first signal that waits through; others said the same."""
        if self.waiting:
            number, self.waiting = self.waiting[0], []
            self._pass(number, None)

    def _came(self, number: int, frame: Any) -> None:
        if self.open:
            self._pass(number, frame)
        else:
            self.waiting.append(number)

    def _pass(self, number: int, frame: Any) -> None:
        handler = self.handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)


_gates: list[_Gate] = []
"""The one that is in force, if any."""


def _gate() -> _Gate | None:
    """The gate, in the thread that it is for."""
    here = threading.current_thread() is threading.main_thread()
    return _gates[0] if _gates and here else None


@contextmanager
def held() -> Iterator[None]:
    """Signals that come inside are delivered at the end."""
    if _gates or threading.current_thread() is not threading.main_thread():
        yield
        return
    gate = _Gate()
    _gates.append(gate)
    gate.close()
    try:
        yield
    finally:
        gate.remove()
        _gates.clear()
        gate.deliver()


@contextmanager
def let_through() -> Iterator[None]:
    """Inside `held`: a part that may be interrupted."""
    if (gate := _gate()) is None:
        yield
        return
    gate.open = True
    try:
        gate.deliver()
        yield
    finally:
        gate.open = False


def answered() -> None:
    """End the part that may be interrupted: what it was for is there."""
    if (gate := _gate()) is not None:
        gate.open = False

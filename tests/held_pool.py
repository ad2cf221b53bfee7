"""An executor whose answers arrive when a test says so."""

from __future__ import annotations

from concurrent.futures import Executor, Future


class HeldPool(Executor):
    """Computes at once; gives the answers when told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future, object]] = []

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_running_or_notify_cancel()
        self.waiting.append((future, fn(*args, **kwargs)))
        return future

    def give(self, place: int = 0) -> None:
        """Give the answer at this place among those that wait."""
        future, outcome = self.waiting.pop(place)
        future.set_result(outcome)

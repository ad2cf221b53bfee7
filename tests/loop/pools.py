"""Executors whose answers come late, for the tests of questions under way."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Executor, Future
from contextlib import contextmanager

import numpy as np
import pytest


class LatePool(Executor):
    """Computes at once and gives the answer up to `longest` seconds later; the order is a matter of `seed`."""

    def __init__(self, seed: int, longest: float = 0.08) -> None:
        self.rng, self.longest = np.random.default_rng(seed), longest
        self.asked: Counter[str] = Counter()
        self.arrived: list[str] = []
        self._lock = threading.Lock()

    def submit(self, fn, /, *args, **kwargs):
        with self._lock:
            outcome = fn(*args, **kwargs)
            self.asked[args[0].structure.content_hash] += 1
            delay = self.rng.uniform(0, self.longest)
        future: Future = Future()
        future.set_running_or_notify_cancel()
        timer = threading.Timer(delay, self._give, (future, args[0].structure.content_hash, outcome))
        timer.daemon = True
        timer.start()
        return future

    def _give(self, future, name, outcome):
        self.arrived.append(name)
        future.set_result(outcome)


@contextmanager
def calls_on(pool: Executor):
    """Runs make their calls on `pool`, whatever executor is configured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thalweg.loop.asking.opening.make_executor", lambda *_: pool)
        yield pool

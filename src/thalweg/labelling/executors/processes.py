"""Ending processes together with everything that they started."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

GRACE_S = 1.0
"""A call that ends within this time of its run's end still leaves its answer."""


def descendants(pid: int) -> list[int]:
    """Processes started by `pid` and by those, as far as the system tells (Linux)."""
    children: dict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            children[int(path.read_text().rpartition(")")[2].split()[1])].append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        started = children.get(waiting.pop(), [])
        found += started
        waiting += started
    return found


def kill_all(pid: int, *, itself: bool = True) -> None:
    """Kill what `pid` started, in whatever process group or session that is, and `pid` itself."""
    for one in [*descendants(pid), *([pid] if itself else [])]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, signal.SIGKILL)

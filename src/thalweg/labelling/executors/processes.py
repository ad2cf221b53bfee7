"""Worker processes: what they are started in, and how they end together with everything that they started."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from thalweg.isolation import STARTED_IN

MARK = "THALWEG_WORKER"
"""Variable of the environment that tells whose processes they are."""

GRACE_S = 3.0
"""A call that ends within this time of its run's end still leaves its answer."""
DELIVERY_S = 10.0
"""So much longer a worker may take to write down an answer that is there: a disk can be slow."""
ANSWERED = threading.Event()
"""In a worker: the oracle has answered, and the answer is on its way to the disk and to the run."""


ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def environment(mark: str) -> dict[str, str]:
    """One thread a worker; modules are found as here, also those beside the user's configuration."""
    path = os.pathsep.join(entry or str(STARTED_IN) for entry in sys.path)
    return {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": path,
        "THALWEG_STARTED_IN": str(STARTED_IN),
        MARK: mark,
    }


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


def marked(mark: str) -> list[int]:
    """Processes, this one apart, with `mark` as MARK in the environment that they were started in (Linux).

    Unlike `descendants` it finds those whose parents are gone: daemons, and programs of a worker that was killed.
    """
    entry, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # somebody else's, or gone
            if entry in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return [pid for pid in found if pid != os.getpid()]


def kill_all(pid: int, *, mark: str = "", itself: bool = True) -> None:
    """Kill what `pid` started, in whatever process group or session that is, what bears `mark`, and `pid` itself."""
    others = [*descendants(pid), *(marked(mark) if mark else ())]
    for one in [*(other for other in others if other != pid), *([pid] if itself else [])]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, signal.SIGKILL)

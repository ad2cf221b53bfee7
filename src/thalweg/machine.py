"""What this process may use of the machine, and what it has used."""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def available_cores() -> int:
    """Cores for this process: fewer than the machine has where a batch system or a container says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> float:
    """The most memory that this process has held, MB.

    On Linux its own. Elsewhere by getrusage, which counts what the parent held when it began this process, too.
    """
    try:
        own = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        own = None
    if own is not None:
        return int(own[1]) * 1024 / 1e6
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * (1 if sys.platform == "darwin" else 1024) / 1e6

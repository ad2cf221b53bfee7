"""What this process may use of the machine."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores for this process: fewer than the machine has where a batch system or a container says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

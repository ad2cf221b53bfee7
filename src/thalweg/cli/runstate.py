"""A run folder seen from outside: its lock says whether it is running, summary.json where it stands."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from thalweg.cli.summary import summary_panel
from thalweg.errors import StoreError
from thalweg.loop.summary import FILE_NAME
from thalweg.store.lock import LOCK_NAME


class Activity(StrEnum):
    """What a run is doing."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RunState:
    """A run folder's state; `holder` names the process that writes, `summary` is summary.json or empty."""

    folder: Path
    activity: Activity
    holder: dict[str, Any]
    summary: Mapping[str, Any]

    @property
    def is_running(self) -> bool:
        """Whether a process holds the folder's lock."""
        return self.activity is Activity.RUNNING

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "folder": str(self.folder),
            "state": str(self.activity),
            "holder": self.holder or None,
            "summary": dict(self.summary) or None,
        }


def read_state(folder: Path) -> RunState:
    """The state of the run in `folder`; raises StoreError when its summary.json is damaged."""
    holder = _holder(folder / LOCK_NAME)
    summary = _summary(folder / FILE_NAME)
    if holder is not None:
        return RunState(folder, Activity.RUNNING, holder, summary)
    activity = Activity.FINISHED if summary.get("stop") else Activity.INTERRUPTED
    return RunState(folder, activity, {}, summary)


def state_panel(state: RunState) -> RenderableType:
    """State and summary for a terminal."""
    colour = {Activity.RUNNING: "green", Activity.FINISHED: "bold", Activity.INTERRUPTED: "yellow"}
    line = Text(str(state.activity), style=colour[state.activity])
    if state.is_running and state.holder:
        line.append(f" (process {state.holder.get('pid')} on {state.holder.get('host')})", style="dim")
    if state.activity is Activity.INTERRUPTED:
        line.append(" (the same `thalweg run` command goes on with it)", style="dim")
    if not state.summary:
        return Group(line, Text("no summary yet", style="dim"))
    return Group(line, summary_panel(state.summary, state.folder))


def _holder(lock: Path) -> dict[str, Any] | None:
    """Who holds the lock, None when nobody does. The operating system drops it when its holder dies."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        try:
            holder = json.loads(os.pread(descriptor, 4096, 0))
        except ValueError:
            return {}
        return holder if isinstance(holder, dict) else {}
    finally:
        os.close(descriptor)
    return None


def _summary(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StoreError(f"{path}: damaged ({error}); the next `thalweg run` rewrites it") from None
    if not isinstance(data, dict):
        raise StoreError(f"{path}: expected a mapping, got {type(data).__name__}; `thalweg run` rewrites it")
    return data

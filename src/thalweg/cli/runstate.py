"""A run folder seen from outside: its lock says whether it is running, summary.json where it stands."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from thalweg.cli.summary import summary_panel
from thalweg.errors import StoreError
from thalweg.loop.telling.summary import FILE_NAME
from thalweg.store.evidence import DATABASE_NAME
from thalweg.store.file import identity_of, process_holding
from thalweg.store.lock import LOCK_NAME

MODEL_FOLDER = "model"


_WITHOUT_DATABASE = f"{DATABASE_NAME} is missing: restore it from a copy; the run cannot continue without it"


class Activity(StrEnum):
    """What a run is doing."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RunState:
    """A run folder's state; `holder` names the process that writes, `summary` is summary.json or empty.

    `handed` says of each structure that was handed in and has no label yet why it is asked; `warning` what keeps the
    run from going on.
    """

    folder: Path
    activity: Activity
    holder: dict[str, Any]
    summary: Mapping[str, Any]
    handed: tuple[str, ...] = ()
    warning: str = ""

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
            "handed_in": list(self.handed),
            "warning": self.warning or None,
            "summary": dict(self.summary) or None,
        }


def read_state(folder: Path) -> RunState:
    """The state of the run in `folder`.

    Raises
    ------
    StoreError
        Its thalweg.db or summary.json is damaged, or of another kind.
    """
    holder = _holder(folder / LOCK_NAME)
    if holder is None and (process := process_holding(identity_of(folder / DATABASE_NAME))) is not None:
        holder = {"pid": process, "host": socket.gethostname()}  # it goes by another name of the database
    summary = _summary(folder)
    handed, warning = _waiting(folder)
    if holder is not None:
        return RunState(folder, Activity.RUNNING, holder, summary, handed, warning)
    activity = Activity.FINISHED if summary.get("stop") else Activity.INTERRUPTED
    return RunState(folder, activity, {}, summary, handed, warning)


def state_panel(state: RunState) -> RenderableType:
    """State and summary for a terminal."""
    colour = {Activity.RUNNING: "green", Activity.FINISHED: "bold", Activity.INTERRUPTED: "yellow"}
    line = Text(str(state.activity), style=colour[state.activity])
    if state.is_running and state.holder:
        line.append(f" (process {state.holder.get('pid')} on {state.holder.get('host')})", style="dim")
    if state.warning:
        line.append(f" ({state.warning})", style="yellow")
    elif state.activity is Activity.INTERRUPTED:
        line.append(" (continue it with the same `thalweg run` command)", style="dim")
    parts: list[RenderableType] = [line, *(Text(f"waiting: {text}") for text in state.handed)]
    if not state.summary:
        return Group(*parts, Text("no summary yet", style="dim"))
    return Group(*parts, summary_panel(state.summary, state.folder))


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


def _waiting(folder: Path) -> tuple[tuple[str, ...], str]:
    """What waits in the queue, and what keeps the run from going on. StoreError where the store is damaged."""
    if not (folder / DATABASE_NAME).is_file():
        return (), _WITHOUT_DATABASE
    from thalweg.store import EmptyStoreError, SqliteStore

    try:
        with SqliteStore.read(folder) as store:
            handed = tuple(str(question.reason.get("text", "")) for question in store.handed_in())
            return handed, "; ".join(store.notices)
    except EmptyStoreError:  # the run has just started
        return (), ""


def _summary(folder: Path) -> dict[str, Any]:
    """summary.json, its model's path as it is here: the folder may have been copied or moved."""
    path = folder / FILE_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StoreError(f"{path}: damaged ({error}); the next `thalweg run` rewrites it") from None
    if not isinstance(data, dict):
        raise StoreError(f"{path}: expected a mapping, got {type(data).__name__}; `thalweg run` rewrites it")
    if "model_path" in data:
        model = folder / MODEL_FOLDER
        data["model_path"] = str(model) if model.is_dir() else None
    return data

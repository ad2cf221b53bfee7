"""Arrived outcomes that wait to be taken into the store: one small file each, durable when `put` returns.

The store has one writer, which may be busy walking or learning when an answer comes. Whoever has the answer first, a
worker process or a thread of this one, leaves it here. The writer collects it later, or when the run is resumed
after it was killed.

A file holds named arrays (npz, no pickle). Its name is its ticket, so an outcome that two of them leave is stored once.
It survives the death of any process at once. It survives a power failure once the file system has written its name,
which takes seconds.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import StoreError, ThalwegError
from thalweg.label import Failure, FailureKind, Label, LabelNoise, Outcome

FOLDER = "arrived"
"""Name of the inbox in a run's folder."""
_SUFFIX = ".outcome"
_LOCK = "workers.lock"
_DRAFT = "."
LONGEST_LEFT_OVER = 30.0
"""Seconds in which the workers of a run that was killed must have ended."""


@dataclass(frozen=True)
class Ticket:
    """Which call: the question's number in the store, the structure's hash, and the attempt."""

    question_id: int
    structure_hash: str
    attempt: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.question_id}-{self.attempt}-{self.structure_hash[:16]}{_SUFFIX}"


class Inbox:
    """The inbox in `folder`, which is made when the first outcome is put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, run: Path) -> Inbox:
        """The inbox of the run in a folder."""
        return cls(run / FOLDER)

    def put(self, ticket: Ticket, outcome: Outcome) -> None:
        """Make an outcome durable; one that is there already stays as it is."""
        path = self.folder / ticket.name
        if path.exists():
            return
        content = _to_bytes(ticket, outcome)
        try:
            try:
                self._write(path, content)
            except FileNotFoundError:  # cleared by the run's end, between making the folder and the file
                self._write(path, content)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}; free some space") from error

    def _write(self, path: Path, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{_DRAFT}{path.name}.{os.getpid()}.{threading.get_ident()}"
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def get(self, ticket: Ticket) -> Outcome | None:
        """The outcome under this ticket, if it is there."""
        with suppress(FileNotFoundError):
            return _from_bytes((self.folder / ticket.name).read_bytes())[1]
        return None

    def outcomes(self) -> Iterator[tuple[Ticket, Outcome]]:
        """All that have arrived, those of one question in the order of attempts; files that are damaged are dropped."""
        found = []
        for path in self.folder.glob(f"*{_SUFFIX}") if self.folder.is_dir() else ():
            try:
                found.append(_from_bytes(path.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError, ThalwegError):
                path.unlink(missing_ok=True)  # half-written by a machine that lost its power: no answer
        yield from sorted(found, key=lambda one: (one[0].question_id, one[0].attempt))

    def drop(self, ticket: Ticket) -> None:
        """Forget an outcome: it is in the store."""
        (self.folder / ticket.name).unlink(missing_ok=True)

    # --- workers of a run that was killed ------------------------------------------------------------------

    def claim(self) -> int:
        """Wait until no worker of an earlier invocation is left; returns a descriptor that this one's workers share.

        A worker ends within a second or two of its run's death, and may until then put an outcome. Raises StoreError
        where one does not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + LONGEST_LEFT_OVER
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for path in self.folder.glob(f"{_DRAFT}*"):
                    path.unlink(missing_ok=True)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                return descriptor
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise StoreError(
                        f"{self.folder}: workers of an earlier run still hold {_LOCK}; end them (`fuser -k "
                        f"{self.folder / _LOCK}`) and run the same command again"
                    ) from None
                time.sleep(0.02)

    def clear(self) -> None:
        """Remove the folder where nothing waits in it."""
        with suppress(OSError):
            (self.folder / _LOCK).unlink(missing_ok=True)
            self.folder.rmdir()


def _to_bytes(ticket: Ticket, outcome: Outcome) -> bytes:
    facts: dict[str, Any] = {
        "question_id": ticket.question_id,
        "structure_hash": ticket.structure_hash,
        "attempt": ticket.attempt,
        "oracle": outcome.oracle,
        "wall_time": float(outcome.wall_time),
    }
    arrays: dict[str, Any] = {}
    if isinstance(outcome, Label):
        noise = outcome.noise
        facts |= {"energy": float(outcome.energy), "noise": [noise.energy, noise.forces, noise.stress]}
        arrays["forces"] = outcome.forces
        if outcome.stress is not None:
            arrays["stress"] = outcome.stress
    else:
        facts |= {"kind": outcome.kind.value, "message": outcome.message, "log": outcome.log}
    text = json.dumps(facts).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, facts=np.frombuffer(text, dtype=np.uint8), **arrays)
    return buffer.getvalue()


def _from_bytes(content: bytes) -> tuple[Ticket, Outcome]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(arrays["facts"].tobytes())
    ticket = Ticket(int(facts["question_id"]), str(facts["structure_hash"]), int(facts["attempt"]))
    oracle, wall_time = str(facts["oracle"]), float(facts["wall_time"])
    if "kind" in facts:
        kind = FailureKind(facts["kind"])
        return ticket, Failure(kind, str(facts["message"]), str(facts["log"]), oracle, wall_time)
    noise = LabelNoise(*facts["noise"])
    return ticket, Label(facts["energy"], arrays["forces"], arrays.get("stress"), noise, oracle, wall_time)

"""Interrupting runs just before a checkpoint, and what runs have said and learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from thalweg.loop import runner
from thalweg.store import SqliteStore


class Interrupted(Exception):  # noqa: N818 - an event, not a fault of this program
    """In place of a kill."""


def interrupt(patch: pytest.MonkeyPatch, at: int) -> None:
    """Let the `at`-th checkpoint of the next invocation fail."""
    keep, seen = runner._Run._checkpoint, [0]

    def checkpoint(one):
        seen[0] += 1
        if seen[0] == at:
            raise Interrupted
        keep(one)

    patch.setattr(runner._Run, "_checkpoint", checkpoint)


def told(folder: Path) -> list[str]:
    with SqliteStore.read(folder) as store:
        return [
            event.text.split("; learned")[0]
            for event in store.events()
            if event.kind in ("query", "audit", "failure", "backtrack", "reject", "stop")
        ]


def learned(folder: Path) -> list[tuple[str, float]]:
    with SqliteStore.read(folder) as store:
        return [(record.structure.content_hash, record.label.energy) for record in store.labels_in_order()]

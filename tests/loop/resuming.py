"""Interrupting runs just before a checkpoint, and what runs have said and learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from thalweg.config import RunConfig
from thalweg.loop import runner
from thalweg.loop.telling.summary import Summary
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


def run_interrupted(config: RunConfig, folder: Path, *, at: int) -> Summary:
    """The run, interrupted just before the `at`-th checkpoint of each invocation until one comes to the end."""
    for interruptions in range(200):
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, at)
            try:
                summary = runner.run(config, folder)
            except Interrupted:
                continue
        assert interruptions > 5
        return summary
    raise AssertionError("the run did not end")


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

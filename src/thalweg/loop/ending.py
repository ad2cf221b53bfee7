"""How one invocation of a run ends: what was answered while it was closing still counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from thalweg.loop.telling.summary import Summary, write_summary
from thalweg.store import SqliteStore


def with_late_answers(summary: Summary, store: SqliteStore, under_way: Collection[int]) -> Summary:
    """The summary with the calls for questions under way that have come to an end; written where there are such.

    Their answers are in the store, and learned when the run continues.
    """
    if not under_way:
        return summary
    failed = sum(len(store.attempts(number)) for number in under_way)
    answered = sum(record.question_id in under_way for record in store.all_labels())
    if failed + answered:
        calls = summary.oracle_calls + failed + answered
        summary = dataclasses.replace(summary, oracle_calls=calls, failed_calls=summary.failed_calls + failed)
        write_summary(store.folder, summary)
    return summary

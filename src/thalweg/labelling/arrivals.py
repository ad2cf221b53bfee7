"""Takes arrived outcomes into the store, in any thread, and also those left by an interrupted run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Self

from thalweg.label import Label, Outcome
from thalweg.labelling.inbox import Inbox, Ticket
from thalweg.store import QuestionRecord, SqliteStore


class Arrivals:
    """Makes outcomes durable: at once in the store's own thread, through the inbox in any other.

    Constructing it waits for workers that a killed run has left, and takes in what they have left: to be done before
    the store is rewound, which forgets questions without an outcome.

    Raises
    ------
    StoreError
        Workers of an earlier invocation do not end, or the folder cannot be written.
    """

    def __init__(self, store: SqliteStore) -> None:
        self.inbox = Inbox.of(store.folder)
        self._store = store
        self._thread = threading.get_ident()
        self._claim = self.inbox.claim()
        self.take_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def shared(self) -> int:
        """A descriptor that workers keep open as long as they may put an outcome."""
        return self._claim

    def arrived(self, ticket: Ticket, outcome: Outcome) -> None:
        """Make an outcome durable."""
        if threading.get_ident() == self._thread:
            self._take(ticket, outcome)
            self.inbox.drop(ticket)
        else:
            self.inbox.put(ticket, outcome)

    def take_in(self, then: Callable[[], None] | None = None) -> None:
        """Take what waits in the inbox into the store: labels, and failures, whose calls count.

        `then` does what else is to be written, in the same transaction. Files go once all is on the disk.
        """
        arrived = list(self.inbox.outcomes())
        if not arrived and then is None:
            return
        with self._store.transaction():
            for ticket, outcome in arrived:
                self._take(ticket, outcome)
            if then is not None:
                then()
        for ticket, _ in arrived:
            self.inbox.drop(ticket)

    def close(self) -> None:
        """Take in what is there, and leave no folder behind."""
        if self._claim >= 0:
            self.take_in()
            self.inbox.clear()
            os.close(self._claim)
            self._claim = -1

    def _take(self, ticket: Ticket, outcome: Outcome) -> None:
        with self._store.transaction():
            question = self._store.find_question(ticket.question_id)
            if question is None or question.structure_hash != ticket.structure_hash:
                return  # left by another run in this folder
            if isinstance(outcome, Label):
                structure = self._store.structure(ticket.structure_hash)
                self._store.keep_label(structure, outcome, **_origin(question))
            else:
                self._store.record_failure(question.id, ticket.attempt, outcome)


def _origin(question: QuestionRecord) -> dict[str, Any]:
    """What the store keeps of where a label comes from."""
    return {"kind": question.kind, "iteration": question.iteration, "question_id": question.id}

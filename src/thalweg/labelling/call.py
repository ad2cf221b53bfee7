"""One call of an oracle, where it is made: isolated, and whatever happens in it is a typed outcome.

`deliver` is the task that executors run. It takes and returns plain data, so it may run in a thread, in another
process or on another machine.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from thalweg.errors import StoreError
from thalweg.interrupts import let_through
from thalweg.isolation import isolated
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.labelling.executors.processes import ANSWERED
from thalweg.labelling.inbox import Inbox, Ticket
from thalweg.labelling.source import OracleSource
from thalweg.oracles.base import examine
from thalweg.oracles.failing import failure_of, words
from thalweg.structure import Structure


@dataclass(frozen=True, eq=False)
class Call:
    """A call to be made.

    Attributes
    ----------
    source : OracleSource
    structure : Structure
    ticket : Ticket
        Under which its outcome is kept.
    folder : Path or None
        Where it runs, empty and on this machine; None: a temporary folder of the machine that makes the call.
    inbox : Path or None
        Folder in which the outcome is made durable as soon as it is there; None: whoever gets it back does that.
    """

    source: OracleSource
    structure: Structure
    ticket: Ticket
    folder: Path | None = None
    inbox: Path | None = None

    @property
    def attempt(self) -> int:
        """0 first; later ones climb the oracle's ladder."""
        return self.ticket.attempt


def deliver(call: Call) -> tuple[Ticket, Outcome]:
    """Make the call and leave its outcome where it is to be durable: the task that executors run.

    The ticket tells the answer of one call from that of another. Only KeyboardInterrupt is raised.
    """
    outcome = answer(call)
    if call.inbox is not None:
        with suppress(StoreError):  # a full disk: whoever gets it back tries again, and says so
            Inbox(call.inbox).put(call.ticket, outcome)
    return call.ticket, outcome


def answer(call: Call) -> Outcome:
    """Make the call. Only KeyboardInterrupt is raised: whatever else the oracle does is an outcome."""
    start = time.perf_counter()
    with isolated(call.folder, seed=f"{call.structure.content_hash}/{call.attempt}") as folder:
        try:
            oracle = call.source.oracle()
        except Exception as error:
            return Failure(FailureKind.REFUSED, words(error), wall_time=time.perf_counter() - start)
        given = replace(call.structure)
        try:
            with let_through():
                outcome = oracle.label(given, call.attempt)
            ANSWERED.set()
            return _checked(call.structure, given, outcome, oracle.fingerprint)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: a calculator's end is not the run's
            return failure_of(error, oracle, start, folder)


def _checked(asked: Structure, given: Structure, outcome: object, fingerprint: str) -> Outcome:
    """The outcome, if it is one, and about the structure that was asked."""

    def implausible(why: str) -> Failure:
        return Failure(FailureKind.IMPLAUSIBLE, why, oracle=fingerprint)

    if isinstance(outcome, Failure):
        return replace(outcome, oracle=fingerprint)
    if not isinstance(outcome, Label):
        return implausible(f"the oracle returned {type(outcome).__name__}, expected a Label or a Failure")
    if outcome.oracle not in ("", fingerprint):
        return implausible(f"the label is of another oracle: {outcome.oracle!r:.200}")
    names = ("numbers", "positions", "cell", "pbc", "charge", "multiplicity", "magmoms", "masses", "fixed")
    if not all(np.array_equal(getattr(asked, name), getattr(given, name)) for name in names):
        return implausible("the oracle changed the structure that it was given")
    return examine(asked, replace(outcome, oracle=fingerprint))

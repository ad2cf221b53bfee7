"""How one invocation of a run begins: its state, fresh or resumed, what has changed since, and its first messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.source import OracleSource
from thalweg.loop.beginning import (
    CHANGED_EARLY,
    RELAXED,
    adopt,
    count_ahead,
    fresh_state,
    n_waiting,
    recall,
    register,
    with_relaxed,
    without_withdrawn,
)
from thalweg.loop.learning.withdrawn import heed_withdrawals
from thalweg.loop.older import as_begun
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling import conversation
from thalweg.loop.telling.journal import Journal
from thalweg.loop.telling.reporter import EventKind, Reporter
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.oracles.base import Oracle
from thalweg.store import SqliteStore


@dataclass
class Invocation:
    """What an invocation begins with.

    Attributes
    ----------
    state : LoopState
    resumed : bool
        Whether the state was recalled from a checkpoint.
    anew : bool
        Whether the model must be learned without labels that were withdrawn.
    n_handed : int
        Structures that were handed in and wait for their label.
    """

    setup: Setup
    store: SqliteStore
    arrivals: Arrivals
    source: OracleSource
    oracle: Oracle
    journal: Journal
    state: LoopState
    stopwatch: Stopwatch
    resumed: bool
    anew: bool
    n_handed: int

    def without_withdrawn(self) -> None:
        """Go on as an invocation would that began now, with labels withdrawn since the last checkpoint."""
        self.anew = heed_withdrawals(self.state, self.store)
        self.n_handed = n_waiting(self.store, self.oracle, self.state)
        adopt(self.state, self.setup, (), handed=self.n_handed)

    def save_state(self) -> None:
        """Make state, conversation and numbers durable together."""
        with self.store.transaction():
            self.journal.write()
            self.store.save_checkpoint(self.state.policy.iteration, self.state.to_json(), {})


def begin(
    setup: Setup, store: SqliteStore, arrivals: Arrivals, source: OracleSource, reporter: Reporter
) -> Invocation:
    """Recall the state or make a fresh one, let changed settings take effect, and say so.

    Raises
    ------
    StoreError
        Labels of another system or oracle do not belong into this run.
    """
    oracle, setup = source.oracle(), as_begun(setup, store)
    recalled = recall(store, setup.explorer)
    state = recalled or fresh_state(setup.config, store)
    state, anew = without_withdrawn(state, store, setup.config, oracle.fingerprint)
    begun = Invocation(
        setup=setup,
        store=store,
        arrivals=arrivals,
        source=source,
        oracle=oracle,
        journal=Journal(store, store.folder, reporter),
        state=state,
        stopwatch=Stopwatch(state.timing),
        resumed=recalled is not None,
        anew=anew,
        n_handed=n_waiting(store, oracle, state),
    )
    with store.transaction():  # changed settings are noticed once: they are durable with what they touch
        changes = register(store, setup, oracle, store.folder)
        if state.policy.n_labels:
            begun.setup = with_relaxed(setup, store)
        _greet(begun, changes)
    return begun


def _greet(begun: Invocation, changes: Sequence[str]) -> None:
    """Say what begins or goes on, and let changed settings take effect."""
    setup, journal, policy = begun.setup, begun.journal, begun.state.policy
    if begun.resumed:
        _go_on(begun, changes)
    else:
        text = f"{_system(setup)} with {begun.oracle.display_name}: {setup.basis.n_columns} features"
        journal.say(0, EventKind.START, text, {"n_features": setup.basis.n_columns})
        if setup.config.explore.ensemble == "npt" and setup.config.explore.coupling is None:
            journal.say(
                0, EventKind.INFO, conversation.coupling(setup.coupling), {"coupling": setup.coupling}
            )
        if changes or begun.store.meta(CHANGED_EARLY):
            begun.store.set_meta(CHANGED_EARLY, True)
            count_ahead(begun.state, begun.store, begun.oracle.fingerprint)
    if begun.n_handed:
        text = conversation.handed_in(begun.n_handed, policy.calls, setup.rules.oracle_calls)
        kind = EventKind.INFO if policy.calls < setup.rules.oracle_calls else EventKind.WARNING
        journal.say(policy.iteration, kind, text, {"handed": begun.n_handed})
    for notice in (*setup.warnings, *begun.store.notices):
        journal.say(policy.iteration, EventKind.WARNING, notice)
    begun.store.notices.clear()


def _go_on(begun: Invocation, changes: Sequence[str]) -> None:
    state, policy = begun.state, begun.state.policy
    text = f"resuming at call {policy.calls}, {policy.n_labels} labels learned again in memory"
    begun.journal.say(policy.iteration, EventKind.RESUME, text)
    if begun.setup.config.system.relax != "none" and begun.store.meta(RELAXED) is None and policy.n_labels:
        begun.journal.say(policy.iteration, EventKind.WARNING, conversation.TOO_LATE_TO_RELAX)
    if changes:
        count_ahead(state, begun.store, begun.oracle.fingerprint)
    adopt(state, begun.setup, changes, handed=begun.n_handed)
    if changes:
        begun.journal.say(policy.iteration, EventKind.CHANGE, conversation.changes(changes))
        begun.save_state()


def _system(setup: Setup) -> str:
    """The start structures, the first of them by name, with what its file says of it."""
    first, files = setup.structures[0], [Path(path).name for path in setup.config.system.paths]
    others = len(setup.structures) - 1
    formula = first.to_atoms().get_chemical_formula()
    name = f"{formula} ({', '.join(files[:3])}{', …' if len(files) > 3 else ''})"
    name += "".join(f", {remark}" for remark in first.remarks)
    if not others:
        return name
    return f"{name} and {others} other {'start' if others == 1 else 'starts'}"

"""The main flow: read this first.

    run(config, folder)      open the store, start or continue from the last checkpoint, then
        decide(state, event) what to do next                     deciding/policy.py, pure
        perform(action)      do it, and report what happened     here: the only place with store and clock

    LabelSeeds      label the first structures, fit the first model, start the walkers      asking/first_labels.py
    Explore         advance every walker by a block, judge it at every step                 walking/
    DrawAudits      pick random moments of that block                                       asking/queue.py
    Ask             score questions, put them to the oracle, learn the answers              asking/asker.py
    Receive         learn an answer that walkers did not wait for                           asking/asker.py
    AskHanded       the same for structures that the user handed in                         asking/handing.py
    SaveCheckpoint  state, conversation and numbers become durable in one transaction;
                    then labels are looked at, whether they hold together                   asking/holding.py
                    what keeps the run from its target                                      asking/advising.py
                    and whether they ask for another basis                                  looking_round.py
    Stop            write the final model and summary

Every call of the oracle goes through one Labeller (thalweg.labelling): counted, within the budget, isolated, retried,
typed, durable when it arrives.

A label is durable before anything depends on it. A run that was killed continues from its last checkpoint, finds
the labels made since in the store, and takes the same path as if it had never been interrupted.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from threadpoolctl import threadpool_limits

from thalweg.config import RunConfig
from thalweg.explorers.explorer import AnyExplorer
from thalweg.features import set_num_threads
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.labeller import Account
from thalweg.labelling.source import OracleSource
from thalweg.loop import looking_round, results
from thalweg.loop.asking.advising import Adviser
from thalweg.loop.asking.asker import Asker
from thalweg.loop.asking.first_labels import FirstLabels, known_energies
from thalweg.loop.asking.holding import Holding, take_out
from thalweg.loop.asking.opening import open_labeller, where_it_runs
from thalweg.loop.deciding.policy import decide
from thalweg.loop.ending import with_late_answers
from thalweg.loop.events import (
    Action,
    Ask,
    AskHanded,
    BlockEnded,
    DrawAudits,
    Explore,
    LabelSeeds,
    LoopEvent,
    OutOfTime,
    Receive,
    SaveCheckpoint,
    Started,
    Stop,
)
from thalweg.loop.invocation import Invocation, begin
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.relearning import alternative_of, make_potential, relearn
from thalweg.loop.learning.withdrawn import learn_anew
from thalweg.loop.setup import prepare
from thalweg.loop.telling import conversation
from thalweg.loop.telling.metrics import IterationMetrics
from thalweg.loop.telling.progress import make_progress, make_summary
from thalweg.loop.telling.reporter import EventKind, NullReporter, Reporter
from thalweg.loop.telling.summary import Summary, write_summary
from thalweg.loop.telling.teller import Teller
from thalweg.loop.walking import exploration
from thalweg.loop.ways import Ways
from thalweg.oracles.base import Oracle
from thalweg.potential import Alternative, Potential
from thalweg.store import SqliteStore

MODEL_FOLDER = "model"
COMPLETE = "complete"
"""Name under which the store keeps the iteration of a verdict whose model and summary are written."""
SAVE_EVERY = 20.0
"""Seconds between two writings of the current model while a run goes on; it is always written at the end."""


def run(
    config: RunConfig,
    folder: Path,
    reporter: Reporter | None = None,
    *,
    oracle: Oracle | None = None,
    executor: Executor | None = None,
    explorer: AnyExplorer | None = None,
) -> Summary:
    """Start a run in `folder`, or go on with it, until it stops by itself.

    `oracle`, `executor` and `explorer` are objects that take the place of those that the configuration names.

    Raises
    ------
    InputError, SetupError, OracleError
        The configuration, a structure, the oracle or the executor does not fit; what was labelled is safe.
    StoreError
        The folder cannot be used, is in use, or the disk is full; what was labelled is safe.
    """
    source = OracleSource.of(config.oracle.model_dump() if oracle is None else oracle)
    folder = folder.absolute()  # an oracle in a thread of this process may change the current folder
    # One thread for linear algebra: sums in one order give the same bits at every resume, and the matrices are
    # small enough that waiting for a second thread costs more than it brings.
    with threadpool_limits(limits=1, user_api="blas"):
        settings, warning = (config, None) if executor is not None else where_it_runs(config, source)
        setup = prepare(settings, source.oracle(), explorer=explorer)
        if warning is not None:
            setup = dataclasses.replace(setup, warnings=(*setup.warnings, warning))
        set_num_threads(1)
        with SqliteStore.open(folder) as store, Arrivals(store) as arrivals:
            begun = begin(setup, store, arrivals, source, reporter or NullReporter())
            return _Run(begun).go(executor)


class _Run:
    """One invocation: performs what the policy decides. State is in `state`; everything else can be made again."""

    def __init__(self, begun: Invocation) -> None:
        self.begun = begun
        self.setup, self.store, self.state = begun.setup, begun.store, begun.state
        self.oracle, self.journal, self.stopwatch = begun.oracle, begun.journal, begun.stopwatch
        self.folder = begun.store.folder
        self.properties = results.recall(begun.store)
        self.ways = Ways(self.setup, self.state)
        self.learner: Learner | None = None
        self.alternative: Alternative | None = None  # made when the run ends
        self.walk: exploration.Walk | None = None
        self.saved_at = time.monotonic()

    # --- the loop ---------------------------------------------------------------------------------------

    def go(self, executor: Executor | None) -> Summary:
        """Open the road to the oracle where there is something left to do."""
        if self.state.policy.verdict is not None and self._is_complete() and not self.begun.anew:
            return self._summary()
        with open_labeller(
            self.store,
            self.begun.arrivals,
            self.begun.source,
            self.setup.config.executor,
            executor=executor,
            account=Account(self.setup.rules.oracle_calls, self.state.policy.calls, self.state.ahead),
            set_aside=self.state.set_aside,
        ) as self.labeller:
            self.tell = Teller(self.journal, self.oracle, self.setup.rules.target.force_error)
            self.holding = Holding(self.setup, self.state, self.labeller, self.tell)
            self.adviser = Adviser(self.setup, self.state, self.labeller, self.tell)
            self.asker = Asker(self.setup, self.state, self.labeller, self.tell, self.stopwatch)
            summary = self._go()
        return with_late_answers(summary, self.store, self.state.under_way)

    def _go(self) -> Summary:
        """Decide, perform, until the policy says stop."""
        if self.state.policy.n_labels:
            self._relearn()
        if self.state.policy.verdict is not None:
            return self._finish()  # killed between the verdict and the writing of the model
        self.labeller.put_again(self.state.under_way, self.state.shares)
        events: deque[LoopEvent] = deque([Started(self.begun.n_handed)])
        while events:
            for action in self._decide(events.popleft()):
                if isinstance(action, Stop):
                    return self._finish()
                if (happened := self._perform(action)) is not None:
                    events.append(happened)
                if happened is not None and isinstance(action, SaveCheckpoint):
                    break  # what else was to be done was decided with labels that are gone, or calls since spent
        raise AssertionError("the policy left nothing to do and did not stop")

    def _relearn(self) -> None:
        """The model as it was; without labels that were withdrawn meanwhile, where there are such."""
        energies = known_energies(self.store, self.oracle.fingerprint, self.setup)
        with self.stopwatch("fit"):
            learn = learn_anew if self.begun.anew else relearn
            self.learner = learn(self.setup, self.state, self.store, energies)
        if self.begun.anew:
            text = conversation.learned_anew(self.learner.n_labels)
            self.journal.say(self.state.policy.iteration, EventKind.CHANGE, text)
            self.begun.save_state()
            self.begun.anew = False

    def _decide(self, event: LoopEvent) -> Sequence[Action]:
        """What to do after this event, which has happened, whatever the clock says."""
        state, rules = self.state, self.setup.rules
        state.policy, actions = decide(state.policy, event, rules)
        if self._out_of_time() and state.policy.verdict is None:
            state.policy, actions = decide(state.policy, OutOfTime(), rules)
        return actions

    def _is_complete(self) -> bool:
        """Whether everything that follows the verdict has been written."""
        written = self.store.meta(COMPLETE) == self.state.policy.iteration
        return written and (self.folder / MODEL_FOLDER).exists()

    def _out_of_time(self) -> bool:
        limit = self.setup.config.budget.wall_time
        return limit is not None and self.stopwatch.running > limit

    def _perform(self, action: Action) -> LoopEvent | None:
        happened: LoopEvent | None = None
        match action:
            case LabelSeeds():
                happened = self._label_seeds()
            case Explore():
                happened = self._explore(action)
            case Ask(n=n):
                happened = self.asker.ask(self._learned(), n)
            case Receive():
                happened = self.asker.receive(self._learned())
            case AskHanded(n=n):
                happened = self.asker.ask_handed(self._learned(), n)
            case DrawAudits(n=n):
                self.asker.queue.draw_audits(self._walked(), n)
            case SaveCheckpoint():
                self._checkpoint()
                happened = self._hold_together() or self._advise()
                if happened is None:
                    self._choose_basis()
        return happened

    def _hold_together(self) -> LoopEvent | None:
        """Look whether labels hold together; without some that do not, the run begins again where it stands."""
        if self.state.policy.verdict is not None:
            return None
        with self.stopwatch("fit"):
            outcasts = self.holding.look(self.store)
        if not outcasts:
            return None
        for one in outcasts:
            self.tell.taken_out(self.state.policy.iteration, one.number, one.why, one.ask_again)
        take_out(self.store, outcasts)
        self.begun.without_withdrawn()
        self.labeller.heed_withdrawals()
        self._relearn()
        return Started(self.begun.n_handed)

    def _advise(self) -> LoopEvent | None:
        """Look at what keeps the run from its target; the oracle may be asked whether it is smooth."""
        if self.learner is None or self.state.policy.verdict is not None:
            return None
        with self.stopwatch("fit"):
            return self.adviser.look(self.learner, self.store)

    def _choose_basis(self) -> None:
        """Look for a better basis where that is due, and go on in it; a run killed meanwhile comes to the same."""
        if self.state.policy.verdict is not None or not looking_round.is_due(self.setup, self.state):
            return
        with self.stopwatch("fit"):
            self.learner = looking_round.look_round(
                self.setup, self.state, self._learned(), self.store, self.tell, self.labeller.under_way_ids
            )
        self.begun.save_state()

    def _label_seeds(self) -> LoopEvent:
        first = FirstLabels(self.setup, self.state, self.labeller, self.tell, self.stopwatch)
        answered, self.learner = first.learn(self.store)
        self.setup = self.asker.setup = self.adviser.setup = first.setup  # its starts may have been relaxed
        self.ways = Ways(self.setup, self.state)
        self.state.walkers = self.setup.walkers()
        self.state.homes = list(self.state.walkers)
        return answered

    def _explore(self, action: Explore) -> LoopEvent:
        state, learner, explorer = self.state, self._learned(), self.setup.explorer
        action = dataclasses.replace(action, novelty_limit=state.novelty.limit)
        self.tell.moved_on(self.ways.begin_block(), state)
        with self.stopwatch("explore"):
            taught = self.asker.taught(learner)
            field, calibration = learner.field, state.calibration
            walk = exploration.walk(
                explorer, field, state.walkers, action, calibration, taught=taught, watch=self.ways.watch()
            )
        if self.setup.config.acquisition.strategy == "random":
            walk = exploration.at_random(walk, state.rng)
        before = [walker.time_fs for walker in state.walkers]
        state.walkers, state.homes = exploration.next_walkers(
            explorer, walk, state.walkers, state.homes, state.rng, self.ways.starts()
        )
        state.md_steps += walk.steps
        state.basing = state.basing.worked(looking_round.work_of_block(walk.atom_steps, learner))
        self.walk = walk
        self.tell.broken(state.policy.iteration, walk)
        self.tell.parted(state.policy.iteration, walk)
        self.asker.queue.take_queries(walk, exploration.gate_limits(action))
        metrics = IterationMetrics.of(state, self.stopwatch.timing, walk)
        self.journal.measure(state.policy.iteration, metrics)
        advanced = tuple(max(0.0, w.time_fs - b) for w, b in zip(state.walkers, before, strict=True))
        return BlockEnded(advanced, self.asker.queue.n_queries, self.ways.stretches(walk, advanced))

    # --- keeping and showing ----------------------------------------------------------------------------

    def _checkpoint(self) -> None:
        state = self.state
        state.timing = self.stopwatch.timing
        state.under_way, state.shares = self.labeller.under_way_ids, self.labeller.shares
        self.labeller.keep()
        self.begun.save_state()
        if self.learner is not None and time.monotonic() - self.saved_at > SAVE_EVERY:
            self._save_model()
        write_summary(self.folder, self._summary())
        self.journal.show(make_progress(self.setup, state, self.walk, self.stopwatch))

    def _save_model(self) -> None:
        self._potential(self._learned()).save(self.folder / MODEL_FOLDER)
        self.saved_at = time.monotonic()

    def _potential(self, learner: Learner) -> Potential:
        state, oracle = self.state, self.oracle.fingerprint
        return make_potential(
            self.setup, learner, state.calibration, oracle, self.alternative, reach=state.novelty.reach
        )

    def _finish(self) -> Summary:
        if self.learner is not None:
            with self.stopwatch("fit"):
                self.alternative = alternative_of(self.learner, self.store)
            self._save_model()
            self._compute_properties(self.learner)
            self.adviser.last_look(self.learner, self.store)
        if (verdict := self.state.policy.verdict) is not None:
            self.journal.say(self.state.policy.iteration, EventKind.STOP, verdict.message, verdict.to_json())
        self._checkpoint()
        self.store.set_meta(COMPLETE, self.state.policy.iteration)
        return self._summary()

    def _compute_properties(self, learner: Learner) -> None:
        self.labeller.account = Account(self.setup.config.budget.oracle_calls, self.state.policy.calls)
        with self.stopwatch("oracle"):
            iteration = self.state.policy.iteration
            self.properties = results.compute(self.setup, self._potential(learner), self.labeller, iteration)
        self.store.set_meta(results.META_KEY, self.properties.to_json())
        for line in self.properties.describe():
            self.journal.say(iteration, EventKind.INFO, line, self.properties.to_json())

    def _summary(self) -> Summary:
        return make_summary(
            self.setup,
            self.state,
            self.stopwatch,
            oracle=self.oracle.display_name,
            model=self.folder / MODEL_FOLDER,
            properties=self.properties,
        )

    def _learned(self) -> Learner:
        if self.learner is None:
            raise AssertionError("the policy explores only after the seeds are learned")
        return self.learner

    def _walked(self) -> exploration.Walk:
        if self.walk is None:
            raise AssertionError("audits are drawn from the block just walked")
        return self.walk

"""The main flow: read this first.

    run(config, folder)      open the store, go on from the last checkpoint or begin, then
        decide(state, event) what to do next                     policy.py, pure
        perform(action)      do it, and report what happened     here: the only place with store and clock

    LabelSeeds   label the first structures, fit the first model, set the walkers off
    Explore      advance every walker by a block, judge it at every step                exploration.py, gate.py
    DrawAudits   pick random moments of that block
    Ask          score questions, put them to the oracle, learn the answers             asking.py
    AskHanded    the same for structures that were handed in from outside               asking.py, handing.py
    Checkpoint   state, conversation and numbers become durable in one transaction
    Stop         write the final model and summary

A label is durable before anything depends on it. A run killed anywhere goes on from its last checkpoint, finds
the labels made since in the store, and takes the same way as if it had never been interrupted.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.config import RunConfig, describe_changes
from thalweg.errors import StoreError
from thalweg.features import set_num_threads
from thalweg.loop import conversation, exploration, results
from thalweg.loop.asking import Asker
from thalweg.loop.desk import Desk, reference_energies
from thalweg.loop.events import (
    Action,
    Ask,
    AskHanded,
    BlockEnded,
    Checkpoint,
    DrawAudits,
    Event,
    Explore,
    LabelSeeds,
    OutOfTime,
    Started,
    Stop,
)
from thalweg.loop.executor import Labeller
from thalweg.loop.gate import Answer
from thalweg.loop.journal import Journal
from thalweg.loop.learner import Learner
from thalweg.loop.policy import PolicyState, Rules, decide, retarget
from thalweg.loop.progress import make_progress, make_summary, walker_metrics
from thalweg.loop.reporter import EventKind, NullReporter, Reporter
from thalweg.loop.setup import Setup, prepare
from thalweg.loop.state import LoopState
from thalweg.loop.stopping import StopReason
from thalweg.loop.stopwatch import Stopwatch
from thalweg.loop.summary import Summary, write_summary
from thalweg.loop.training import make_learner, relearn
from thalweg.machine import available_cores
from thalweg.oracles.base import Oracle
from thalweg.store import SqliteStore

MODEL_FOLDER = "model"
COMPLETE = "complete"
"""Name under which the store keeps the iteration of a verdict whose model and summary are written."""
SAVE_EVERY = 20.0
"""Seconds between two writings of the current model while a run goes on; it is always written at the end."""


def run(config: RunConfig, folder: Path, reporter: Reporter | None = None) -> Summary:
    """Start a run in `folder`, or go on with it, until it stops by itself.

    Raises
    ------
    InputError, OracleError
        The configuration, a structure or the oracle does not fit; nothing has been done.
    StoreError
        The folder cannot be used, is in use, or the disk is full; what was labelled is safe.
    """
    settings = config.executor
    workers = settings.workers if settings.kind == "process" else 0
    labeller = Labeller.local(config.oracle.model_dump(), workers=workers, time_limit=settings.timeout)
    # One thread for linear algebra: sums in one order give the same bits at every resume, and the matrices are
    # small enough that waiting for a second thread costs more than it brings.
    with threadpool_limits(limits=1, user_api="blas"), labeller:
        setup = prepare(config, labeller.oracle)
        with SqliteStore.open(folder) as store:
            return _Run(setup, store, labeller, folder, reporter or NullReporter()).go()


class _Run:
    """One invocation: performs what the policy decides. State is in `state`; everything else can be made again."""

    def __init__(
        self, setup: Setup, store: SqliteStore, labeller: Labeller, folder: Path, reporter: Reporter
    ) -> None:
        self.setup, self.store, self.folder = setup, store, folder
        self.labeller = labeller
        self.oracle: Oracle = labeller.oracle
        self.properties = results.recall(store)
        self.journal = Journal(store, folder, reporter)
        self.threads = available_cores()
        set_num_threads(1)
        numbers = sorted({int(z) for s in setup.structures for z in s.numbers})
        energies = reference_energies(store, labeller, numbers)
        self.state, resumed = self._recall()
        self.stopwatch = Stopwatch(self.state.timing)
        self.learner: Learner | None = None
        self.asker = Asker(setup, self.state, Desk(store, labeller), self.journal, self.stopwatch, energies)
        self.walk: exploration.Walk | None = None
        self.saved_at = time.monotonic()
        self.n_handed = len(self.asker.desk.handed())
        self._greet(resumed)

    # --- beginning --------------------------------------------------------------------------------------

    def _recall(self) -> tuple[LoopState, bool]:
        """The state at the last checkpoint, or a fresh one."""
        self.store.rewind()
        checkpoint = self.store.last_checkpoint()
        config = self.setup.config
        if checkpoint is None:
            spec = CalibrationSpec(confidence=config.target.confidence)
            rng = np.random.default_rng(config.seed)
            return LoopState(PolicyState(), rng, Calibration(spec)), False
        return LoopState.from_json(checkpoint.state), True

    def _greet(self, resumed: bool) -> None:
        """Say what begins or goes on, and let changed settings take effect."""
        config, runs = self.setup.config, self.store.runs()
        changes: list[str] = []
        if runs:
            before = RunConfig.from_json(_json(runs[-1].config))
            self._refuse_other_system(before)
            changes = describe_changes(before, config)
        self.store.start_run(config.model_dump(mode="json"), {"settings": changes} if changes else {})
        policy, rules = self.state.policy, self.setup.rules
        if not resumed:
            text = f"{self._system()} with {self.oracle.display_name}: {self.setup.basis.n_columns} features"
            self.journal.say(0, EventKind.START, text, {"n_features": self.setup.basis.n_columns})
            self._tell_handed()
            return
        text = f"resuming at call {policy.calls}, {policy.n_labels} labels learned again in memory"
        self.journal.say(policy.iteration, EventKind.RESUME, text)
        if changes:
            self.journal.say(policy.iteration, EventKind.CHANGE, conversation.changes(changes))
            self._adopt_changes(changes)
        elif _stopped_by_the_clock(policy, rules) or (self.n_handed and policy.calls < rules.oracle_calls):
            self.state.policy = retarget(policy, rules, target_changed=False)
        self._tell_handed()

    def _tell_handed(self) -> None:
        """Say what was handed in; it comes first where the budget has room, and reopens a run that has stopped."""
        if not self.n_handed:
            return
        policy, budget = self.state.policy, self.setup.rules.oracle_calls
        text = conversation.handed_in(self.n_handed, policy.calls, budget)
        kind = EventKind.INFO if policy.calls < budget else EventKind.WARNING
        self.journal.say(policy.iteration, kind, text, {"handed": self.n_handed})

    def _refuse_other_system(self, before: RunConfig) -> None:
        """Labels of another system or oracle do not belong into this run."""
        for part in ("system", "oracle", "model"):
            if getattr(before, part) != getattr(self.setup.config, part):
                raise StoreError(
                    f"{self.folder}: this run was started with another `{part}` section; labels and model would "
                    "not fit together. Choose another run folder (--run FOLDER), or set it back"
                )

    def _adopt_changes(self, changes: list[str]) -> None:
        target_changed = any(line.startswith("target.") for line in changes)
        explored = ("temperature", "walkers", "strain", "ensemble", "pressure", "coupling")
        explore_changed = any(line.startswith(f"explore.{key}") for line in changes for key in explored)
        self.state.policy = retarget(
            self.state.policy,
            self.setup.rules,
            target_changed=target_changed,
            explore_changed=explore_changed,
        )
        if explore_changed and self.state.walkers:
            fresh = self.setup.walkers()
            kept = zip(self.state.walkers, fresh, strict=False)
            warmed = [
                exploration.rethermalise(old, new.temperature, self.state.rng)
                if self.setup.md.ensemble == "npt" or np.array_equal(old.structure.cell, new.structure.cell)
                else new
                for old, new in kept
            ]
            self.state.walkers = warmed + fresh[len(warmed) :]
            self.state.homes = list(self.state.walkers)

    def _system(self) -> str:
        first = self.setup.structures[0].to_atoms()
        return f"{first.get_chemical_formula()} ({Path(self.setup.config.system.paths[0]).name})"

    # --- the loop ---------------------------------------------------------------------------------------

    def go(self) -> Summary:
        """Decide, perform, until the policy says stop."""
        if self.state.policy.verdict is not None and self._is_complete():
            return self._summary()
        if self.state.policy.n_labels:
            with self.stopwatch("fit"):
                self.learner = relearn(self.setup, self.state, self.store, self.asker.energies)
        if self.state.policy.verdict is not None:
            return self._finish()  # killed between the verdict and the writing of the model
        events: deque[Event] = deque([Started(self.n_handed)])
        while events:
            event = OutOfTime() if self._out_of_time() else events.popleft()
            self.state.policy, actions = decide(self.state.policy, event, self.setup.rules)
            for action in actions:
                if isinstance(action, Stop):
                    return self._finish()
                happened = self._perform(action)
                if happened is not None:
                    events.append(happened)
        raise AssertionError("the policy left nothing to do and did not stop")

    def _is_complete(self) -> bool:
        """Whether everything that follows the verdict has been written."""
        written = self.store.meta(COMPLETE) == self.state.policy.iteration
        return written and (self.folder / MODEL_FOLDER).exists()

    def _out_of_time(self) -> bool:
        limit = self.setup.config.budget.wall_time
        return limit is not None and self.stopwatch.running > limit

    def _perform(self, action: Action) -> Event | None:
        match action:
            case LabelSeeds():
                return self._label_seeds()
            case Explore():
                return self._explore(action)
            case Ask(n=n):
                return self.asker.ask(self._learned(), n)
            case AskHanded(n=n):
                return self.asker.ask_handed(self._learned(), n)
            case DrawAudits(n=n):
                self.asker.draw_audits(self._walked(), n)
            case Checkpoint():
                self._checkpoint()
        return None

    def _label_seeds(self) -> Event:
        learner = make_learner(self.setup, self.asker.energies)
        answered, self.learner = self.asker.label_seeds(learner)
        self.state.walkers = self.setup.walkers()
        self.state.homes = list(self.state.walkers)
        return answered

    def _explore(self, action: Explore) -> Event:
        state, learner = self.state, self._learned()
        with self.stopwatch("explore"):
            walk = exploration.walk(
                learner.field,
                state.walkers,
                action,
                state.calibration,
                self.setup.md,
                taught=self.asker.taught(learner),
                n_threads=self.threads,
            )
        if self.setup.config.acquisition.strategy == "random":
            walk = exploration.at_random(walk, state.rng)
        before = [walker.time_fs for walker in state.walkers]
        state.walkers, state.homes = exploration.next_walkers(walk, state.homes, state.rng)
        state.md_steps += walk.steps
        self.walk = walk
        self._tell_broken(walk)
        self.asker.take_questions(walk, exploration.gate_limits(action))
        self.journal.measure(state.policy.iteration, self._metrics(walk))
        advanced = tuple(max(0.0, w.time_fs - b) for w, b in zip(state.walkers, before, strict=True))
        return BlockEnded(advanced, self.asker.n_questions)

    def _tell_broken(self, walk: exploration.Walk) -> None:
        iteration = self.state.policy.iteration
        for judgement, result in zip(walk.judgements, walk.results, strict=True):
            if judgement.reason is None or judgement.answer not in (Answer.BACKTRACK, Answer.REJECT):
                continue
            where = conversation.whereabouts(judgement.walker, result.state.time_fs, result.state.temperature)
            if judgement.answer is Answer.REJECT:
                text = conversation.rejected(where, judgement.reason)
                self.journal.say(iteration, EventKind.REJECT, text, judgement.reason.to_json())
            elif judgement.moment is not None:
                back = result.state.time_fs - judgement.moment.time_fs
                text = conversation.stepped_back(where, judgement.reason, back)
                self.journal.say(iteration, EventKind.BACKTRACK, text, judgement.reason.to_json())

    # --- keeping and showing ----------------------------------------------------------------------------

    def _checkpoint(self) -> None:
        state = self.state
        state.timing = self.stopwatch.timing
        with self.store.transaction():
            self.journal.write()
            self.store.save_checkpoint(state.policy.iteration, state.to_json(), {})
        if self.learner is not None and time.monotonic() - self.saved_at > SAVE_EVERY:
            self._save_model()
        write_summary(self.folder, self._summary())
        self.journal.show(make_progress(self.setup, state, self.walk, self.stopwatch))

    def _save_model(self) -> None:
        self.asker.potential(self._learned()).save(self.folder / MODEL_FOLDER)
        self.saved_at = time.monotonic()

    def _finish(self) -> Summary:
        if self.learner is not None:
            self._save_model()
            self._compute_properties(self.learner)
        verdict = self.state.policy.verdict
        if verdict is not None:
            self.journal.say(self.state.policy.iteration, EventKind.STOP, verdict.message, verdict.to_json())
        self._checkpoint()
        self.store.set_meta(COMPLETE, self.state.policy.iteration)
        return self._summary()

    def _compute_properties(self, learner: Learner) -> None:
        with self.stopwatch("oracle"):
            self.properties = results.compute(self.setup, self.asker.potential(learner), self.labeller)
        self.store.set_meta(results.META_KEY, self.properties)
        for line in results.describe(self.properties):
            self.journal.say(self.state.policy.iteration, EventKind.INFO, line, self.properties)

    def _summary(self) -> Summary:
        return make_summary(
            self.setup,
            self.state,
            self.stopwatch,
            oracle=self.oracle.display_name,
            model=self.folder / MODEL_FOLDER,
            properties=self.properties,
        )

    def _metrics(self, walk: exploration.Walk) -> dict[str, Any]:
        timing = self.stopwatch.timing
        return {
            "oracle_calls": self.state.policy.calls,
            "n_labels": self.state.policy.n_labels,
            "timing": timing.to_json(),
            "walkers": walker_metrics(walk),
        }

    def _learned(self) -> Learner:
        if self.learner is None:
            raise AssertionError("the policy explores only after the seeds are learned")
        return self.learner

    def _walked(self) -> exploration.Walk:
        if self.walk is None:
            raise AssertionError("audits are drawn from the block just walked")
        return self.walk


def _stopped_by_the_clock(policy: PolicyState, rules: Rules) -> bool:
    """Whether the wall-time budget ended the run with calls left: then the same command goes on."""
    verdict = policy.verdict
    return verdict is not None and verdict.reason is StopReason.BUDGET and policy.calls < rules.oracle_calls


def _json(config: dict[str, Any]) -> str:
    import json

    return json.dumps(config)

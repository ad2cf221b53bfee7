"""`thalweg audit`: fresh random checks of a run's potential against its oracle, with a confidence interval.

New walkers, with random numbers never used in learning, start where the run's walkers are, forget where they
came from, and are sampled at fixed times. The sample size is fixed beforehand, and the sample is judged once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from thalweg.config import ExecutorConfig, RunConfig
from thalweg.errors import InputError, StoreError, check
from thalweg.explorers.base import CoreField, Snapshot, Walker
from thalweg.explorers.explorer import AnyExplorer
from thalweg.explorers.limits import Limits
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason
from thalweg.labelling.source import OracleSource
from thalweg.loop.asking.opening import open_labeller, where_it_runs
from thalweg.loop.beginning import FINGERPRINT, last_config, with_relaxed
from thalweg.loop.deciding.stopping import AuditSummary, Target, summarise_audits
from thalweg.loop.learning.comparing import audit_record
from thalweg.loop.setup import Setup, prepare
from thalweg.loop.state import LoopState
from thalweg.oracles.base import Oracle
from thalweg.oracles.trust import runs_named_code
from thalweg.potential import Potential
from thalweg.store import CheckpointRecord, SqliteStore, Store

SEED_OFFSET = 1_000_003
"""Added to the run's seed, once for every audit made: walkers never tread in steps used before."""
FORGET_FS = 1000.0
"""Walked before the first look, so that a walker has forgotten where it started."""
APART_FS = 500.0
"""Between two looks at one walker."""


@dataclass(frozen=True)
class AuditResult:
    """What the audit found, and whether it certifies the target by itself.

    `broken_walks` counts fresh walkers that met something unphysical on the potential: with any, nothing is certified.
    `oracle_calls` are those of this audit, failed ones included.
    """

    target: Target
    audit: AuditSummary
    certified: bool
    broken_walks: int = 0
    oracle_calls: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "target": {"force_error": self.target.force_error, "confidence": self.target.confidence},
            "audit": self.audit.to_json(),
            "certified": self.certified,
            "broken_walks": self.broken_walks,
            "oracle_calls": self.oracle_calls,
        }


def audit(
    folder: Path,
    n: int,
    config: RunConfig | None = None,
    *,
    oracle: Oracle | None = None,
    explorer: AnyExplorer | None = None,
) -> AuditResult:
    """Check the potential of the run in `folder` on `n` fresh structures.

    The run itself is left as it is; the labels stay in its store, and a run that meets one of these structures
    later need not ask for it again.

    Parameters
    ----------
    config : RunConfig or None
        A configuration whose oracle is asked. Needed where the run's oracle is code from outside of Thalweg: a folder
        may come from anywhere, and names no code that is run on its word.
    oracle : Oracle or None
        The oracle itself, where the run's was an object.
    explorer : Explorer or None
        The explorer itself, where the run's was an object.

    Raises
    ------
    InputError
        `n` is not at least 1, or the oracle must be named, or is not the run's.
    StoreError
        There is no run, or it has no model yet.
    """
    check(n >= 1, f"audit: expected at least 1 structure, got {n}")
    with SqliteStore.open(folder, create=False) as store, Arrivals(store) as arrivals:
        saved, checkpoint = _learned_by_now(store)
        source = _source(store, saved, config, oracle)
        setup = prepare(saved, source.oracle(), store.start_structures(), explorer=explorer)
        setup = with_relaxed(setup, store)
        state = LoopState.from_json(checkpoint.state, setup.explorer)
        number = int(store.meta("audits_made", 0)) + 1
        store.set_meta("audits_made", number)
        settings = _executor(saved, config, source)
        with (
            threadpool_limits(limits=1, user_api="blas"),
            open_labeller(store, arrivals, source, settings, set_aside=state.set_aside) as labeller,
        ):
            potential = Potential.load(folder / "model")
            drawn, broken = _draw(setup, state, potential, n, saved.seed + SEED_OFFSET * number)
            summary = _judge(setup, state, potential, labeller, drawn)
            certified = not broken and summary.lower_bound >= setup.rules.target.confidence
            return AuditResult(setup.rules.target, summary, certified, broken, labeller.account.calls)


def _learned_by_now(store: SqliteStore) -> tuple[RunConfig, CheckpointRecord]:
    """The run's configuration and where it stands; StoreError where it has learned nothing."""
    store.rewind()
    saved, checkpoint = last_config(store), store.last_checkpoint()
    if saved is None or checkpoint is None or not (store.folder / "model").exists():
        raise StoreError(
            f"{store.folder}: nothing to audit yet, the run has no model; continue `thalweg run` first"
        )
    return saved, checkpoint


def _executor(saved: RunConfig, config: RunConfig | None, source: OracleSource) -> ExecutorConfig:
    """Where calls run: as the caller says; of what the folder says, only how many at a time and how long."""
    if config is None:
        plain = ExecutorConfig(workers=saved.executor.workers, timeout=saved.executor.timeout)
        config = saved.model_copy(update={"executor": plain})
    return where_it_runs(config, source)[0].executor


def _source(store: Store, saved: RunConfig, config: RunConfig | None, oracle: Oracle | None) -> OracleSource:
    """The oracle to ask: one that the caller names, or a built-in one that the folder names."""
    if oracle is None and config is None and runs_named_code(saved.oracle.model_dump()):
        raise InputError(
            "audit: the run's oracle is external code, and no command runs code that only a folder names; name it: "
            "`thalweg audit RUN --config CONFIG` with the configuration of the run"
        )
    named = saved if config is None else config
    source = OracleSource.of(named.oracle.model_dump() if oracle is None else oracle)
    expected, got = store.meta(FINGERPRINT), source.oracle().fingerprint
    if expected is not None and got != expected:
        raise InputError(
            f"audit: the oracle named is not the run's; expected {expected:.300}, got {got:.300}"
        )
    return source


def _draw(
    setup: Setup, state: LoopState, potential: Potential, n: int, seed: int
) -> tuple[list[tuple[Walker, Snapshot]], int]:
    """`n` moments of fresh walkers, by the clock; and how many walks ended at something unphysical.

    A walk that ended is sampled where it was last sane, once, and restarted.
    """
    rng = np.random.default_rng(seed)
    field = CoreField(potential.elements, potential.force_field)
    explorer = setup.explorer
    fresh = [explorer.fresh(walker, seed, rng) for walker in state.walkers]
    walkers, broken = fresh, 0
    drawn: list[tuple[Walker, Snapshot]] = []
    for look in range(math.ceil(n / len(walkers))):
        time_fs = APART_FS if look else FORGET_FS
        steps = max(1, round(time_fs / explorer.step_fs))
        results = explorer.advance(field, walkers, steps, Limits(), sample_every=0)
        drawn += [(result.state, result.last) for result in results]
        insane = [result.event.is_insane for result in results]
        broken += sum(insane)
        walkers = [
            explorer.restart(result.state, start.structure, rng) if gone else result.state
            for result, start, gone in zip(results, fresh, insane, strict=True)
        ]
    return drawn[:n], broken


def _judge(
    setup: Setup,
    state: LoopState,
    potential: Potential,
    labeller: Labeller,
    drawn: list[tuple[Walker, Snapshot]],
) -> AuditSummary:
    questions = [
        Question(
            QuestionKind.CHECK,
            moment.structure,
            state.policy.iteration + 1,
            _reason(walker, moment),
            prediction=potential.predict(moment.structure),
        )
        for walker, moment in drawn
    ]
    records = [
        audit_record(state.policy.n_labels, reply.question.structure, reply.question.prediction, reply.label)
        for reply in labeller.ask(questions, width=setup.width)
        if reply.label is not None and reply.question.prediction is not None
    ]
    summary = summarise_audits(records, setup.rules.target)
    if summary is None:
        raise StoreError("the oracle failed on every structure of this audit; `thalweg doctor` may say why")
    return summary


def _reason(walker: Walker, moment: Snapshot) -> Reason:
    return Reason(
        cause="audit",
        text="audit asked for by hand",
        where=walker.where(moment),
        walker=walker.walker_id,
        time=moment.time_fs / 1000.0,
        temperature=walker.temperature,
    )

"""`thalweg audit`: fresh random checks of a run's potential against its oracle, with a confidence interval.

New walkers, with random numbers never used in learning, start where the run's walkers are, forget where they
came from, and are sampled at fixed times. The sample size is fixed beforehand, and the sample is judged once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from thalweg.config import ExecutorConfig, RunConfig
from thalweg.errors import InputError, StoreError, check
from thalweg.explorers.explorer import AnyExplorer
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason
from thalweg.labelling.source import OracleSource
from thalweg.loop.asking.opening import open_labeller, where_it_runs
from thalweg.loop.beginning import FINGERPRINT, last_config, with_relaxed
from thalweg.loop.deciding.ground import covered
from thalweg.loop.deciding.stopping import AuditRecord, AuditSummary, Target, all_blind, summarise_audits
from thalweg.loop.drawing import Drawn, Moment, draw
from thalweg.loop.learning.comparing import audit_record, evident
from thalweg.loop.setup import Setup, prepare
from thalweg.loop.state import LoopState
from thalweg.loop.telling.progress import walked_rows
from thalweg.oracles.base import Oracle
from thalweg.oracles.trust import runs_named_code
from thalweg.potential import Potential
from thalweg.store import CheckpointRecord, SqliteStore, Store

SEED_OFFSET = 1_000_003
"""Added to the run's seed, once for every audit made: walkers never tread in steps used before."""


@dataclass(frozen=True)
class AuditResult:
    """What the audit found, and whether it certifies the target by itself.

    `broken_walks` counts fresh walkers that met something unphysical on the potential: with any, nothing is certified.
    `walked` is what was walked and audited, start by start and temperature by temperature, as in a run's summary.
    `oracle_calls` are those of this audit, failed ones included.
    """

    target: Target
    audit: AuditSummary
    certified: bool
    broken_walks: int = 0
    oracle_calls: int = 0
    walked: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "target": {"force_error": self.target.force_error, "confidence": self.target.confidence},
            "audit": self.audit.to_json(),
            "certified": self.certified,
            "broken_walks": self.broken_walks,
            "oracle_calls": self.oracle_calls,
            "walked": list(self.walked),
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
            drawn = draw(setup, state, potential, n, saved.seed + SEED_OFFSET * number)
            records = _judge(setup, state, potential, labeller, drawn)
            return _result(setup, drawn, records, labeller.account.calls)


def _result(setup: Setup, drawn: Drawn, records: Sequence[AuditRecord], calls: int) -> AuditResult:
    target = setup.rules.target
    summary = summarise_audits(records, target)
    if summary is None:
        raise StoreError("the oracle failed on every structure of this audit; `thalweg doctor` may say why")
    certified = not drawn.broken and summary.meets(target)
    walked = walked_rows(setup, covered((), drawn.stretches), records)
    return AuditResult(target, summary, certified, drawn.broken, calls, walked)


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


def _judge(
    setup: Setup, state: LoopState, potential: Potential, labeller: Labeller, drawn: Drawn
) -> list[AuditRecord]:
    questions = [
        Question(
            QuestionKind.CHECK,
            moment.snapshot.structure,
            state.policy.iteration + 1,
            _reason(moment),
            prediction=potential.predict(moment.snapshot.structure),
        )
        for moment in drawn.moments
    ]
    records, n_blind = [], 0
    for reply in labeller.ask(questions, width=setup.width):
        question, prediction = reply.question, reply.question.prediction
        if reply.label is None or prediction is None:
            continue
        n_labels = state.policy.n_labels
        stated = prediction.energy_uncertainty
        record = audit_record(n_labels, question.structure, prediction, reply.label, question.reason, stated)
        if (evidence := evident(record, prediction)) is not None:
            records.append(evidence)
        else:
            n_blind += 1
    if n_blind and not records:
        raise InputError(f"audit: {all_blind(n_blind)}")
    return records


def _reason(moment: Moment) -> Reason:
    walker, snapshot = moment.walker, moment.snapshot
    return Reason(
        cause="audit",
        text="audit asked for by hand",
        where=walker.where(snapshot),
        walker=walker.walker_id,
        time=snapshot.time_fs / 1000.0,
        temperature=walker.temperature,
        start=moment.start,
    )

"""Opens a run's road to the oracle as its configuration says."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from thalweg.config import ExecutorConfig, RunConfig
from thalweg.errors import InputError
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.executors.registry import ExecutorSettings, make_executor
from thalweg.labelling.labeller import Account, Labeller
from thalweg.labelling.ladder import Ladder
from thalweg.labelling.scratch import Scratch
from thalweg.labelling.source import OracleSource
from thalweg.store import SqliteStore


def executor_settings(config: ExecutorConfig) -> ExecutorSettings:
    """The `executor` section in the terms of the executors."""
    return ExecutorSettings(config.kind, config.workers, config.timeout, config.factory or "", config.options)


def where_it_runs(config: RunConfig, source: OracleSource) -> tuple[RunConfig, str | None]:
    """The configuration with an executor that the oracle can run on, and what the user should know of it.

    An object that worker processes cannot have runs in this process, where that was not ruled out.

    Raises
    ------
    InputError
        Several workers or a time limit are asked for, which such an object cannot have.
    """
    why = source.why_not_sent() if config.executor.kind == "process" else None
    if why is None:
        return config, None
    if config.executor.workers > 1 or config.executor.timeout is not None:
        raise InputError(
            f"oracle: {why}; several workers and a time limit need that: define the oracle in a module that can be "
            "imported, or set executor: {kind: serial}"
        )
    executor = config.executor.model_copy(update={"kind": "serial"})
    warning = f"the oracle runs inside this process, not apart from it: {why}"
    return config.model_copy(update={"executor": executor}), warning


def open_labeller(
    store: SqliteStore,
    arrivals: Arrivals,
    source: OracleSource,
    config: ExecutorConfig,
    *,
    executor: Executor | None = None,
    account: Account | None = None,
    set_aside: set[str] | None = None,
) -> Labeller:
    """A labeller on the configured executor, or on the one that was handed in; other arguments as those of Labeller."""
    settings = executor_settings(config)
    place = None if config.scratch is None else Path(config.scratch)
    ladder = Ladder(
        source,
        make_executor(settings, source, arrivals.shared) if executor is None else executor,
        arrivals.arrived,
        inbox=arrivals.inbox,
        scratch=Scratch(store.folder, keep=config.keep_failed, place=place),
        time_limit=settings.time_limit,
        shut_down=executor is None,
    )
    return Labeller(store, arrivals, ladder, account=account, set_aside=set_aside)

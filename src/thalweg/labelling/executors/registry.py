"""Executors by the name that a configuration gives them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from thalweg.errors import InputError, SetupError
from thalweg.labelling.executors.process import WorkerPool
from thalweg.labelling.executors.serial import SerialExecutor
from thalweg.labelling.source import OracleSource, hold


@dataclass(frozen=True)
class ExecutorSettings:
    """Where calls run.

    Attributes
    ----------
    kind : str
        One of `executor_names()`.
    workers : int
        Calls at the same time.
    time_limit : float or None, s
        Per call.
    factory : str
        Import path of a function that returns an executor, for kind 'futures'.
    options : mapping
        Its keyword arguments.
    """

    kind: str = "process"
    workers: int = 1
    time_limit: float | None = None
    factory: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def executor_names() -> tuple[str, ...]:
    """The names that `make_executor` knows."""
    return tuple(_EXECUTORS)


def make_executor(settings: ExecutorSettings, source: OracleSource, shared: int | None = None) -> Executor:
    """The executor that `settings` names.

    Parameters
    ----------
    source : whose calls will run on it; worker processes get it ahead of their first call
    shared : a descriptor that worker processes keep open as long as they live

    Raises
    ------
    InputError, SetupError
        No such kind, or the factory does not give an executor.
    """
    make = _EXECUTORS.get(settings.kind)
    if make is None:
        raise InputError(f"executor.kind: expected one of {executor_names()}, got {settings.kind!r}")
    return make(settings, source, shared)


def _serial(settings: ExecutorSettings, source: OracleSource, shared: int | None) -> Executor:
    return SerialExecutor()


def _process(settings: ExecutorSettings, source: OracleSource, shared: int | None) -> Executor:
    return WorkerPool(
        settings.workers,
        time_limit=settings.time_limit,
        initializer=hold,
        initargs=(source,),
        shared=() if shared is None else (shared,),
    )


def _futures(settings: ExecutorSettings, source: OracleSource, shared: int | None) -> Executor:
    module, _, name = settings.factory.rpartition(".")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"executor.factory: expected the import path of a function that returns an executor, such as "
            f"my_cluster.make_executor, got {settings.factory!r}: {error}"
        ) from error
    try:
        executor = factory(**settings.options)
    except Exception as error:
        raise SetupError(
            f"executor.factory: {settings.factory} failed: {type(error).__name__}: {error}; check executor.options"
        ) from error
    if not isinstance(executor, Executor):
        raise InputError(
            f"executor.factory: {settings.factory} returned {type(executor).__name__}, expected a "
            "concurrent.futures.Executor"
        )
    return executor


_EXECUTORS: dict[str, Callable[[ExecutorSettings, OracleSource, int | None], Executor]] = {
    "process": _process,
    "serial": _serial,
    "futures": _futures,
}

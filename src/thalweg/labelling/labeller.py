"""Calls of the oracle through the standard `concurrent.futures` interface.

    Labeller      structure -> Future of its attempts: climbs the retry ladder on any executor
    SerialPool    runs at once, in this process: for oracles of milliseconds
    WorkerPool    worker processes with a time limit per task; a worker that hangs or dies is replaced

Any other `concurrent.futures.Executor` will do (Parsl, Dask, MPI): a task is a function of plain data.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

from thalweg.errors import OracleError, ThalwegError, check
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.labelling.executors.process import WorkerDied, WorkerPool
from thalweg.oracles.base import Oracle, examine
from thalweg.oracles.registry import make_oracle
from thalweg.structure import Structure

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3
"""Calls per structure before the caller puts it in quarantine: the first and two on the retry ladder."""


@dataclass(frozen=True)
class Attempts:
    """What came of one structure: the outcome of every call, the last of which decides."""

    outcomes: tuple[Outcome, ...]

    @property
    def label(self) -> Label | None:
        """The label, or None when every attempt failed."""
        last = self.outcomes[-1]
        return last if isinstance(last, Label) else None

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failed attempts, in order; the index of each is its attempt."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, Failure))

    @property
    def calls(self) -> int:
        """How many calls of the oracle it took."""
        return len(self.outcomes)


@lru_cache(maxsize=8)
def _oracle(spec: str) -> Oracle:
    return make_oracle(json.loads(spec))


def prepare_oracle(spec: str) -> None:
    """Build the oracle of a JSON spec in this process, ahead of its first call."""
    _oracle(spec)


def label_once(spec: str, structure: Structure, attempt: int = 0) -> Outcome:
    """One call of the oracle that the JSON text `spec` describes; whatever it raises is a crash.

    Raises
    ------
    OracleError
        The oracle cannot treat the system at all.
    """
    oracle = _oracle(spec)
    try:
        outcome = oracle.label(structure, attempt)
    except ThalwegError:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return Failure(FailureKind.CRASHED, message, traceback.format_exc(), oracle.fingerprint)
    return examine(structure, outcome) if isinstance(outcome, Label) else outcome


class SerialPool(Executor):
    """Runs each task when it is submitted, in the calling thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it; the future is done on return."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Labeller:
    """Labels structures on an executor and climbs the retry ladder.

    Parameters
    ----------
    spec : mapping
        The config of the oracle, as for `make_oracle`.
    executor : concurrent.futures.Executor or None
        Where calls run; None means in this process.
    attempts : int
        Calls per structure at most.
    """

    def __init__(
        self, spec: Mapping[str, Any], executor: Executor | None = None, *, attempts: int = ATTEMPTS
    ) -> None:
        check(attempts >= 1, f"attempts must be at least 1, got {attempts}")
        self.oracle = make_oracle(spec)
        """The oracle in this process, for its names and checks."""
        self.attempts = attempts
        self._spec = json.dumps(dict(spec), sort_keys=True)
        self._executor = SerialPool() if executor is None else executor

    @classmethod
    def local(
        cls,
        spec: Mapping[str, Any],
        *,
        workers: int = 0,
        time_limit: float | None = None,
        attempts: int = ATTEMPTS,
    ) -> Labeller:
        """On this machine: in this process (`workers` = 0), or in that many worker processes.

        `time_limit` (s per call) needs workers, since a call in this process cannot be cut off.
        """
        check(
            time_limit is None or workers > 0, "a time limit per oracle call needs oracle workers (1 or more)"
        )
        if workers == 0:
            return cls(spec, attempts=attempts)
        text = json.dumps(dict(spec), sort_keys=True)
        pool = WorkerPool(workers, time_limit=time_limit, initializer=prepare_oracle, initargs=(text,))
        return cls(spec, pool, attempts=attempts)

    def submit(self, structure: Structure, *, first_attempt: int = 0) -> Future[Attempts]:
        """Start labelling; the future holds every outcome, or raises OracleError.

        `first_attempt` skips rungs of the ladder that failed before an interruption.
        """
        future: Future[Attempts] = Future()
        future.set_running_or_notify_cancel()
        self._attempt(structure, first_attempt, (), future)
        return future

    def close(self) -> None:
        """Stop the workers; calls that still run are cut off."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Labeller:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _attempt(
        self, structure: Structure, attempt: int, before: tuple[Outcome, ...], future: Future[Attempts]
    ) -> None:
        def answered(task: Future[Outcome]) -> None:
            try:
                outcome = self._outcome(task)
                outcomes = (*before, outcome)
                if isinstance(outcome, Label) or attempt + 1 >= self.attempts:
                    future.set_result(Attempts(outcomes))
                else:
                    self._attempt(structure, attempt + 1, outcomes, future)
            except BaseException as error:
                future.set_exception(error)

        self._executor.submit(label_once, self._spec, structure, attempt).add_done_callback(answered)

    def _outcome(self, task: Future[Outcome]) -> Outcome:
        """The task's outcome; a worker's death and a passed time limit are outcomes too."""
        if task.cancelled():
            raise OracleError("the call of the oracle was cut off: the run is stopping")
        error = task.exception()
        if isinstance(error, FutureTimeoutError):
            return Failure(FailureKind.TIMED_OUT, str(error), "", self.oracle.fingerprint)
        if isinstance(error, WorkerDied):
            return Failure(FailureKind.CRASHED, str(error), error.log, self.oracle.fingerprint)
        return task.result()

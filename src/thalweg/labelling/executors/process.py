"""Worker processes with a time limit per task: one that hangs or dies is replaced, and other tasks are unaffected.

Each worker is a fresh interpreter (no fork, no import of the caller's script) with numerical libraries set to
one thread, driven by one thread of this process over a pair of pipes. It ends with this process, however that ends:
a call gets GRACE_S to leave its answer; a longer one is stopped with everything it started.
"""

from __future__ import annotations

import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from thalweg.errors import SetupError, check
from thalweg.labelling.executors.processes import DELIVERY_S, GRACE_S, environment, kill_all

P = ParamSpec("P")
T = TypeVar("T")

START_LIMIT_S = 120.0
"""A worker that is not ready after this time never will be."""

START_TRIES = 3
"""A worker that dies while it starts was killed by somebody: another is started, so often at most."""

LOOK_S = 0.5
"""Between two looks at whether a worker that is silent is still there."""

LOG_TAIL = 4000
"""Characters kept of what a dead worker wrote to its standard error."""

_Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class WorkerDied(Exception):  # noqa: N818 - an event, not a fault of this program
    """A worker process ended in the middle of a task; `log` is the end of its standard error."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(
        self, initializer: Callable[..., Any] | None, initargs: tuple[Any, ...], shared: tuple[int, ...]
    ) -> None:
        child_reads, parent_writes = os.pipe()
        parent_reads, child_writes = os.pipe()
        child_watches, self._alive = os.pipe()  # never written to: its end tells the worker that we are gone
        self._mark = uuid.uuid4().hex
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        ends = (child_reads, child_writes, child_watches)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "thalweg.labelling.executors.worker", *map(str, ends)],
            pass_fds=(*ends, *shared),
            env=environment(self._mark),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,  # Ctrl-C is for the parent; and kill() takes all that a worker started
        )
        for end in ends:
            os.close(end)
        self.to = Connection(parent_writes, readable=False)
        self.back = Connection(parent_reads, writable=False)
        self._get_ready(initializer, initargs)

    def _get_ready(self, initializer: Callable[..., Any] | None, initargs: tuple[Any, ...]) -> None:
        try:
            self.to.send((initializer, initargs))
        except BrokenPipeError as error:
            raise WorkerDied("a worker process died while it started", self.end()) from error
        if not self.wait(START_LIMIT_S):
            log = self.end()
            raise SetupError(f"a worker process was not ready after {START_LIMIT_S:g} s; it wrote: {log}")
        kind, value = self.receive()
        if kind == "error":
            self.end()
            raise value

    def wait(self, limit: float | None) -> bool:
        """Whether a message comes within `limit` seconds; WorkerDied when the process is gone.

        The pipe alone does not tell: a process that the call has forked may hold it open.
        """
        end = math.inf if limit is None else time.monotonic() + limit
        while not self.back.poll(min(LOOK_S, max(0.0, end - time.monotonic()))):
            if self.process.poll() is not None and not self.back.poll(0):
                raise self._died()
            if time.monotonic() >= end:
                return False
        return True

    def receive(self) -> tuple[str, Any]:
        """The next message; WorkerDied when the process is gone."""
        try:
            kind, value = self.back.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        return kind, value

    def _died(self) -> WorkerDied:
        code = self.process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return WorkerDied(f"the oracle's process died ({how})", self.end())

    def let_go(self) -> None:
        """Have the worker end by itself, as if its run were gone: at once, or once its call has had its grace."""
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1

    def kill(self) -> None:
        """Kill the process and whatever it started (an external program, say), also where it died by itself."""
        alive = self.process.poll() is None
        kill_all(self.process.pid, mark=self._mark, itself=alive)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> str:
        """Kill the process, close the pipes, return the end of its log."""
        self.kill()
        self.process.wait()
        self.to.close()
        self.back.close()
        self.let_go()
        if self.errors.closed:
            return ""
        with self.errors as file:
            file.seek(0)
            return file.read()[-LOG_TAIL:].decode("utf-8", errors="replace")


class WorkerPool(Executor):
    """`concurrent.futures.Executor` on worker processes.

    Parameters
    ----------
    workers : int
    time_limit : float or None, s
        Per task, counted from its start on a ready worker; past it the future raises TimeoutError.
    initializer, initargs
        Called once in each worker before its first task; what it raises is raised by the task.
    shared : descriptors that every worker keeps open as long as it lives

    A task whose worker dies gets WorkerDied. Functions and arguments must be importable by name, not
    defined in a script.
    """

    runs_here = True
    keeps_outcomes = True

    def __init__(
        self,
        workers: int,
        *,
        time_limit: float | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: tuple[Any, ...] = (),
        shared: tuple[int, ...] = (),
    ) -> None:
        check(workers >= 1, f"oracle workers: at least 1, got {workers}")
        check(time_limit is None or time_limit > 0, f"the time limit must be positive, got {time_limit} s")
        self._time_limit = time_limit
        self._start = (initializer, initargs, shared)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._cut_off = threading.Event()
        self._lock = threading.Lock()
        self._live: dict[int, _Worker] = {}
        self._busy: set[int] = set()
        self._idle = threading.Condition()
        self._threads = [
            threading.Thread(target=self._drive, args=(n,), name=f"thalweg-worker-{n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a task."""
        if self._closing.is_set():
            raise SetupError("the pool of workers is closed and accepts no more tasks")
        future: Future[T] = Future()
        self._tasks.put((future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what is queued, or with `cancel_futures` drop it and cut off what runs; end the workers.

        What is cut off has GRACE_S to end by itself: an answer that is about to come is not thrown away.
        """
        self._closing.set()
        if cancel_futures:
            self._cut_off.set()
            self._cancel_queued()
            self._each_worker(_Worker.let_go)
            with self._idle:  # a worker that holds on longer does not hear: a library keeps it from listening
                self._idle.wait_for(lambda: not self._busy, GRACE_S + DELIVERY_S)
            self._each_worker(_Worker.kill)
        for _ in self._threads:
            self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _each_worker(self, does: Callable[[_Worker], None]) -> None:
        with self._lock:
            for worker in self._live.values():
                does(worker)

    def _cancel_queued(self) -> None:
        try:
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    task[0].cancel()
                    task[0].set_running_or_notify_cancel()
        except queue.Empty:
            pass

    def _drive(self, slot: int) -> None:
        """One thread: keep a worker alive, take tasks, hand over, wait."""
        with suppress(Exception):  # the first task says what is wrong, if anything is
            self._worker(slot)
        while (task := self._tasks.get()) is not None:
            future, fn, args, kwargs = task
            if not future.set_running_or_notify_cancel():
                continue
            self._busy.add(slot)
            try:
                result = self._run(slot, fn, args, kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            with self._idle:
                self._busy.discard(slot)
                self._idle.notify_all()
        worker = self._drop(slot)
        if worker is not None:
            worker.end()

    def _run(self, slot: int, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        worker = self._worker(slot)
        start = time.monotonic()
        try:
            worker.to.send((fn, args, kwargs))
            if not worker.wait(self._time_limit):
                raise FutureTimeoutError(f"no answer within the time limit of {self._time_limit:g} s")
            kind, value = worker.receive()
        except (BrokenPipeError, FutureTimeoutError, WorkerDied) as error:
            self._drop(slot)
            log = worker.end()
            if self._cut_off.is_set():
                raise SetupError("the pool of workers is closed: the call was cut off") from error
            if isinstance(error, BrokenPipeError):
                raise WorkerDied(f"the worker died after {time.monotonic() - start:.1f} s", log) from error
            raise
        if kind == "error":
            raise value
        return value

    def _worker(self, slot: int) -> _Worker:
        """The slot's worker, ready; a new one where there is none or where it is dead."""
        worker = self._live.get(slot)
        if worker is not None and worker.process.poll() is None:
            return worker
        if (dead := self._drop(slot)) is not None:
            dead.end()
        worker = self._start_worker()
        with self._lock:
            self._live[slot] = worker
            if self._cut_off.is_set():
                worker.kill()
        return worker

    def _start_worker(self) -> _Worker:
        for _ in range(START_TRIES - 1):
            with suppress(WorkerDied):
                return _Worker(*self._start)
        try:
            return _Worker(*self._start)
        except WorkerDied as error:
            raise SetupError(f"a worker process could not start: {error}; it wrote: {error.log}") from error

    def _drop(self, slot: int) -> _Worker | None:
        with self._lock:
            return self._live.pop(slot, None)

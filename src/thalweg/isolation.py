"""A foreign program's call, kept out of the run's reach: current folder, standard output, random numbers, settings.

    with isolated() as folder:      the current folder is a fresh, empty one; what is printed goes into a file of it
        ...                         call code that you do not know

Whatever the code does to the current folder, `sys.stdout`, the file descriptors 1 and 2, the environment, the global
random generators, NumPy's error state or the handlers of signals is undone at the end. A call inside another one's
isolation shares the folder of the outer one.

Threads of a process share all of that, so isolated calls of one process take turns, and only in its main thread is what
is printed caught: calls that are to run at the same time need processes.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import numpy as np

PRINTED = "printed.txt"
"""File of the call's folder that holds what the code printed."""
_GUARDED = (signal.SIGINT, signal.SIGTERM)

_turn = threading.RLock()
_inside = threading.local()
"""`folder`: that of the isolated call that this thread is in."""

STARTED_IN = Path(os.environ.get("THALWEG_STARTED_IN") or Path.cwd())
"""Where the command was given: relative paths of a user's settings start from it, also in worker processes."""


@contextmanager
def isolated(folder: Path | None = None, *, seed: str = "") -> Iterator[Path]:
    """Isolate what runs inside; yields the folder it runs in.

    Parameters
    ----------
    folder : an empty folder to run in, left as it is at the end; None: a temporary one, removed at the end
    seed : the global random generators of `random` and NumPy start from this text, so that code which uses them
        answers the same at every call; they are set back at the end
    """
    outer: Path | None = getattr(_inside, "folder", None)
    if outer is not None:
        yield outer
        return
    with _turn, ExitStack() as stack:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="thalweg-")).resolve()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        _inside.folder = folder
        stack.callback(setattr, _inside, "folder", None)
        for guard in (_environment(), _random_numbers(seed), _current(folder), np.errstate()):
            stack.enter_context(guard)
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_signals())
            stack.enter_context(_output(folder))
        yield folder


@contextmanager
def _current(folder: Path) -> Iterator[None]:
    """The current folder, by descriptor: it is found again even when it was moved meanwhile."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@contextmanager
def _output(folder: Path) -> Iterator[None]:
    """Whatever is printed, by Python or below it, goes into PRINTED."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    kept = [(number, os.dup(number)) for number in (1, 2) if _is_open(number)]
    with (folder / PRINTED).open("ab", buffering=0) as file:
        text = io.TextIOWrapper(io.FileIO(os.dup(file.fileno()), "w"), errors="replace", write_through=True)
        for number, _ in kept:
            os.dup2(file.fileno(), number)
        try:
            with redirect_stdout(text), redirect_stderr(text):
                yield
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
            with suppress(ValueError):  # the code closed it
                text.close()
    _drop_if_empty(folder / PRINTED)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _drop_if_empty(path: Path) -> None:
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def _random_numbers(seed: str) -> Iterator[None]:
    before = random.getstate(), np.random.get_state()
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "little")
    random.seed(number)
    np.random.seed(number)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


@contextmanager
def _signals() -> Iterator[None]:
    """Handlers as they were: a library that installs its own must not take Ctrl-C from the run."""
    before = [(number, signal.getsignal(number)) for number in _GUARDED]
    try:
        yield
    finally:
        for number, handler in before:
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

"""The other end of a worker process: `python -m thalweg.labelling.executors.worker READ_FD WRITE_FD WATCH_FD`.

Answers every task (function, args, kwargs) with ("result", value) or ("error", exception), after a first
message ("ready", None) when the initializer has run.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from thalweg.labelling.executors.processes import ANSWERED, DELIVERY_S, GRACE_S, MARK, kill_all

_idle = threading.Event()


def _end_with_parent(watched: int, mark: str) -> None:
    """End this process and all it started when its parent is gone; a call that is about to end may leave its answer."""
    os.read(watched, 1)
    if not _idle.wait(GRACE_S) and ANSWERED.is_set():
        _idle.wait(DELIVERY_S)
    kill_all(os.getpid(), mark=mark, itself=False)
    os.killpg(0, signal.SIGKILL)


def _answer(out: Connection, kind: str, value: Any) -> None:
    try:
        out.send((kind, value))
    except Exception as error:
        out.send(("error", RuntimeError(f"the answer cannot be sent back: {error}; it was {value!r:.200}")))


def serve(tasks: Connection, out: Connection) -> None:
    """Work until the pipe closes."""
    initializer, initargs = tasks.recv()
    try:
        if initializer is not None:
            initializer(*initargs)
    except Exception as error:
        _answer(out, "error", error)
        return
    _answer(out, "ready", None)
    while True:
        _idle.set()
        try:
            fn, args, kwargs = tasks.recv()
        except EOFError:
            return
        _idle.clear()
        ANSWERED.clear()
        try:
            value = fn(*args, **kwargs)
        except BaseException as error:
            _answer(out, "error", error)
        else:
            _answer(out, "result", value)


def main() -> None:
    """Entry point of a worker."""
    # a copy of standard error: the one of the call that crashes goes into that call's folder
    faulthandler.enable(os.fdopen(os.dup(2), "w"))
    read, write, watched = (int(number) for number in sys.argv[1:4])
    _keep_descriptors()
    threading.Thread(target=_end_with_parent, args=(watched, os.environ.get(MARK, "")), daemon=True).start()
    serve(Connection(read, writable=False), Connection(write, readable=False))


def _keep_descriptors() -> None:
    """Programs that a call starts must not keep our pipes and locks open."""
    for descriptor in range(3, 256):
        with suppress(OSError):
            os.set_inheritable(descriptor, False)


if __name__ == "__main__":
    main()

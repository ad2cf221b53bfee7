"""The other end of a worker process: `python -m thalweg.labelling.executors.worker READ_FD WRITE_FD`.

Answers every task (function, args, kwargs) with ("result", value) or ("error", exception), after a first
message ("ready", None) when the initializer has run.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any


def _die_with_parent(parent: int) -> None:
    """End this process and all it started within a second of its parent's death, also amid a task."""
    while os.getppid() == parent:
        time.sleep(1.0)
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
        try:
            fn, args, kwargs = tasks.recv()
        except EOFError:
            return
        try:
            value = fn(*args, **kwargs)
        except Exception as error:
            _answer(out, "error", error)
        else:
            _answer(out, "result", value)


def main() -> None:
    """Entry point of a worker."""
    faulthandler.enable()
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    read, write = int(sys.argv[1]), int(sys.argv[2])
    serve(Connection(read, writable=False), Connection(write, readable=False))


if __name__ == "__main__":
    main()

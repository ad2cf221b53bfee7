"""What the command line does when something goes wrong: one clear message and an exit code, no traceback.

Deliberate errors (ThalwegError) print their message. Anything else is a defect: its traceback goes into a log
file and the message says where. THALWEG_TRACEBACK=1 shows tracebacks of both kinds.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TextIO

import typer
from typer.core import TyperGroup

from thalweg.errors import InputWarning, SetupError, StoreError, ThalwegError

OK, UNEXPECTED, INPUT, UNCERTIFIED, SETUP, STORE, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 5, 130, 141

EXIT_CODES = (
    "Exit codes: 0 done; 1 a defect in Thalweg; 2 a mistake in the input; 3 stopped or audited "
    "without reaching the target; 4 something is missing on this machine; 5 the run folder cannot "
    "be used; 130 interrupted (state is saved); 141 the reading end of a pipe was closed."
)

_MISTAKEN = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "part of this path is a file, not a folder",
    errno.EISDIR: "this is a folder, expected a file",
    errno.EEXIST: "a file with this name already exists",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter one",
    errno.ELOOP: "this link points back to itself",
}
_MACHINE = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_SETUP = (SetupError, MemoryError)
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


LONGEST = 8000
"""Characters of a message."""


class UnexpectedError(Exception):
    """A defect, with its traceback already in the log at `log`."""

    def __init__(self, error: BaseException, log: Path | None) -> None:
        super().__init__(str(error))
        self.error, self.log = error, log


class GuardedGroup(TyperGroup):
    """A group of verbs whose failures all end here, whichever verb and whichever runner calls it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; translate what it raises into a message on stderr and an exit code."""
        try:
            with telling_input_warnings():
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except (
            ThalwegError,
            OSError,
            MemoryError,
            UnicodeEncodeError,
            UnexpectedError,
            KeyboardInterrupt,
        ) as error:
            raise typer.Exit(explain(error)) from None
        except Exception as error:
            if _belongs_to_the_parser(error):
                raise
            raise typer.Exit(explain(UnexpectedError(error, write_log(error, None)))) from None


@contextmanager
def telling_input_warnings() -> Iterator[None]:
    """Inside, what is made of the user's input is said on stderr, each sentence once."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        elsewhere = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, InputWarning):
                elsewhere(message, category, filename, lineno, file, line)
            elif str(message) not in said:
                said.add(str(message))
                _say(f"note: {message}")

        warnings.showwarning = show
        yield


@contextmanager
def logging_defects(folder: Path) -> Iterator[None]:
    """Inside, the traceback of a defect goes to `folder`/thalweg.log rather than to a temporary file."""
    try:
        yield
    except (ThalwegError, OSError, MemoryError, UnicodeEncodeError, typer.Exit):
        raise
    except Exception as error:
        raise UnexpectedError(error, write_log(error, folder)) from error


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Inside, SIGTERM, by which batch systems end jobs, and the end of a terminal are the same as Ctrl-C.

    What the caller ignores (`nohup`) stays ignored.
    """

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def write_log(error: BaseException, folder: Path | None) -> Path | None:
    """Append the traceback to a log file; its path, or None when no file can be written."""
    text = "".join(traceback.format_exception(error))
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    places = [folder / "thalweg.log"] if folder is not None and folder.is_dir() else []
    for path in (*places, Path(tempfile.gettempdir()) / f"thalweg-error-{os.getpid()}.log"):
        try:
            with path.open("a", encoding="utf-8") as log:
                log.write(f"{stamp} unexpected error\n{text}")
        except OSError:
            continue
        return path
    return None


def explain(error: BaseException) -> int:
    """Print the message for `error` on stderr; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        silence(sys.stdout)
        return PIPE
    if isinstance(error, KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED
    if os.environ.get("THALWEG_TRACEBACK", "") not in {"", "0"}:
        traceback.print_exception(getattr(error, "error", error), file=sys.stderr)
    if isinstance(error, UnexpectedError):
        where = f"the traceback is in {error.log}" if error.log else "THALWEG_TRACEBACK=1 shows the traceback"
        _say(
            f"a defect in Thalweg, not in your input: {type(error.error).__name__}: {error}\n"
            f"Please report it; {where}. Labels that were obtained are kept."
        )
        return UNEXPECTED
    if isinstance(error, OSError):
        _say(_explain_os(error))
        _let_go(sys.stdout)
        return INPUT if error.errno in _MISTAKEN else SETUP
    _say(_in_words(error))
    return STORE if isinstance(error, StoreError) else SETUP if isinstance(error, _SETUP) else INPUT


def _in_words(error: BaseException) -> str:
    if isinstance(error, UnicodeEncodeError):  # a name of bytes that are no text, in a file that has to be
        return _explain_name(error)
    if isinstance(error, MemoryError):
        what = f" ({error})" if str(error) else ""
        return (
            f"there is not enough memory for this{what}; take smaller structures, fewer walkers or a smaller basis "
            "(model.max_degree)"
        )
    return str(error)


def _explain_os(error: OSError) -> str:
    file = f"{error.filename}: " if error.filename else ""
    if error.errno in _MISTAKEN:
        return f"{file}{_MISTAKEN[error.errno]}"
    if error.errno in _MACHINE:
        return (
            f"{file}{_MACHINE[error.errno]}; free some space and run the same command again; nothing is lost"
        )
    if error.errno in _DENIED:
        return f"{file}no permission ({error.strerror}); choose another folder or change its permissions"
    return f"{file}{error.strerror or error}"


def _explain_name(error: UnicodeEncodeError) -> str:
    name = next((word for word in str(error.object).split() if not word.isprintable()), str(error.object))
    shown = ascii(name)[:300]
    return f"{shown}: this name is not valid UTF-8, which Thalweg's files need; rename the file or folder"


def _say(message: str) -> None:
    """On stderr, on few lines: a hostile file may have put anything into a message."""
    shown = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message)
    typer.echo(f"thalweg: {shown if len(shown) <= LONGEST else shown[:LONGEST] + ' ...'}", err=True)


def _let_go(stream: IO[str]) -> None:
    """Silence a stream that takes nothing more, as on a full disk."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: IO[str]) -> None:
    """Point a stream whose reader went away at nothing: Python flushes it at exit and would complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # no real file, as in tests
        return


def _belongs_to_the_parser(error: Exception) -> bool:
    """Usage errors, aborts and exits of typer, whose classes move between its versions."""
    modules = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    return bool(modules & {"typer", "click"})

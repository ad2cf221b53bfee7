"""From whatever a calculator raises to a typed Failure."""

from __future__ import annotations

import functools
import re
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TypeVar, cast

from thalweg.errors import OracleError
from thalweg.label import Failure, FailureKind
from thalweg.oracles.base import Oracle
from thalweg.oracles.excerpt import Reason, excerpt, find_reason, speaks_of_convergence
from thalweg.oracles.mistakes import element_left_out, is_mistake

_F = TypeVar("_F", bound=Callable[..., object])
_LAUNCHERS = {
    "mpirun",
    "mpiexec",
    "mpiexec.hydra",
    "orterun",
    "srun",
    "aprun",
    "jsrun",
    "env",
    "nice",
    "time",
}
_REFUSALS = {
    "PropertyNotImplementedError",
    "NotImplementedError",
    "CalculatorSetupError",
    "BadConfiguration",
    "EnvironmentError",
    "InputError",
}
"""Errors of calculators (by name, theirs and their bases') after which the same call cannot succeed.

ASE calls an OSError of its own `EnvironmentError`; Python's has the name OSError.
"""
_LONG = 4000
"""Characters of an exception's text that are looked at."""
_NOT_FOUND = 127
"""Exit status of a shell that does not find the program."""


def never_raises(label: _F) -> _F:
    """Decorate an oracle's `label(structure, attempt)`: whatever it raises, Ctrl-C apart, becomes a Failure."""

    @functools.wraps(label)
    def guarded(self: Oracle, *args: object, **options: object) -> object:
        start = time.perf_counter()
        try:
            return label(self, *args, **options)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit as well: a program must not end the run
            return failure_of(error, self, start)

    return cast(_F, guarded)


def failure_of(error: BaseException, oracle: Oracle, start: float, folder: Path | None = None) -> Failure:
    """The Failure that `error` is.

    Parameters
    ----------
    start : time.perf_counter() at the beginning of the call
    folder : where the calculation left its files; the reason is looked for in them
    """
    reason = find_reason(folder) if folder is not None else None
    kind, message = _judge(error, reason, oracle.display_name)
    parts = [excerpt(folder)] if folder is not None else []
    parts.append("".join(traceback.format_exception(error))[-4000:])
    log = "\n".join(part for part in parts if part)
    return Failure(kind, message, log, oracle.fingerprint, time.perf_counter() - start)


def _judge(error: BaseException, reason: Reason | None, name: str) -> tuple[FailureKind, str]:
    absent = absent_program(error)
    if absent is not None:
        return FailureKind.REFUSED, f"the program {absent} cannot be started; install it, or correct its path"
    program = _program(error)
    if reason is not None and (reason.specific or reason.unconverged or program):
        return _kind_of(reason), f"{program or name}: {reason.text}"
    message = words(error)
    names = {cls.__name__ for cls in type(error).__mro__}
    if any("SCFError" in n or "Convergence" in n for n in names) or speaks_of_convergence(message):
        return FailureKind.UNCONVERGED, message
    if isinstance(error, OracleError):
        return FailureKind.REFUSED, str(error)
    element = element_left_out(error)
    if element is not None:
        return FailureKind.REFUSED, (
            f"the calculator's options hold nothing for {element} ({message}); name its pseudopotential or basis there"
        )
    hopeless = names & _REFUSALS or is_mistake(message)
    return FailureKind.REFUSED if hopeless else FailureKind.CRASHED, message


def _kind_of(reason: Reason) -> FailureKind:
    if reason.unconverged:
        return FailureKind.UNCONVERGED
    return FailureKind.REFUSED if is_mistake(reason.text) else FailureKind.CRASHED


def words(error: BaseException) -> str:
    """Type and text of an exception, also of one whose text cannot be made; of a long text both ends."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be made)"
    if len(text) > _LONG:
        text = f"{text[: _LONG // 2]} [...] {text[-_LONG // 2 :]}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def absent_program(error: BaseException) -> str | None:
    """The program that could not be started, when that is what the error says."""
    if isinstance(error, subprocess.CalledProcessError) and error.returncode == _NOT_FOUND:
        return repr(_program(error))
    if isinstance(error, FileNotFoundError | PermissionError):
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        if last is not None and last.tb_frame.f_globals.get("__name__") == "subprocess":
            return repr(str(error.filename))
    return None


def _program(error: BaseException) -> str | None:
    """The program behind a failed command: its name, without path, launcher and options."""
    if not isinstance(error, subprocess.CalledProcessError):
        failed = re.search(r'failed with command "([^"]+)"', words(error))
        command: object = failed.group(1) if failed else None
    else:
        command = error.cmd
    if command is None:
        return None
    parts = command.split() if isinstance(command, str) else [str(part) for part in command]  # type: ignore[attr-defined]
    names = [PurePath(part).name for part in parts if not part.startswith("-")]
    for name in names:
        if name and name not in _LAUNCHERS and not name.isdigit() and "=" not in name:
            return name
    return names[0] if names else None

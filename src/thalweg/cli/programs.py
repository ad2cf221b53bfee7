"""Programs that Thalweg reaches through ASE: whether they are there, and whether they answer when they are started."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from thalweg.errors import SetupError

PATIENCE = 20.0
"""s. A program that has not answered by then is stopped."""


class AbsentError(Exception):
    """The part is not installed."""


class FoundError(Exception):
    """The part is there, and nothing was called."""


@dataclass(frozen=True)
class Program:
    """A program; `look` starts it and says what it answered, or raises AbsentError, FoundError or SetupError."""

    title: str
    look: Callable[[], str]
    cure: str


def answer_of(command: Sequence[str], pattern: str, path: str, given: str = "") -> str:
    """What a program prints where `pattern` matches: its first group.

    The program runs in an empty folder and is stopped, with its children, after PATIENCE.

    Raises
    ------
    SetupError
        It cannot be started, does not end, or answers something else.
    """
    with tempfile.TemporaryDirectory(prefix="thalweg-", ignore_cleanup_errors=True) as folder:
        output = _run(command, folder, given)
    found = re.search(pattern, output)
    if found is None:
        said = " ".join(output.split())[-200:]
        raise SetupError(f"{path} was started but printed no version; it printed: {said or '(nothing)'}")
    return f"{' '.join(found.group(1).split())} answers; {path}"


def _run(command: Sequence[str], folder: str, given: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be started: {error}") from error
    try:
        output, _ = process.communicate(given.encode(), timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise SetupError(f"{command[0]} did not answer within {PATIENCE:g} s") from None
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return (output[:50_000] + output[50_000:][-50_000:]).decode("utf-8", errors="replace")


def _find(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise AbsentError(f"{' or '.join(names)} is not on the PATH")


def _espresso() -> str:
    """Without an input pw.x prints its banner and stops."""
    path = _find("pw.x")
    return answer_of([path], r"Program\s+(PWSCF\s+v\.?\s*\S+)", path)


def _cp2k() -> str:
    path = _find("cp2k.psmp", "cp2k.ssmp", "cp2k.popt", "cp2k.sopt", "cp2k", "cp2k_shell.psmp", "cp2k_shell")
    if "shell" in Path(path).name:
        raise FoundError(path)
    return answer_of([path, "--version"], r"(CP2K version \S+)", path)


def _orca() -> str:
    """The desktop's screen reader has the same name; it is a script and must not be started."""
    path = _find("orca")
    with Path(path).open("rb") as file:
        if file.read(2) == b"#!":
            raise AbsentError(
                f"{path} is a script: the desktop's screen reader, or a wrapper that is not started here"
            )
    return answer_of([path, "thalweg-doctor.inp"], r"(Program Version\s+\S+)", path)


_PATH = "install it and put it on the PATH; `oracle: {{name: ase, calculator: {0}, ...}}` uses it"

PROGRAMS = (
    Program("Quantum ESPRESSO", _espresso, _PATH.format("ase.calculators.espresso.Espresso")),
    Program("CP2K", _cp2k, _PATH.format("ase.calculators.cp2k.CP2K")),
    Program("ORCA", _orca, _PATH.format("ase.calculators.orca.ORCA")),
)

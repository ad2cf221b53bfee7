"""How verbs print: JSON for scripts, tables for people."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from thalweg.errors import InputError


class Terminal(Console):
    """A console that leaves a closed pipe to the caller; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Called by rich while it handles the BrokenPipeError."""
        raise BrokenPipeError


def terminal() -> Console:
    """Where verbs print for people."""
    return Terminal(highlight=False)


def say(notices: Iterable[str]) -> None:
    """What a store has to say of itself, on stderr."""
    for notice in notices:
        typer.echo(f"thalweg: {notice}", err=True)


def print_json(document: Any) -> None:
    """One JSON document on stdout; not-a-number becomes null, since JSON has none."""
    typer.echo(_printable(json.dumps(_finite(document), indent=2, ensure_ascii=False)))


@contextmanager
def stdout_kept_for_json(wanted: bool = True) -> Iterator[None]:
    """Inside, whatever prints on stdout, also a thread of an oracle or a program, does so on stderr."""
    kept = os.dup(1) if wanted and _are_open(1, 2) else None
    if kept is None:
        yield
        return
    sys.stdout.flush()
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _are_open(*descriptors: int) -> bool:
    try:
        for descriptor in descriptors:
            os.fstat(descriptor)
    except OSError:
        return False
    return True


def _printable(text: str) -> str:
    """The text with what no encoding can hold, such as a file name of another time, as an escape of JSON."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def run_folder(path: Path) -> Path:
    """`path` if it is the folder of a run; raises InputError otherwise."""
    if not path.is_dir():
        raise InputError(f"{path}: no such run folder; expected the folder that `thalweg run` printed")
    if not (path / "thalweg.db").is_file() and not (path / "summary.json").is_file():
        raise InputError(f"{path}: this folder holds no run (neither thalweg.db nor summary.json)")
    return path


def model_folder(path: Path) -> Path:
    """A run's model, or the folder itself; raises InputError where there is no folder."""
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; expected a run's folder or a saved potential's")
    inner = path / "model"
    if (path / "potential.json").exists():
        return path
    if (inner / "potential.json").exists():
        return inner
    if any((path / name).exists() for name in ("thalweg.db", "summary.json")):
        raise InputError(f"{path}: this run has no potential yet; continue it with `thalweg run`")
    return path


def check_output(path: Path, force: bool) -> None:
    """Raises InputError where a file is to be written and a folder is, or a file that is not to be overwritten."""
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; --output must name a file")
    check_parents(path)
    if path.exists() and not force:
        raise InputError(
            f"{path}: already exists; overwrite it with --force, or name another file with --output"
        )


def check_parents(path: Path) -> None:
    """Raises InputError where a file stands where a folder of the path should be."""
    for parent in path.absolute().parents:
        if parent.exists():
            if not parent.is_dir():
                raise InputError(
                    f"{path}: {parent} is a file, so nothing can be written inside it; choose another name"
                )
            return


def check_output_folder(path: Path) -> None:
    """Raises InputError where a folder is to be written and a file is."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: expected a folder, but this is a file; choose another name")
    check_parents(path)


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"

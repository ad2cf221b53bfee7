"""What every benchmark shares: timing, the machine's description, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
EXAMPLES = Path(__file__).parent.parent / "examples"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the least and the median over repeats."""

    least: float
    median: float


def timed(call: Callable[[], object], *, repeats: int = 7, warm_up: int = 1, least_s: float = 0.05) -> Timing:
    """Time `call`, in a loop where it takes less than `least_s` seconds."""
    for _ in range(warm_up):
        call()
    start = time.perf_counter()
    call()
    loops = max(1, int(least_s / max(time.perf_counter() - start, 1e-9)))
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(loops):
            call()
        samples.append((time.perf_counter() - start) / loops)
    return Timing(min(samples), statistics.median(samples))


def machine() -> dict[str, Any]:
    """Where and with what the figures were measured; the load says whether the machine was shared."""
    names = ("thalweg", "numpy", "scipy", "ase", "tblite")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "not set"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in names},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(
        line.split("\t", 1) for line in lines if line.startswith(("model name", "cpu MHz", "cache size"))
    )
    return ", ".join(value.strip(" :\t") for value in fields.values()) or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with --output."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--output", type=Path, help="JSON file [default: benchmarks/results/<name>.json]")
    return made


def show(title: str, rows: Sequence[Row]) -> None:
    """Print rows of equal keys as a table; numbers with four significant digits."""
    print(f"\n{title}")
    if not rows:
        print("  (nothing)")
        return
    columns = [[key, *(_cell(row.get(key)) for row in rows)] for key in rows[0]]
    widths = [max(map(len, column)) for column in columns]
    for cells in zip(*columns, strict=True):
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def write(name: str, document: Mapping[str, Any], output: Path | None) -> Path:
    """Write the document with the machine's description, and say where."""
    path = _save(name, document, output)
    print(f"\nwritten to {path}")
    return path


def write_as_they_come(
    name: str, title: str, rows: Iterable[Row], about: Mapping[str, Any], output: Path | None
) -> None:
    """Print and write each row as soon as it is there, beside what the document is `about`; then show the table."""
    done: list[Row] = []
    for row in rows:
        done.append(row)
        print(row, flush=True)
        _save(name, {**about, "rows": done}, output)
    show(title, done)
    write(name, {**about, "rows": done}, output)


def _save(name: str, document: Mapping[str, Any], output: Path | None) -> Path:
    path = output or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"benchmark": name, "machine": machine(), **document}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8")
    return path


def _plain(value: Any) -> Any:
    """NumPy numbers and arrays for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")

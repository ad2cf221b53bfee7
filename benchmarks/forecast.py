"""Is what a run forecasts what then happens?

    python benchmarks/forecast.py [--systems si cu ...] [--runs FOLDER]

Each run is stopped by its budget at 60, 70, 110 and 160 calls and continued, as a user would do. At every stop its
forecasts (summary.json) for 10, 50 and 100 more calls are kept, and the force RMSE is measured with `thalweg audit`: 60
structures of walkers that the run never had. Targets are out of reach of so few calls, so that no run ends before.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from common import EXAMPLES, parser, write_as_they_come

from thalweg.config import RunConfig, override, validate
from thalweg.loop.auditing import audit
from thalweg.loop.runner import run

STAGES = (60, 70, 110, 160)
FRESH = 60
FACTOR = 1.5
"""Forecast and error are to be within this factor."""

EMT = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}
GFN2 = {"name": "tblite", "method": "GFN2-xTB"}
MOLECULE = {"r_cut": 5, "max_degree": [11, 7, 4]}


@dataclass(frozen=True)
class System:
    """A run: start, target (eV/Å), sections of its configuration, and whether the method was made with such runs."""

    start: Atoms
    target: float
    sections: dict[str, Any]
    seen: bool


def systems() -> dict[str, System]:
    """The runs, by name."""
    from ase.io import read

    hot = {"temperature": [300, 450, 600], "walkers": 3, "time": 10}
    crystal = {"temperature": [300, 600, 900], "walkers": 3, "time": 10, "strain": 0.03}
    return {
        "si": System(
            bulk("Si", cubic=True),
            0.01,
            {"oracle": {"name": "stillinger-weber"}, "explore": crystal},
            seen=True,
        ),
        "cu": System(
            bulk("Cu", cubic=True).repeat((2, 2, 1)),
            0.004,
            {"oracle": EMT, "explore": crystal, "model": {"r_cut": 5, "max_degree": [12, 9, 6]}},
            seen=True,
        ),
        "cu3au": System(
            _cu3au(), 0.006, {"oracle": EMT, "explore": crystal, "model": {"r_cut": 5}}, seen=True
        ),
        "malonaldehyde": System(
            read(EXAMPLES / "malonaldehyde.xyz"),
            0.05,
            {"oracle": GFN2, "explore": hot, "model": MOLECULE},
            seen=False,
        ),
        "methanol": System(
            molecule("CH3OH"), 0.03, {"oracle": GFN2, "explore": hot, "model": MOLECULE}, seen=False
        ),
    }


def _cu3au() -> Atoms:
    cell = bulk("Cu", cubic=True, a=3.74)
    cell.symbols[0] = "Au"
    return cell.repeat((2, 2, 1))


def configured(system: System, folder: Path) -> RunConfig:
    """The run."""
    write(folder / "start.xyz", system.start)
    common = {"system": str(folder / "start.xyz"), "target": {"force_error": system.target}, "seed": 1}
    return validate({**common, **system.sections, "executor": {"kind": "serial"}})


def measure(name: str, system: System, folder: Path) -> Iterator[dict[str, Any]]:
    """Forecasts beside what then happened."""
    folder.mkdir(parents=True, exist_ok=True)
    config = configured(system, folder)
    forecasts: dict[int, dict[str, Any]] = {}
    for stage in STAGES:
        summary = run(override(config, {"budget.oracle_calls": stage}), folder / "run")
        found = audit(
            folder / "run", FRESH, None if "calculator" not in system.sections["oracle"] else config
        ).audit
        for then, forecast in forecasts.items():
            yield from _compared(name, system, then, forecast, stage, found.force_rmse)
        if summary.forecast is not None:
            forecasts[stage] = summary.forecast
            yield _row(name, system, stage, 0, (summary.forecast["error"], None, None), found.force_rmse)


def _compared(
    name: str, system: System, then: int, forecast: dict[str, Any], stage: int, found: float
) -> Iterator[dict[str, Any]]:
    for one in forecast["ahead"]:
        if one["calls"] == stage - then:
            yield _row(name, system, then, one["calls"], (one["error"], one["low"], one["high"]), found)


def _row(
    name: str,
    system: System,
    then: int,
    ahead: int,
    forecast: tuple[float, float | None, float | None],
    found: float,
) -> dict[str, Any]:
    error, low, high = forecast
    return {
        "run": name,
        "seen": system.seen,
        "at call": then,
        "ahead": ahead,
        "forecast": error,
        "low": low,
        "high": high,
        "found": found,
        "ratio": error / found,
        "within": abs(math.log(error / found)) <= math.log(FACTOR),
    }


def main() -> None:
    """Measure, print and write."""
    arguments = parser(__doc__)
    known = systems()
    arguments.add_argument("--systems", nargs="+", choices=list(known), default=list(known))
    arguments.add_argument("--runs", type=Path, help="folder to keep the runs in")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = options.runs or Path(scratch)
        rows: list[dict[str, Any]] = []

        def kept() -> Iterator[dict[str, Any]]:
            for name in options.systems:
                for row in measure(name, known[name], place / name):
                    rows.append(row)
                    yield row

        write_as_they_come("forecast", "error forecast and found, eV/Å", kept(), {}, options.output)
    ahead = [row for row in rows if row["ahead"]]
    if ahead:
        share = np.mean([row["within"] for row in ahead])
        print(f"{share:.0%} of {len(ahead)} forecasts within a factor of {FACTOR}")


if __name__ == "__main__":
    main()

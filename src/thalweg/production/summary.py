"""The results of a production trajectory as plain data: summary.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from thalweg.files import write_atomically
from thalweg.machine import peak_memory
from thalweg.production.outcome import Outcome
from thalweg.production.plan import Plan
from thalweg.production.runner import HALTED, LAST, LOG

FILE_NAME = "summary.json"


def summarise(outcome: Outcome, plan: Plan, folder: Path, n_threads: int) -> dict[str, Any]:
    """Keys: state, step, time_ps, n_atoms, settings, averages and what they are over, energy_drift, largest_bound,
    parted, halted, files, timing.

    The drift is there at constant energy: under a thermostat or barostat the total energy is not conserved.
    """
    n_atoms = len(outcome.snapshot.structure)
    drift = outcome.averages.drift() if plan.ensemble == "nve" else None
    rate = outcome.steps_done / outcome.seconds if outcome.seconds > 0 else 0.0
    halted = None
    if outcome.state == "halted":
        halted = {"event": outcome.event.value, "reason": outcome.reason, "file": str(folder / HALTED)}
    return {
        "state": outcome.state,
        "step": outcome.step,
        "time_ps": outcome.step * plan.timestep_fs / 1000.0,
        "n_atoms": n_atoms,
        "settings": plan.to_json(),
        "averages": outcome.averages.summary(),
        "averaged": {
            "rows": outcome.averages.n,
            "rows_left_out": outcome.averages.n_left_out,
            "from_ps": plan.equilibrate * plan.timestep_fs / 1000.0,
        },
        "energy_drift_meV_per_atom_ps": None if drift is None else 1e3 * drift / n_atoms,
        "largest_bound": outcome.worst or None,
        "parted": outcome.parted or None,
        "halted": halted,
        "files": {
            "trajectory": str(folder / f"trajectory.{plan.format}"),
            "log": str(folder / LOG),
            "last": str(folder / LAST),
        },
        "timing": {
            "wall": outcome.seconds,
            "steps": outcome.steps_done,
            "steps_per_second": rate,
            "us_per_atom_step": 1e6 / (rate * n_atoms) if rate else None,
            "ns_per_day": rate * plan.timestep_fs * 86400 / 1e6,
            "threads": n_threads,
            "peak_memory_MB": peak_memory(),
        },
    }


def write_summary(summary: dict[str, Any], folder: Path) -> None:
    """Replace summary.json as a whole."""
    write_atomically(folder / FILE_NAME, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

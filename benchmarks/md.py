"""Production dynamics: cost per atom up to 100,000 atoms, two threads against one, memory, and beside LAMMPS.

Silicon, 264 features, 28 neighbours, constant temperature; every arm in turn, the least time over repeats. `nothing`,
`screened` and `whole` say how the uncertainty is looked at, and how often. Memory is the process's peak less what it
held before the structure was made, in a process of its own. Where LAMMPS with ML-PACE is found (THALWEG_LMP), the same
potential is exported and run by it at constant energy: a 64-atom crystal and a 9-atom molecule.

    python benchmarks/md.py [--atoms 1000 8000 64000 97336] [--repeats 5]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

from common import parser, show, write
from explorer import ase_stepper, malonaldehyde_task, silicon_task, steps_per_second
from lammps_loop import lammps_steps_per_second
from systems import silicon_potential

from thalweg.explorers import CoreField, Limits, MdSettings, WalkerState, advance
from thalweg.features import set_num_threads
from thalweg.machine import peak_memory
from thalweg.potential import Potential, Precision
from thalweg.production import prepare_start
from thalweg.structure import Structure

ARMS = {
    "nothing": {"score_stride": 0},
    "whole / 10": {"score_stride": 10},
    "screened / 1": {"score_stride": 1, "committee": "screened"},
    "whole / 1": {"score_stride": 1},
}
LIMITS = Limits(bound_label=1e3)


def crystal(n_atoms: int) -> Structure:
    """Diamond silicon of about so many atoms."""
    from ase.build import bulk

    edge = max(1, round((n_atoms / 8) ** (1 / 3)))
    cell = Structure.from_atoms(bulk("Si", cubic=True))
    return prepare_start(cell, repeat=(edge, edge, edge)).structure


def us_per_atom_step(
    potential: Potential,
    state: WalkerState,
    settings: MdSettings,
    n_steps: int,
    repeats: int,
    precision: Precision,
) -> dict[int, float]:
    """The least for one and for two threads, measured in turn."""
    field = CoreField(potential.elements, potential.field(precision))
    limits = LIMITS if settings.score_stride else Limits()
    least = {1: float("inf"), 2: float("inf")}
    for _ in range(repeats):
        for n_threads in (1, 2):
            set_num_threads(n_threads)
            start = time.perf_counter()
            result = advance(field, [state], n_steps, settings, limits)[0]
            seconds = time.perf_counter() - start
            if result.n_steps != n_steps:
                raise RuntimeError(f"stopped: {result.verdict}")
            # a block begins with the forces of its first moment: one evaluation more than steps
            least[n_threads] = min(least[n_threads], seconds / (n_steps + 1))
    set_num_threads(1)
    return {n: 1e6 * seconds / len(state.structure) for n, seconds in least.items()}


def settings_of(ensemble: str, arm: str) -> MdSettings:
    changes: dict[str, Any] = ARMS[arm]
    return MdSettings(
        timestep_fs=2.0,
        ensemble="npt" if ensemble == "npt" else "nvt",
        record_stride=0,
        history_stride=0,
        **changes,
    )


def scaling(potential: Potential, sizes: list[int], repeats: int) -> list[dict[str, Any]]:
    """Rows by size, ensemble, precision and how the uncertainty is looked at."""
    rows = []
    tasks: list[tuple[str, Precision, str]] = [
        ("nvt", "double", "nothing"),
        ("nvt", "mixed", "nothing"),
        ("npt", "double", "nothing"),
    ]
    tasks += [("nvt", "double", arm) for arm in ARMS if arm != "nothing"]
    for n_atoms in sizes:
        structure = crystal(n_atoms)
        state = WalkerState.start(structure, temperature=300.0, seed=1, walker_id=0)
        n_steps = max(10, min(200, 400_000 // n_atoms))
        for ensemble, precision, arm in tasks if n_atoms <= 10_000 else tasks[:3]:
            found = us_per_atom_step(
                potential, state, settings_of(ensemble, arm), n_steps, repeats, precision
            )
            rows.append(
                {
                    "atoms": len(structure),
                    "ensemble": ensemble,
                    "precision": precision,
                    "uncertainty": arm,
                    "µs/atom": found[1],
                    "2 threads": found[2],
                    "speed-up": found[1] / found[2],
                }
            )
    return rows


def memory_of(folder: Path, n_atoms: int, arm: str) -> float:
    """MB that dynamics of so many atoms takes, in a process of its own."""
    call = [sys.executable, __file__, "--memory-of", str(folder), str(n_atoms), arm]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def measure_memory(folder: str, n_atoms: int, arm: str) -> None:
    potential = Potential.load(folder)
    field = CoreField(potential.elements, potential.force_field)
    small = WalkerState.start(crystal(64), temperature=300.0, seed=1, walker_id=0)
    settings = settings_of("npt", arm)
    advance(field, [small], 2, settings, Limits())
    before = peak_memory()
    state = WalkerState.start(crystal(n_atoms), temperature=300.0, seed=1, walker_id=0)
    for _ in range(2):
        state = advance(field, [state], 12, settings, Limits())[0].state
    print(json.dumps(peak_memory() - before))


def memory(potential: Potential, sizes: list[int], folder: Path) -> list[dict[str, Any]]:
    """Rows: kB per atom at constant pressure."""
    potential.save(folder)
    rows = []
    for n_atoms in sizes:
        for arm in ("nothing", "whole / 10"):
            n = len(crystal(n_atoms))
            used = memory_of(folder, n_atoms, arm)
            rows.append({"atoms": n, "uncertainty": arm, "MB": used, "kB/atom": 1e3 * used / n})
    return rows


def beside_others(repeats: int) -> list[dict[str, Any]]:
    """Steps per second of small systems: ours, ASE's and LAMMPS' loop, plain forces, one thread."""
    lmp = os.environ.get("THALWEG_LMP")
    rows = []
    for task in (malonaldehyde_task(), silicon_task()):
        state = WalkerState.start(task.structure, temperature=task.temperature, seed=1, walker_id=0)
        settings = MdSettings(timestep_fs=task.timestep_fs, record_stride=0, history_stride=0, score_stride=0)
        ours = {}
        for precision in get_args(Precision):
            found = us_per_atom_step(task.potential, state, settings, 2000, repeats, precision)
            ours[precision] = 1e6 / (found[1] * len(task.structure))
        lammps = lammps_steps_per_second(lmp, task, repeats) if lmp else None
        ase, _ = steps_per_second(ase_stepper(task, plain=True), 1, 0.5, repeats)
        rows.append(
            {
                "system": task.name,
                "ours, steps/s": ours["double"],
                "ours, mixed": ours["mixed"],
                "ASE": ase,
                "LAMMPS": lammps,
                "ours/ASE": ours["double"] / ase,
                "ours/LAMMPS": ours["double"] / lammps if lammps else None,
            }
        )
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--memory-of"]:
        return measure_memory(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    made = parser(__doc__)
    made.add_argument("--atoms", type=int, nargs="+", default=[1000, 8000, 64000, 97336])
    made.add_argument("--repeats", type=int, default=5)
    options = made.parse_args()
    import tempfile

    potential = silicon_potential()
    tables: dict[str, list[dict[str, Any]]] = {}
    tables["small"] = beside_others(options.repeats)
    show("Small systems: steps per second, one thread, plain forces", tables["small"])
    tables["scaling"] = scaling(potential, options.atoms, options.repeats)
    show("Silicon: µs per atom and step", tables["scaling"])
    with tempfile.TemporaryDirectory() as folder:
        tables["memory"] = memory(potential, [10_648, 97_336], Path(folder) / "model")
    show("Memory of dynamics at constant pressure", tables["memory"])
    write("md", tables, options.output)
    return None


if __name__ == "__main__":
    main()

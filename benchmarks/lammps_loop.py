"""LAMMPS' own loop: how long its steps take, and dynamics with `pair_style pace` on an exported potential."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ase import Atoms
from ase.io.lammpsdata import write_lammps_data

from thalweg.export.yace import lammps_lines, write_yace

if TYPE_CHECKING:
    from explorer import Task

SKIN = 0.5
STEP_FS = 0.01
"""So short that nothing a random potential does moves an atom far."""
RUNS = 6
"""In one process: the shorter, the likelier that one is undisturbed."""
_STEPS = {True: 2000, False: 4000}


def write_data(path: Path, atoms: Atoms, elements: tuple[str, ...]) -> None:
    write_lammps_data(path, atoms, specorder=list(elements), masses=True, atom_style="atomic", units="metal")


def seconds_per_step(lmp: str, folder: Path, script: str, n_steps: int, repeats: int) -> float:
    """The least loop time over several runs in one process, after a script in `folder` that runs once to warm up."""
    (folder / "in").write_text(script + f"run {n_steps}\n" * repeats)
    done = subprocess.run(
        [lmp, "-in", "in", "-log", "none"], cwd=folder, capture_output=True, text=True, check=False
    )
    times = re.findall(r"Loop time of (\S+) on", done.stdout)
    if done.returncode or len(times) != repeats + 1:
        raise RuntimeError(f"{lmp} failed: {done.stdout[-800:]} {done.stderr[-500:]}")
    return min(map(float, times[1:])) / n_steps


def constant_energy_seconds(
    lmp: str,
    folder: Path,
    atoms: Atoms,
    elements: tuple[str, ...],
    style: str,
    n_steps: int,
    asked: str = "",
) -> float:
    """Least of RUNS, of a step at constant energy by a pair style whose files lie in `folder`; `asked`: more lines."""
    write_data(folder / "data", atoms, elements)
    script = f"""units metal
boundary p p p
read_data data
{style}
neighbor {SKIN} bin
neigh_modify every 1 delay 0 check yes
timestep {STEP_FS * 1e-3}
fix 1 all nve
{asked}
thermo_modify norm no
thermo 1000000
run 2
"""
    return seconds_per_step(lmp, folder, script, n_steps, RUNS)


def lammps_steps_per_second(lmp: str, task: Task, repeats: int) -> float:
    """The best over several runs in one process, Langevin dynamics from the task's structure; one thread."""
    atoms = task.structure.to_atoms()
    is_crystal = bool(task.structure.pbc.all())
    if not is_crystal:
        atoms.center(vacuum=8.0)
    n_steps = _STEPS[is_crystal]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_yace(task.potential, folder / "p.yace")
        write_data(folder / "data", atoms, task.potential.elements)
        return 1.0 / seconds_per_step(lmp, folder, _script(task, is_crystal), n_steps, repeats)


def _script(task: Task, is_crystal: bool) -> str:
    boundary = "p p p" if is_crystal else "f f f"
    lines = ["units metal", f"boundary {boundary}", "read_data data"]
    lines += lammps_lines(task.potential, "p.yace")
    lines += [
        "neighbor 0.5 bin",
        "neigh_modify every 1 delay 0 check yes",
        f"timestep {task.timestep_fs * 1e-3}",
        f"velocity all create {task.temperature} 1 loop geom",
        "fix 1 all nve",
        f"fix 2 all langevin {task.temperature} {task.temperature} 0.1 1",
        "thermo 1000000",
        "run 200",
    ]
    return "\n".join(lines) + "\n"

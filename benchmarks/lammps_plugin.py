"""Molecular dynamics in LAMMPS with `pair_style thalweg` against our own loop, on the same potential.

Both run at constant energy on one thread with the same skin from the same start, in turn; the least time per atom and
step over all repeats is compared. Coefficients are random: what a potential costs does not depend on what it has
learned.

    THALWEG_LMP=/path/to/lmp THALWEG_LAMMPS_PLUGIN=/path/to/thalwegplugin.so python benchmarks/lammps_plugin.py

`loop` is `advance` of thalweg.explorers.md, many steps a call; `plug-in` LAMMPS' loop time, all of it. `whole` asks
the committee for the bound of every atom at every step, `whole / 10` at every tenth. `screen` looks at one signed sum
of its members at every step; `twice` and `edge` with the limit at twice and at once the largest bound of any atom,
where some atoms' bounds are in doubt and asked for of the whole committee. `stress/atom` asks for per-atom stress at
every step. Columns in µs per atom and step.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from common import parser, show, write
from lammps_loop import constant_energy_seconds
from pace import CASES, our_seconds

from thalweg.export.plugin import export_plugin
from thalweg.potential import Potential
from thalweg.structure import Structure

BOUND, EACH_STRESS = (
    "fix unc all pair {} thalweg bound 1",
    "compute s all stress/atom NULL\nfix s all ave/atom 1 1 1 c_s[*]",
)
ASKED = {
    "plug-in": ("precision double", ""),
    "plug-in mixed": ("precision mixed", ""),
    "whole": ("", BOUND.format(1)),
    "whole / 10": ("", BOUND.format(10)),
    "screen": ("screen 1e9", BOUND.format(1)),
    "screen, twice": ("screen {twice}", BOUND.format(1)),
    "screen, edge": ("screen {largest}", BOUND.format(1)),
    "stress/atom": ("", EACH_STRESS),
}


def plugin_seconds(potential: Potential, atoms: Atoms, n_steps: int, options: str, asked: str = "") -> float:
    """The least loop time of several short runs in one process, with options of the style and lines of the script."""
    lmp, plugin = os.environ["THALWEG_LMP"], Path(os.environ["THALWEG_LAMMPS_PLUGIN"]).resolve()
    names = " ".join(potential.elements)
    style = f"plugin load {plugin}\npair_style thalweg {options}\npair_coeff * * p.thalweg {names}"
    with tempfile.TemporaryDirectory() as folder:
        export_plugin(potential, Path(folder) / "p.thalweg")
        return constant_energy_seconds(lmp, Path(folder), atoms, potential.elements, style, n_steps, asked)


def measure(name: str, n_atoms: int, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    case = CASES[name]
    potential, atoms = case.potential(), case.structure(n_atoms)
    n_steps = 10 * max(1, 1024 // n_atoms)
    largest = potential.predict(Structure.from_atoms(atoms)).forces_bound.max()
    least: dict[str, float] = {}
    for _ in range(repeats):
        timed = {
            "loop": our_seconds(potential, atoms, n_steps, "double"),
            "loop mixed": our_seconds(potential, atoms, n_steps, "mixed"),
        }
        for key, (options, asked) in ASKED.items():
            given = (options.format(largest=largest, twice=2.0 * largest), asked)
            timed[key] = plugin_seconds(potential, atoms, n_steps, *given)
        least = {key: min(value, least.get(key, np.inf)) for key, value in timed.items()}
    micro = {key: 1e6 * value / n_atoms for key, value in least.items()}
    row: dict[str, Any] = {"case": name, "atoms": n_atoms, "features": potential.basis.n_features}
    row |= {f"{key} µs": value for key, value in micro.items()}
    row["plug-in / loop"] = micro["plug-in"] / micro["loop"]
    row["the same, mixed"] = micro["plug-in mixed"] / micro["loop mixed"]
    row |= {f"{key} / plug-in": micro[key] / micro["plug-in"] for key in ASKED if key != "plug-in"}
    return row


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cases", nargs="+", default=["28n-100", "28n-300", "28n-700"], choices=list(CASES))
    made.add_argument("--atoms", type=int, nargs="+", default=[256, 4096], choices=[256, 512, 4096])
    made.add_argument("--repeats", type=int, default=5)
    options = made.parse_args()
    missing = [name for name in ("THALWEG_LMP", "THALWEG_LAMMPS_PLUGIN") if name not in os.environ]
    if missing:
        sys.exit(f"set {' and '.join(missing)}; docs/lammps.md says how to build the plug-in")
    rows = [measure(name, n, options.repeats) for name in options.cases for n in options.atoms]
    show("Time per atom and step, pair_style thalweg against our own loop", rows)
    write("lammps_plugin", {"rows": rows}, options.output)


if __name__ == "__main__":
    main()

"""Molecular dynamics on the same potential: this core against LAMMPS' `pair_style pace`.

Each potential is written as `.yace` and run by both at constant energy, one thread, the same skin, the same start. Both
are called in turn, and the least time per atom and step over all repeats is compared. Coefficients are random: what a
potential costs does not depend on what it has learned. LAMMPS uses ML-PACE's recursive evaluator, unless --product.

    THALWEG_LMP=/path/to/lmp python benchmarks/pace.py [--cases 28n-300 ...] [--atoms 256 4096]

`ours` is called from Python as users call it: `advance` of thalweg.explorers.md, many steps a call. `calculator` is the
ASE calculator, called once a step. Columns in µs per atom and step; `ratio` is LAMMPS' time over ours.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from common import parser, show, write
from lammps_loop import RUNS, SKIN, STEP_FS, constant_energy_seconds

from thalweg.calculator import ThalwegCalculator
from thalweg.explorers.base import CoreField
from thalweg.explorers.limits import Limits
from thalweg.explorers.md import MdSettings, advance
from thalweg.explorers.walker import WalkerState
from thalweg.export.yace import write_yace
from thalweg.features import AceBasis
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import Structure


def random_potential(basis: AceBasis) -> Potential:
    """With random coefficients and a committee of eight."""
    n, p = len(basis.elements), basis.n_features
    rng = np.random.default_rng(1)
    weights, deltas = 1e-3 * rng.standard_normal((n, p)), 1e-4 * rng.standard_normal((8, n, p))
    return Potential(basis, weights, deltas, np.zeros(n), None, None, ErrorBounds.bare(n))


@dataclass(frozen=True)
class Case:
    """A basis and the structure it runs on."""

    elements: tuple[str, ...]
    r_cut: float
    orders: tuple[int, ...]
    rattle: float = 0.05
    l_max: int | None = None

    def potential(self) -> Potential:
        basis = AceBasis(
            self.elements,
            self.r_cut,
            correlation_order=len(self.orders),
            max_degree=self.orders,
            l_max=self.l_max,
        )
        return random_potential(basis)

    def structure(self, n_atoms: int) -> Atoms:
        repeats = {256: (4, 4, 2), 512: (4, 4, 4), 4096: (8, 8, 8)}[n_atoms]
        if len(self.elements) == 1:
            atoms = bulk("Si", cubic=True).repeat(repeats)
        else:
            atoms = bulk("InP", "zincblende", a=5.43, cubic=True).repeat(repeats)
        atoms.rattle(self.rattle, seed=1)
        return atoms


ORDERS = {"100": (10, 8, 5), "300": (12, 9, 7, 6), "700": (13, 11, 9, 8)}
CASES = {f"28n-{size}": Case(("Si",), 5.0, orders) for size, orders in ORDERS.items()}
CASES |= {f"140n-{size}": Case(("Si",), 8.7, orders) for size, orders in ORDERS.items()}
CASES |= {"liquid-300": Case(("Si",), 5.0, ORDERS["300"], rattle=0.5)}
CASES |= {
    "two-elements-100": Case(("In", "P"), 5.0, (10, 6, 4)),
    "two-elements-300": Case(("In", "P"), 5.0, (10, 8, 6)),
}


def lammps_seconds(lmp: str, potential: Potential, atoms: Atoms, n_steps: int, algorithm: str) -> float:
    """The least loop time of several short runs in one process."""
    with tempfile.TemporaryDirectory() as folder:
        write_yace(potential, Path(folder) / "p.yace")
        names = " ".join(potential.elements)
        style = f"pair_style pace {algorithm}\npair_coeff * * p.yace {names}"
        return constant_energy_seconds(lmp, Path(folder), atoms, potential.elements, style, n_steps)


def our_seconds(potential: Potential, atoms: Atoms, n_steps: int, precision: str) -> float:
    structure = Structure.from_atoms(atoms)
    field = CoreField(potential.elements, potential.field(precision))
    settings = MdSettings(
        timestep_fs=STEP_FS, ensemble="nve", skin=SKIN, record_stride=0, history_stride=0, score_stride=0
    )
    n = len(structure)
    state = WalkerState(
        structure=structure, velocities=np.zeros((n, 3)), masses=atoms.get_masses(), temperature=1.0, seed=1,
        walker_id=0, step=0, time_fs=0.0,
    )  # fmt: skip
    limits = Limits(temperature_max=np.inf, min_distance=np.zeros((len(potential.elements),) * 2))
    (result,) = advance(field, [state], 2, settings, limits)
    least = np.inf
    for _ in range(RUNS):
        start = time.perf_counter()
        (result,) = advance(field, [result.state], n_steps, settings, limits)
        # A block begins with the forces of its first moment: one evaluation more than steps.
        least = min(least, (time.perf_counter() - start) / (n_steps + 1))
        if result.n_steps != n_steps:
            raise RuntimeError(f"stopped: {result.verdict}")
    return least


def calculator_seconds(potential: Potential, atoms: Atoms, n_steps: int, precision: str) -> float:
    atoms = atoms.copy()
    atoms.calc = ThalwegCalculator(potential, precision=precision, uncertainty=False)
    rng = np.random.default_rng(0)
    atoms.get_forces()
    least = np.inf
    for _ in range(n_steps):
        atoms.positions += 1e-5 * rng.standard_normal(atoms.positions.shape)
        start = time.perf_counter()
        atoms.get_forces()
        least = min(least, time.perf_counter() - start)
    return least


def measure(name: str, n_atoms: int, lmp: str, repeats: int, algorithm: str) -> dict[str, Any]:
    case = CASES[name]
    potential, atoms = case.potential(), case.structure(n_atoms)
    # A block of ours begins with a neighbour list, which LAMMPS' loop time leaves out: enough steps to forget it.
    n_steps = max(30, 16384 // n_atoms)
    least: dict[str, float] = {}
    for _ in range(repeats):
        timed = {
            "pace": lammps_seconds(lmp, potential, atoms, max(3, n_steps // 8), algorithm),
            "double": our_seconds(potential, atoms, n_steps, "double"),
            "mixed": our_seconds(potential, atoms, n_steps, "mixed"),
            "calculator": calculator_seconds(potential, atoms, n_steps, "double"),
        }
        least = {key: min(value, least.get(key, np.inf)) for key, value in timed.items()}
    micro = {key: 1e6 * value / n_atoms for key, value in least.items()}
    return {
        "case": name,
        "atoms": n_atoms,
        "features": potential.basis.n_features,
        "pace µs": micro["pace"],
        "double µs": micro["double"],
        "ratio": micro["pace"] / micro["double"],
        "mixed µs": micro["mixed"],
        "ratio mixed": micro["pace"] / micro["mixed"],
        "calculator µs": micro["calculator"],
    }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    made.add_argument("--atoms", type=int, nargs="+", default=[256, 4096], choices=[256, 512, 4096])
    made.add_argument("--repeats", type=int, default=3)
    made.add_argument("--product", action="store_true", help="ML-PACE's product evaluator")
    options = made.parse_args()
    lmp = os.environ.get("THALWEG_LMP") or shutil.which("lmp")
    if lmp is None:
        sys.exit("no LAMMPS found: set THALWEG_LMP to an executable with ML-PACE")
    algorithm = "product" if options.product else "recursive"
    rows = [
        measure(name, n, lmp, options.repeats, algorithm) for name in options.cases for n in options.atoms
    ]
    show(f"Time per atom and step, {algorithm} evaluator of ML-PACE against this core", rows)
    write("pace", {"algorithm": algorithm, "rows": rows}, options.output)


if __name__ == "__main__":
    main()

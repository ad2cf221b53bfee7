"""Is mixed precision safe? Energy drift over a nanosecond, and forces against double, on fitted potentials.

Drift: walkers at constant energy from the same start in both precisions; the slope of a straight line through the total
energy, meV per atom and ns, and the scatter about it. The total energy is conserved as far as forces are the
slopes of its energy, so rounding shows up here. Forces: largest and root-mean-square difference from double on
frames of the walk, relative to the root-mean-square force; energies per atom.

    python benchmarks/precision.py [--time 1000]        ps
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from common import parser, show, write
from systems import malonaldehyde, malonaldehyde_potential, silicon, silicon_potential

from thalweg.explorers.base import CoreField
from thalweg.explorers.limits import Limits
from thalweg.explorers.md import MdSettings, WalkerState, advance, initial_velocities
from thalweg.features.batch import pack
from thalweg.potential import Potential, Precision
from thalweg.structure import FloatArray, Structure

BLOCK = 2000
RECORD = 200


def walk(
    potential: Potential, start: WalkerState, precision: Precision, timestep_fs: float, n_steps: int
) -> tuple[FloatArray, FloatArray, list[Structure]]:
    """Times (ns), total energies (eV), some structures."""
    how = MdSettings(
        timestep_fs=timestep_fs, ensemble="nve", record_stride=RECORD, history_stride=0, score_stride=0
    )
    field = CoreField(potential.elements, potential.field(precision))
    limits = Limits(temperature_max=np.inf)
    times, energies, structures, state = [], [], [], start
    for block in range(n_steps // BLOCK):
        (result,) = advance(field, [state], BLOCK, how, limits)
        if result.n_steps != BLOCK:
            raise RuntimeError(f"the walk ended: {result.verdict}")
        for frame in result.samples:
            kinetic = 0.5 * float((start.masses[:, None] * frame.velocities**2).sum())
            times.append(frame.step * timestep_fs * 1e-6)
            energies.append(frame.potential_energy + kinetic)
        if block % max(1, n_steps // BLOCK // 20) == 0:
            structures.append(result.last.structure)
        state = result.state
    return np.array(times), np.array(energies), structures


def difference(potential: Potential, structures: list[Structure]) -> dict[str, float]:
    packed = pack(structures, potential.elements)
    exact, rounded = (potential.field(p).compute(*packed.arrays) for p in ("double", "mixed"))
    n_atoms = np.array([len(s) for s in structures])
    rms = float(np.sqrt(np.mean(exact[1] ** 2)))
    return {
        "force max/rms": float(np.abs(exact[1] - rounded[1]).max()) / rms,
        "force rms/rms": float(np.sqrt(np.mean((exact[1] - rounded[1]) ** 2))) / rms,
        "energy eV/atom": float(np.abs((exact[0] - rounded[0]) / n_atoms).max()),
    }


def measure(
    name: str, potential: Potential, structure: Structure, timestep_fs: float, time_ps: float
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(4)
    masses = structure.to_atoms().get_masses()
    velocities = initial_velocities(structure, 600.0, rng)
    velocities -= (masses @ velocities) / masses.sum()
    start = WalkerState(structure, velocities, masses, 300.0, 1, 0)
    rows = []
    for precision in ("double", "mixed"):
        begin = time.perf_counter()
        times, energies, structures = walk(
            potential, start, precision, timestep_fs, int(time_ps * 1000 / timestep_fs)
        )
        slope, offset = np.polyfit(times, energies, 1)
        n = len(structure)
        rows.append(
            {
                "system": name,
                "features": potential.basis.n_features,
                "precision": precision,
                "ns": time_ps / 1000,
                "drift meV/atom/ns": 1e3 * slope / n,
                "scatter meV/atom": 1e3 * float(np.std(energies - slope * times - offset)) / n,
                **(difference(potential, structures) if precision == "mixed" else {}),
                "minutes": (time.perf_counter() - begin) / 60,
            }
        )
    return rows


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--time", type=float, default=1000.0, help="ps")
    options = made.parse_args()
    rows = measure("Si64", silicon_potential(), silicon(64, rattle=0.0), 1.0, options.time)
    rows += measure("C3H4O2", malonaldehyde_potential(), malonaldehyde(), 0.5, options.time)
    show("Constant energy in both precisions", [{**dict.fromkeys(rows[1]), **row} for row in rows])
    write("precision", {"rows": rows}, options.output)


if __name__ == "__main__":
    main()

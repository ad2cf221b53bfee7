"""Time per atom and step of energies and forces, with and without committee and novelty.

`total` is one call of the native force field, which builds its neighbour list anew; `list` is the building
alone, which walkers save at most steps by a skin; `kernel` is the difference. All in microseconds per atom,
the least over repeats; `median` is the median of `total`.

    python benchmarks/kernel.py [--atoms 64 512 4096] [--threads 1 2]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from common import parser, show, timed, write
from systems import malonaldehyde, malonaldehyde_potential, rattled, silicon, silicon_potential

from thalweg import _native
from thalweg.features import set_num_threads
from thalweg.features.batch import PackedStructures, pack
from thalweg.potential import Potential
from thalweg.structure import Structure

ARMS: dict[str, dict[str, bool]] = {
    "energies, forces": {},
    "+ committee of 8": {"deviation": True},
    "+ committee, novelty": {"deviation": True, "novelty": True},
}


def measure(
    name: str, potential: Potential, structures: Sequence[Structure], n_threads: int, repeats: int
) -> list[dict[str, Any]]:
    """One row for each arm."""
    packed = pack(structures, potential.elements)
    n_atoms = len(packed.species)
    set_num_threads(n_threads)
    field = potential.force_field
    build = timed(lambda: _native.build_pairs(*packed.arrays, field.r_cut), repeats=repeats).least
    rows = []
    for arm, wanted in ARMS.items():
        total = timed(lambda wanted=wanted: field.compute(*packed.arrays, **wanted), repeats=repeats)  # type: ignore[misc]
        rows.append(
            {
                "system": name,
                "atoms": n_atoms,
                "features": potential.basis.n_features,
                "neighbours": round(_neighbours(packed, field.r_cut), 1),
                "threads": n_threads,
                "computed": arm,
                "kernel µs/atom": 1e6 * (total.least - build) / n_atoms,
                "list µs/atom": 1e6 * build / n_atoms,
                "total µs/atom": 1e6 * total.least / n_atoms,
                "median µs/atom": 1e6 * total.median / n_atoms,
            }
        )
    return rows


def _neighbours(packed: PackedStructures, r_cut: float) -> float:
    first, *_ = _native.build_pairs(*packed.arrays, r_cut)
    return int(np.asarray(first)[-1]) / len(packed.species)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--atoms", type=int, nargs="+", default=[64, 512, 4096], choices=[8, 64, 512, 4096])
    made.add_argument("--molecules", type=int, default=64, help="malonaldehydes in the batch")
    made.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    made.add_argument("--repeats", type=int, default=7)
    options = made.parse_args()
    crystal, molecule = silicon_potential(), malonaldehyde_potential()
    rows: list[dict[str, Any]] = []
    for n_threads in options.threads:
        for n_atoms in options.atoms:
            rows += measure(f"Si{n_atoms}", crystal, [silicon(n_atoms)], n_threads, options.repeats)
        batch = rattled(malonaldehyde(), options.molecules)
        name = f"{options.molecules} x C3H4O2"
        rows += measure(name, molecule, batch, n_threads, options.repeats)
    set_num_threads(1)
    instructions = crystal.features.native.instructions
    show(f"Kernel ({instructions} instructions): time per atom and step", rows)
    write("kernel", {"instructions": instructions, "rows": rows}, options.output)


if __name__ == "__main__":
    main()

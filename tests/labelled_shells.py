"""Labels from analytic pair potentials: what a fit must find is known."""

from __future__ import annotations

import numpy as np
from ase.build import bulk
from vesin import ase_neighbor_list

from thalweg.label import Label
from thalweg.structure import Structure


def shells(n: int, *, peak: float, width: float = 0.35, seed: int = 0) -> list[tuple[Structure, Label]]:
    """Rattled argon-like fcc cells whose pairs interact by a Gaussian well at distance `peak` (Å) alone."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True, a=3.7)
        atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.12, (len(atoms), 3))
        i, d, D = ase_neighbor_list("idD", atoms, peak + 4 * width)
        energy = -np.exp(-0.5 * ((d - peak) / width) ** 2)
        slope = -energy * (d - peak) / width**2
        pull = (slope / d)[:, None] * D
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, pull)
        strain = 0.5 * np.einsum("pa,pb->ab", pull, D) / atoms.get_volume()
        stress = strain.flat[[0, 4, 8, 5, 2, 1]]
        out.append((Structure.from_atoms(atoms), Label(0.5 * energy.sum(), forces, stress)))
    return out

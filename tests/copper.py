"""Copper labelled by ASE's effective medium theory: a real many-body oracle that answers in milliseconds."""

from __future__ import annotations

import numpy as np
from ase.build import bulk

from thalweg.label import Label
from thalweg.oracles import make_oracle
from thalweg.structure import Structure

EMT = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}


def copper(n: int, *, seed: int = 0, size: float = 0.12) -> list[tuple[Structure, Label]]:
    """n labelled 8-atom cells, rattled by `size` Å and strained by a few per cent."""
    rng = np.random.default_rng(seed)
    oracle = make_oracle(EMT)
    out = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + rng.normal(0, 0.015, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, size, (len(atoms), 3))
        structure = Structure.from_atoms(atoms)
        label = oracle.label(structure)
        assert isinstance(label, Label)
        out.append((structure, label))
    return out

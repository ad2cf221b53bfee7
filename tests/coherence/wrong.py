"""Labels that are right, and what may be done to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from ase.build import bulk, molecule

from copper import EMT, copper
from thalweg.coherence import Coherence, coherence_basis, hold_together
from thalweg.label import Label
from thalweg.oracles import make_oracle
from thalweg.structure import Structure

Labelled = list[tuple[Structure, Label]]
Change = Callable[[int, Structure, Label], Label]

UNIT = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


def changed(labelled: Sequence[tuple[Structure, Label]], change: Change) -> Labelled:
    """The same structures with other labels."""
    return [(structure, change(k, structure, label)) for k, (structure, label) in enumerate(labelled)]


def without_stress(labelled: Sequence[tuple[Structure, Label]]) -> Labelled:
    return [(structure, replace(label, stress=None)) for structure, label in labelled]


def judged(labelled: Sequence[tuple[Structure, Label]], r_cut: float = 5.0) -> Coherence:
    elements = sorted({str(name) for s, _ in labelled for name in s.to_atoms().get_chemical_symbols()})
    periodic = any(bool(s.pbc.any()) for s, _ in labelled)
    return hold_together(labelled, coherence_basis(elements, periodic, r_cut))


def keys(found: Coherence) -> list[str]:
    return [finding.key for finding in found.findings]


def of_one_volume(n: int) -> Labelled:
    """Copper in one cell: what NVT gives."""
    rng, oracle = np.random.default_rng(4), make_oracle(EMT)
    out = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        atoms.positions += rng.normal(0, 0.15, (len(atoms), 3))
        structure = Structure.from_atoms(atoms)
        out.append((structure, oracle.label(structure)))
    return out


def molecules(n: int) -> Labelled:
    """Rattled water and methanol: two compositions, labelled by EMT."""
    rng, oracle = np.random.default_rng(5), make_oracle(EMT)
    out = []
    for k in range(n):
        atoms = molecule(("H2O", "CH3OH")[k % 2])
        atoms.positions += rng.normal(0, 0.06, (len(atoms), 3))
        structure = Structure.from_atoms(atoms)
        out.append((structure, oracle.label(structure)))
    return out


__all__ = [
    "EMT",
    "UNIT",
    "changed",
    "copper",
    "judged",
    "keys",
    "molecules",
    "of_one_volume",
    "without_stress",
]

"""Structures for the plug-in: small, and each awkward in its own way."""

from __future__ import annotations

import numpy as np
from ase.build import bulk

from small_potentials import ethanol
from thalweg.structure import Structure


def skewed_silicon(seed: int = 5, repeat: int = 3) -> Structure:
    """A strained, tilted crystal."""
    atoms = bulk("Si", cubic=True) * (repeat, 2, 2)
    atoms.set_cell(
        atoms.cell[:] @ np.array([[1.02, 0, 0], [0.05, 0.98, 0], [-0.03, 0.04, 1.01]]), scale_atoms=True
    )
    atoms.rattle(0.1, seed=seed)
    return Structure.from_atoms(atoms)


def boxed_ethanol() -> Structure:
    """A molecule in one corner of a box without periodicity: of two ranks, one has no atom."""
    atoms = ethanol().to_atoms()
    atoms.set_cell([30.0, 12.0, 12.0])
    atoms.positions += 5.0 - atoms.positions.mean(axis=0)
    atoms.pbc = False
    return Structure.from_atoms(atoms)


def salt() -> Structure:
    """Two elements, and atoms close enough to feel the core repulsion."""
    atoms = bulk("SiC", "zincblende", a=4.36, cubic=True) * (2, 2, 2)
    atoms.rattle(0.15, seed=1)
    atoms.positions[1] += 0.35 * (atoms.positions[0] - atoms.positions[1])
    atoms.wrap()
    return Structure.from_atoms(atoms)


def moved(structure: Structure, positions: np.ndarray) -> Structure:
    """The same atoms elsewhere."""
    atoms = structure.to_atoms()
    atoms.positions[:] = positions
    return Structure.from_atoms(atoms)


CASES = {
    "crystal": (("Si",), skewed_silicon),
    "molecule": (("H", "C", "O"), boxed_ethanol),
    "alloy": (("Si", "C"), salt),
}

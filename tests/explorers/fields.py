"""Morse fields with closed forms, for the walkers' tests."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes

from thalweg import _native
from thalweg.explorers import CoreField, Limits, WalkerState
from thalweg.features.batch import pack
from thalweg.structure import Structure

ELEMENTS = ("H", "C", "O")
DISTANCES = np.array([[1.5, 1.09, 0.97], [1.09, 1.5, 1.4], [0.97, 1.4, 1.5]])
NO_LIMITS = Limits(temperature_max=np.inf, min_distance=np.zeros((3, 3)))


def morse(*, spread: float = 0.1, novelty_scale: float = 0.01, depth: float = 4.0) -> CoreField:
    one = np.ones((3, 3))
    field = _native.MorseForceField(
        depth * one, 2.0 * one, DISTANCES, r_on=2.5, r_cut=4.0, spread=spread, novelty_scale=novelty_scale
    )
    return CoreField(ELEMENTS, field)


class MorseCalculator(Calculator):
    """The same forces for ASE's integrators."""

    implemented_properties = ("energy", "forces")

    def __init__(self, field: CoreField) -> None:
        super().__init__()
        self.field = field

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        packed = pack([Structure.from_atoms(self.atoms)], self.field.elements)
        energies, forces, _ = self.field.native.compute(*packed.arrays)
        self.results = {"energy": float(energies[0]), "forces": forces}


def ethanol(seed: int = 0) -> Structure:
    atoms = molecule("CH3CH2OH")
    atoms.positions += np.random.default_rng(seed).normal(0, 0.03, atoms.positions.shape)
    return Structure.from_atoms(atoms)


def crystal(seed: int = 0) -> Structure:
    """A small skewed cell, whose atoms neighbour their own images."""
    cell = [[3.0, 0.2, 0.0], [1.4, 2.7, 0.1], [-0.2, 0.7, 3.3]]
    atoms = ase.Atoms("CO", scaled_positions=[[0.1, 0.1, 0.2], [0.6, 0.4, 0.7]], cell=cell, pbc=True)
    atoms.positions += np.random.default_rng(seed).normal(0, 0.03, atoms.positions.shape)
    return Structure.from_atoms(atoms)


def walkers(n: int = 4, temperature: float = 400.0) -> list[WalkerState]:
    """Molecules and crystals in turn."""
    return [
        WalkerState.start(
            ethanol(k) if k % 2 == 0 else crystal(k), temperature=temperature + 50 * k, seed=7, walker_id=k
        )
        for k in range(n)
    ]

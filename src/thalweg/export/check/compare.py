"""How far two evaluations of a potential lie apart, as one figure for each quantity.

    energy    |dE| / max(|E - sum E0|, 0.1 eV per atom)
    forces    max |dF| / max(rms F, 0.1 eV/Å)
    stress    max |ds| / max(rms s, 0.001 eV/Å³)

each the largest over the structures. The floors keep a structure at rest from dividing by nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.export.check.yace_energy import Result, evaluate_yace
from thalweg.export.check.yace_file import YaceFile
from thalweg.export.check.zbl import PairCommands, evaluate_zbl
from thalweg.potential import Potential
from thalweg.structure import FloatArray, Structure

TOLERANCE = 1e-6
_ENERGY_FLOOR, _FORCE_FLOOR, _STRESS_FLOOR = 0.1, 0.1, 1e-3


@dataclass(frozen=True)
class Values:
    """energy : eV, total; forces : (n_atoms, 3), eV/Å; stress : (6,), eV/Å³, ASE's sign and order, or None."""

    energy: float
    forces: FloatArray
    stress: FloatArray | None


@dataclass(frozen=True)
class Deviation:
    """Largest relative deviations; `stress` is None where no structure has one."""

    energy: float
    forces: float
    stress: float | None

    @property
    def largest(self) -> float:
        """The largest of the three; infinity where one is not a number."""
        values = [value for value in (self.energy, self.forces, self.stress) if value is not None]
        return max(values) if all(np.isfinite(values)) else float("inf")

    def __str__(self) -> str:
        stress = "" if self.stress is None else f", stress {self.stress:.1e}"
        return f"energy {self.energy:.1e}, forces {self.forces:.1e}{stress}"


def predicted(potential: Potential, structures: Sequence[Structure]) -> list[Values]:
    """What our own evaluator says."""
    predictions = [potential.predict(structure) for structure in structures]
    return [Values(p.energy, p.forces, p.stress) for p in predictions]


def read_anew(file: YaceFile, commands: PairCommands, structures: Sequence[Structure]) -> list[Values]:
    """What the written files say by their formats' definitions."""
    return [
        values_of(evaluate_yace(file, structure) + evaluate_zbl(commands, structure), structure)
        for structure in structures
    ]


def values_of(result: Result, structure: Structure) -> Values:
    """Virial to stress, where the structure has one."""
    stress = None
    if structure.pbc.all():
        v = (result.virial + result.virial.T) / 2
        stress = np.array([v[0, 0], v[1, 1], v[2, 2], v[1, 2], v[0, 2], v[0, 1]]) / structure.volume
    return Values(result.energy, result.forces, stress)


def deviation(
    potential: Potential, structures: Sequence[Structure], ours: Sequence[Values], theirs: Sequence[Values]
) -> Deviation:
    """The largest relative deviations of `theirs` from `ours`."""
    from ase.data import atomic_numbers

    numbers = [atomic_numbers[element] for element in potential.elements]
    energy, forces, stress = [], [], []
    for structure, a, b in zip(structures, ours, theirs, strict=True):
        species = [numbers.index(Z) for Z in structure.numbers]
        free = float(potential.reference_energies[species].sum())
        energy.append(abs(b.energy - a.energy) / max(abs(a.energy - free), _ENERGY_FLOOR * len(structure)))
        forces.append(_relative(a.forces, b.forces, _FORCE_FLOOR))
        if a.stress is not None and b.stress is not None:
            stress.append(_relative(a.stress, b.stress, _STRESS_FLOOR))
    # np.max, unlike max, hands on what is not a number.
    return Deviation(float(np.max(energy)), float(np.max(forces)), float(np.max(stress)) if stress else None)


def _relative(a: FloatArray, b: FloatArray, floor: float) -> float:
    return float(np.abs(b - a).max() / max(float(np.sqrt(np.mean(a**2))), floor))

"""What a fit starts from: labels, what is known before them, and the equations they make.

Each label has a spread: how many times noisier its energy, forces and virial are than those of an ordinary label
(thalweg.fitting.spread). Its rows and targets are divided by that number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.features.defaults import automatic_cutoff
from thalweg.features.design import DesignRows
from thalweg.features.zbl import ZblBaseline, ZblCutoffs
from thalweg.fitting.references import Labelled, References, find_references
from thalweg.label import Label
from thalweg.models import Block, Observation, RowKind
from thalweg.models.training import Baseline, make_observation
from thalweg.structure import BoolArray, FloatArray, Structure

__all__ = ["Labelled", "Spread", "data_hash", "equations", "make_baseline", "rescaled"]


@dataclass(frozen=True, eq=False)
class Spread:
    """Noise of each label over that of an ordinary one, by kind.

    Attributes
    ----------
    energy, forces, virial : float64 ndarray, shape (n_labels,)
        At least 1.
    pressure : float, eV/Å³
        Isotropic stress that all stress labels have in excess of what energies and forces say.
    judged_energy, judged_forces : bool ndarray, shape (n_labels,), or None
        Labels whose held-out errors count when models are compared; None: all.
    """

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray
    pressure: float = 0.0
    judged_energy: BoolArray | None = None
    judged_forces: BoolArray | None = None

    @classmethod
    def alike(cls, n_labels: int) -> Spread:
        """Every label an ordinary one."""
        return cls(np.ones(n_labels), np.ones(n_labels), np.ones(n_labels))

    def of(self, kind: RowKind, label: int) -> float:
        """The spread of one label's rows."""
        arrays = {
            RowKind.ENERGY: self.energy,
            RowKind.FORCES: self.forces,
            RowKind.VIRIAL: self.virial,
        }
        return float(arrays[kind][label])

    def taken(self, labels: Sequence[int]) -> Spread:
        """That of some of the labels."""
        index = np.asarray(labels, dtype=np.int64)
        judged = [None if own is None else own[index] for own in (self.judged_energy, self.judged_forces)]
        return Spread(self.energy[index], self.forces[index], self.virial[index], self.pressure, *judged)


def equations(
    rows: DesignRows, pair: tuple[Structure, Label], baseline: Baseline, spread: Spread, label: int
) -> Observation:
    """The blocks of one label by its design rows, divided by its spread; `label` is its place in `spread`."""
    structure, known = pair
    if known.stress is not None and spread.pressure != 0.0:
        known = replace(known, stress=known.stress - spread.pressure * np.array([1.0, 1, 1, 0, 0, 0]))
    return rescaled(make_observation(rows, structure, known, baseline), spread, label)


def rescaled(observation: Observation, spread: Spread, label: int) -> Observation:
    """Blocks divided by the spread of their label."""
    factors = [1.0 / spread.of(block.kind, label) for block in observation]
    return tuple(
        block
        if factor == 1.0
        else Block(block.kind, block.rows * factor, block.targets * factor, block.label_noise * factor)
        for block, factor in zip(observation, factors, strict=True)
    )


def make_baseline(
    labelled: Labelled, elements: tuple[str, ...], references: References | None = None
) -> Baseline:
    """Core repulsion inside the shortest labelled distances, and reference energies.

    These are those found before (`thalweg.fitting.references`), or are looked for with the automatic cutoff.
    """
    structures = [structure for structure, _ in labelled]
    if references is None:
        periodic = any(bool(structure.pbc.any()) for structure in structures)
        references = find_references(labelled, elements, automatic_cutoff(elements, periodic))
    cutoffs = ZblCutoffs.from_covalent_radii(elements).inside(structures)
    return Baseline(elements, references.energies, ZblBaseline(elements, cutoffs))


def data_hash(labelled: Labelled) -> str:
    """SHA-256 of the structures and their energies and forces, in any order."""
    parts = []
    for structure, label in labelled:
        numbers: FloatArray = np.concatenate([[label.energy], label.forces.ravel()]).astype("<f8")
        parts.append(structure.content_hash + hashlib.sha256(numbers.tobytes()).hexdigest())
    return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()

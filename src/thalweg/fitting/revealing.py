"""What a held-out label shows of the spread that the model without its fold states.

Notation
    e, s     error and standard deviation of a quantity by the fold's model; rows are scaled as in
             thalweg.models.observation: energies by 1/sqrt(N), stress by V/sqrt(N)
    narrower sqrt of the share of labels that the fold's model has seen: what the full model states over what it does
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.calibration import Stream
from thalweg.calibration.widening import Residuals, Revealed, composition
from thalweg.fitting.data import Spread
from thalweg.label import Label
from thalweg.models import RowKind
from thalweg.models.training import voigt
from thalweg.potential import Potential, Prediction
from thalweg.potential.members import STRESS_DRAWS, energy_deviation, feature_totals, pulled
from thalweg.structure import FloatArray, Structure

DOUBTED = 10.0
"""Labels that much noisier than ordinary ones, by what does not hold together, say nothing of the others."""


@dataclass(frozen=True, eq=False)
class HeldOutLabel:
    """A label, its place in `spread`, and what a model that has not seen it predicts."""

    structure: Structure
    label: Label
    place: int
    prediction: Prediction


def residuals_of(potential: Potential, held_out: HeldOutLabel, spread: Spread, narrower: float) -> Residuals:
    """Squares and variances of all kinds that the label has, of a potential with draws."""
    structure = held_out.structure
    draws = potential.all_draws[:STRESS_DRAWS]
    gradients, strains = pulled(potential.features, structure, potential.elements, draws)
    return Residuals(
        Stream.AUDIT,  # a fold is a fair sample of the training set
        energy=_energy(potential, held_out, spread, narrower),
        forces=_forces(held_out, gradients, spread, narrower),
        stress=_stress(held_out, strains, spread, narrower),
    )


def differences_of(
    potential: Potential, held_out: Sequence[HeldOutLabel], spread: Spread, narrower: float
) -> list[Revealed | None]:
    """Of each label the difference of its energy to that of the one before it of the same composition."""
    last: dict[tuple[tuple[int, int], ...], HeldOutLabel] = {}
    shown: list[Revealed | None] = []
    for one in held_out:
        if not _counts(spread, RowKind.ENERGY, one.place):
            shown.append(None)
            continue
        before = last.get(composition(one.structure))
        shown.append(None if before is None else _difference(potential, one, before, narrower))
        last[composition(one.structure)] = one
    return shown


def _difference(potential: Potential, one: HeldOutLabel, other: HeldOutLabel, narrower: float) -> Revealed:
    """Of as many atoms, those of the first."""
    per_root, share = 1.0 / np.sqrt(len(one.structure)), len(one.structure) / len(other.structure)
    totals, others = (
        feature_totals(potential.features, held_out.structure, potential.elements)
        for held_out in (one, other)
    )
    deviation = narrower * energy_deviation(potential, totals - share * others) * per_root
    error, its_error = (held_out.prediction.energy - held_out.label.energy for held_out in (one, other))
    noise = float(np.hypot(one.label.noise.energy, share * other.label.noise.energy))
    return Revealed.of(
        np.array([error - share * its_error]) * per_root, np.array([deviation**2]), noise * per_root
    )


def _counts(spread: Spread, kind: RowKind, place: int) -> bool:
    judged = {RowKind.ENERGY: spread.judged_energy, RowKind.FORCES: spread.judged_forces}.get(kind)
    return spread.of(kind, place) < DOUBTED and (judged is None or bool(judged[place]))


def _energy(potential: Potential, held_out: HeldOutLabel, spread: Spread, narrower: float) -> Revealed | None:
    structure, label = held_out.structure, held_out.label
    if not _counts(spread, RowKind.ENERGY, held_out.place):
        return None
    per_root = 1.0 / np.sqrt(len(structure))
    totals = feature_totals(potential.features, structure, potential.elements)
    deviation = narrower * energy_deviation(potential, totals) * per_root
    error = (held_out.prediction.energy - label.energy) * per_root
    return Revealed.of(np.array([error]), np.array([deviation**2]), label.noise.energy * per_root)


def _forces(
    held_out: HeldOutLabel, gradients: FloatArray, spread: Spread, narrower: float
) -> Revealed | None:
    label = held_out.label
    if not (label.has_forces and _counts(spread, RowKind.FORCES, held_out.place)):
        return None
    variances = narrower**2 * np.mean(gradients**2, axis=0)
    return Revealed.summed(held_out.prediction.forces - label.forces, variances, label.noise.forces)


def _stress(held_out: HeldOutLabel, strains: FloatArray, spread: Spread, narrower: float) -> Revealed | None:
    structure, label, stress = held_out.structure, held_out.label, held_out.prediction.stress
    if label.stress is None or stress is None or not _counts(spread, RowKind.VIRIAL, held_out.place):
        return None
    scale = structure.volume / np.sqrt(len(structure))
    pressure = spread.pressure * np.array([1.0, 1, 1, 0, 0, 0])
    draws = np.array([voigt(one) for one in strains]) / np.sqrt(len(structure))
    errors = (stress - label.stress + pressure) * scale
    return Revealed.of(errors, narrower**2 * np.mean(draws**2, axis=0), label.noise.stress * scale)

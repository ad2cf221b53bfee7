"""What a held-out label shows of the spread that the model without its fold states.

Notation
    e, s     error and standard deviation of a quantity by the fold's model; rows are scaled as in
             thalweg.models.observation: energies by 1/sqrt(N), stress by V/sqrt(N)
    narrower sqrt of the share of labels that the fold's model has seen: what the full model states over what it does
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.calibration import Compared, Stream
from thalweg.calibration.widening import Residuals, Revealed, composition
from thalweg.features import AceBasis
from thalweg.fitting.data import Labelled, Spread
from thalweg.label import Label
from thalweg.models import BayesianLinear, RowKind
from thalweg.models.folds import Folds
from thalweg.models.training import Baseline, voigt
from thalweg.potential import N_DRAWS, ErrorBounds, Potential, Prediction
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


@dataclass(frozen=True, eq=False)
class Revelation:
    """What a label reveals of a model that has not seen it.

    Attributes
    ----------
    answer : deviations and errors of its forces, from which bounds are learned; None without forces
    residuals : of all that it has, from which the spread of energies and stress is learned
    """

    answer: Compared | None
    residuals: Residuals

    def of_stream(self, stream: Stream) -> Revelation:
        """The same, counted as of this stream."""
        answer = None if self.answer is None else replace(self.answer, stream=stream)
        return Revelation(answer, replace(self.residuals, stream=stream))


def reveal(
    model: BayesianLinear,
    sums: Folds,
    basis: AceBasis,
    baseline: Baseline,
    labelled: Labelled,
    spread: Spread,
) -> list[Revelation]:
    """Of each label, in order, what it reveals of the model without its fold; deviations are as of all labels.

    A fold is a fair sample of the training set, as an audit is of a trajectory.

    Parameters
    ----------
    model : fitted to all labels; label i is in fold i mod sums.n_folds
    spread : of these labels
    """
    found: dict[int, Revelation] = {}
    for fold in range(sums.n_folds):
        places = range(fold, len(labelled), sums.n_folds)
        n_others = len(labelled) - len(places)
        narrower = float(np.sqrt(n_others / len(labelled)))
        without = model.refitted(sums.total(without=fold), n_others)
        potential = _bare(without, basis, baseline)
        held_out = [_held_out(potential, *labelled[place], place) for place in places]
        differences = differences_of(potential, held_out, spread, narrower)
        for one, difference in zip(held_out, differences, strict=True):
            residuals = replace(residuals_of(potential, one, spread, narrower), difference=difference)
            found[one.place] = Revelation(_answer(one, narrower), residuals)
    return [found[place] for place in range(len(labelled))]


def _bare(model: BayesianLinear, basis: AceBasis, baseline: Baseline) -> Potential:
    """A potential with draws, without novelty; its bounds are bare deviations."""
    bounds = ErrorBounds.bare(len(basis.elements))
    potential = Potential.from_model(model, basis, baseline, novelty=None, bounds=bounds, provenance={})
    return potential.stating(model.member_deltas(N_DRAWS))


def _held_out(potential: Potential, structure: Structure, label: Label, place: int) -> HeldOutLabel:
    return HeldOutLabel(structure, label, place, potential.predict(structure, stress_uncertainty=False))


def _answer(held_out: HeldOutLabel, narrower: float) -> Compared | None:
    prediction, label = held_out.prediction, held_out.label
    if not label.has_forces:
        return None
    error = np.linalg.norm(prediction.forces - label.forces, axis=1)
    deviation = narrower * prediction.forces_deviation
    return Compared(Stream.AUDIT, held_out.structure.numbers, deviation, np.asarray(error))


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

"""What the product itself states of test structures, through its public surface alone: it runs on any version.

Differences are those of energies of neighbours in a test set with the same atoms. A version that states none has the
two uncertainties in quadrature counted; one that states no uncertainty of stress has none counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from reference_sets import Labelled
from uncertainty_answers import SetAnswers
from uncertainty_scores import Calibrated

from thalweg.label import Label
from thalweg.potential import Potential, Prediction
from thalweg.structure import FloatArray, Structure


@dataclass(frozen=True, eq=False)
class ShippedAnswers:
    """One test set by a potential.

    Attributes
    ----------
    atoms : SetAnswers or None
        None where no forces are labelled.
    energy, difference, stress : float64 ndarray, shape (n, 2)
        Error beside what is stated as its standard deviation: eV, eV, eV/Å³.
    """

    atoms: SetAnswers | None
    energy: FloatArray
    difference: FloatArray
    stress: FloatArray

    def calibrated(self, kind: str) -> Calibrated | None:
        """How energy, difference or stress is met."""
        values: FloatArray = getattr(self, kind)
        return Calibrated.of(values[:, 0], values[:, 1])


def shipped(potential: Potential, labelled: Labelled) -> ShippedAnswers:
    """Predict all structures of a set."""
    predicted = [potential.predict(structure) for structure, _ in labelled]
    energy = [
        (one.energy - label.energy, one.energy_uncertainty)
        for one, (_, label) in zip(predicted, labelled, strict=True)
    ]
    stress = [row for one, (_, label) in zip(predicted, labelled, strict=True) for row in _stress(one, label)]
    return ShippedAnswers(
        _atoms(predicted, labelled), _pairs(energy), _pairs(_differences(potential, labelled)), _pairs(stress)
    )


def _pairs(rows: list[tuple[float, float]]) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _atoms(predicted: list[Prediction], labelled: Labelled) -> SetAnswers | None:
    known = [
        (one, structure, label)
        for one, (structure, label) in zip(predicted, labelled, strict=True)
        if label.has_forces
    ]
    if not known:
        return None
    novelty = [one.novelty for one, _, _ in known if one.novelty is not None]
    return SetAnswers(
        np.repeat(np.arange(len(known)), [len(structure) for _, structure, _ in known]),
        np.concatenate([structure.numbers for _, structure, _ in known]),
        np.concatenate([np.linalg.norm(one.forces - label.forces, axis=1) for one, _, label in known]),
        np.concatenate([one.forces_deviation for one, _, _ in known]),
        np.concatenate([one.forces_bound for one, _, _ in known]),
        np.concatenate(novelty) if len(novelty) == len(known) else None,
    )


def _stress(one: Prediction, label: Label) -> list[tuple[float, float]]:
    stated = getattr(one, "stress_uncertainty", None)
    if stated is None or one.stress is None or label.stress is None:
        return []
    return list(zip((one.stress - label.stress).tolist(), stated.tolist(), strict=True))


def _differences(potential: Potential, labelled: Labelled) -> list[tuple[float, float]]:
    """Of each structure and the next with the same atoms."""
    rows = []
    for (first, known_first), (second, known_second) in pairwise(labelled):
        if not np.array_equal(np.sort(first.numbers), np.sort(second.numbers)):
            continue
        value, stated = _difference(potential, first, second)
        rows.append((value - (known_first.energy - known_second.energy), stated))
    return rows


def _difference(potential: Potential, first: Structure, second: Structure) -> tuple[float, float]:
    """Energy of the first less that of the second, and what is stated of it, eV."""
    if hasattr(potential, "energy_difference"):
        # Which end is subtracted is the product's to say; the sign of the value follows the plain energies.
        stated = potential.energy_difference(first, second).uncertainty
    else:
        own = [potential.predict(one).energy_uncertainty for one in (first, second)]
        stated = float(np.hypot(own[0], own[1]))
    return potential.predict(first).energy - potential.predict(second).energy, stated

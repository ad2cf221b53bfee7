"""Labels as rows of numbers, and how unlike its fellows each one is.

Notation
    x        one of energy per atom, and logs of the largest force, largest stress, recorded errors of force and energy
    m        median of x over labels of the same composition; where those are fewer than FELLOWS over all, but for the
             energy per atom, which says nothing beside that of another composition
    s        1.4826 times the median of |x - m|: the standard deviation of a normal distribution, whatever a few do
    unlike   the largest |x - m| / s

A call that went wrong stands out in one of them: a jump of the energy by 10 eV with right forces in the energy alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.store import LabelRecord, QuestionRecord
from thalweg.structure import FloatArray

FELLOWS = 4
_TO_SIGMA = 1.4826
_SMALLEST = 1e-9
"""Deviations below this are rounding, in eV/atom and in units of a logarithm."""


@dataclass(frozen=True)
class LabelRow:
    """A label in numbers.

    Attributes
    ----------
    energy_per_atom : float, eV
    largest_force : float, eV/Å, of an atom's force vector
    largest_stress : float or None, eV/Å³
    error, energy_error : float or None, eV/Å, eV/atom
        Largest error of an atom's force vector, and that of the energy, in the prediction made before learning it.
    oracle, oracle_name : str
        The oracle's fingerprint, and the word in it that people know.
    place : int or None
        In the order of learning.
    unlike : float
        In robust standard deviations: see the notation above.
    """

    number: int
    formula: str
    kind: str
    iteration: int
    energy_per_atom: float
    largest_force: float
    largest_stress: float | None
    error: float | None
    energy_error: float | None
    oracle: str
    oracle_name: str
    place: int | None
    unlike: float = 0.0


def label_rows(labels: Sequence[LabelRecord], questions: Sequence[QuestionRecord]) -> list[LabelRow]:
    """One row for each label, in their order."""
    asked = {question.id: question for question in questions}
    rows = [_row(label, asked.get(label.question_id or 0)) for label in labels]
    return [replace(row, unlike=unlike) for row, unlike in zip(rows, _unlike(rows), strict=True)]


def _row(record: LabelRecord, question: QuestionRecord | None) -> LabelRow:
    label, structure = record.label, record.structure
    predicted = None if question is None else question.prediction.get("forces")
    energy = None if question is None else question.prediction.get("energy")
    error = energy_error = None
    if energy is not None and np.isfinite(energy).all():
        energy_error = abs(float(energy) - label.energy) / len(structure)
    if predicted is not None and predicted.shape == label.forces.shape and np.isfinite(predicted).all():
        error = float(np.linalg.norm(predicted - label.forces, axis=1).max())
    return LabelRow(
        record.number,
        structure.to_atoms().get_chemical_formula(),
        record.kind,
        record.iteration,
        label.energy / len(structure),
        float(np.linalg.norm(label.forces, axis=1).max()),
        None if label.stress is None else float(np.abs(label.stress).max()),
        error,
        energy_error,
        label.oracle,
        _name(label.oracle),
        record.sequence,
    )


def _name(fingerprint: str) -> str:
    """The word in a fingerprint that people know the oracle by."""
    try:
        data = json.loads(fingerprint)
        words = [data.get(key) for key in ("method", "calculator", "xc", "name")]
    except (ValueError, AttributeError):
        return fingerprint[:20]
    word = next((str(word) for word in words if word), fingerprint)
    return word.rsplit(".", 1)[-1][:20]  # of a calculator's path the class


def _unlike(rows: Sequence[LabelRow]) -> FloatArray:
    others = (
        [_log(row.largest_force) for row in rows],
        [_log(row.largest_stress) for row in rows],
        [_log(row.error) for row in rows],
        [_log(row.energy_error) for row in rows],
    )
    groups: dict[str, list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        groups[row.formula].append(k)
    unlike = np.zeros(len(rows))
    energies, quantities = np.array([row.energy_per_atom for row in rows]), [np.array(x) for x in others]
    for group in groups.values():
        if len(group) >= FELLOWS:
            unlike[group] = _deviations(energies[group], energies[group])
        for x in quantities:
            fellows = x[group] if len(group) >= FELLOWS else x
            unlike[group] = np.fmax(unlike[group], _deviations(x[group], fellows))
    return unlike


def _deviations(x: FloatArray, fellows: FloatArray) -> FloatArray:
    """|x - m| / s, NaN where x or all of its fellows are."""
    fellows = fellows[np.isfinite(fellows)]
    if not len(fellows):
        return np.full(len(x), np.nan)
    middle = float(np.median(fellows))
    sigma = max(_TO_SIGMA * float(np.median(np.abs(fellows - middle))), _SMALLEST)
    return np.asarray(np.abs(x - middle) / sigma)


def _log(value: float | None) -> float:
    """NaN where there is nothing to compare; a force of zero, by symmetry, says nothing either."""
    return float(np.log10(value)) if value is not None and value > 1e-6 else float("nan")

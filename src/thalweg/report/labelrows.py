"""Labels as rows of numbers, and how unlike its fellows each one is.

Notation
    x        one of energy per atom, log of the largest force, log of the largest stress, log of the recorded error
    m        median of x over labels of the same composition, or over all where those are fewer than FELLOWS
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
    error : float or None, eV/Å
        Largest error of an atom's force vector in the prediction that was made before the label was learned.
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
    error = None
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
        return fingerprint[:40]
    return next((str(word)[:40] for word in words if word), fingerprint[:40])


def _unlike(rows: Sequence[LabelRow]) -> FloatArray:
    quantities = (
        [row.energy_per_atom for row in rows],
        [_log(row.largest_force) for row in rows],
        [_log(row.largest_stress) for row in rows],
        [_log(row.error) for row in rows],
    )
    groups: dict[str, list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        groups[row.formula].append(k)
    unlike = np.zeros(len(rows))
    for values in map(np.array, quantities):
        for group in groups.values():
            fellows = values[group] if len(group) >= FELLOWS else values
            fellows = fellows[np.isfinite(fellows)]
            if not len(fellows):
                continue
            middle = np.median(fellows)
            sigma = max(_TO_SIGMA * float(np.median(np.abs(fellows - middle))), _SMALLEST)
            unlike[group] = np.fmax(unlike[group], np.abs(values[group] - middle) / sigma)
    return unlike


def _log(value: float | None) -> float:
    """NaN where there is nothing to compare; a force of nought, by symmetry, says nothing either."""
    return float(np.log10(value)) if value is not None and value > 1e-6 else float("nan")

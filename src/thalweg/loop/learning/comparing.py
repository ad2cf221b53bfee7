"""Compares predictions with answers: bounds by the calibration, and the errors that an answer reveals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thalweg.calibration import Calibration, Compared, Stream
from thalweg.label import Label
from thalweg.labelling.question import QuestionKind
from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.loop.learning.learner import Learner
from thalweg.potential import ErrorBounds, Prediction
from thalweg.structure import FloatArray, Structure

STREAMS = {
    QuestionKind.SEED: Stream.SEED,
    QuestionKind.QUERY: Stream.QUERY,
    QuestionKind.AUDIT: Stream.AUDIT,
    QuestionKind.HANDED: Stream.QUERY,  # chosen for their uncertainty, like queries
}


def error_bounds(calibration: Calibration, numbers: Sequence[int]) -> ErrorBounds:
    """The calibration's map for the elements with these atomic numbers, in order."""
    bounds = calibration.bounds
    factors, floors = bounds.lines(tuple(numbers))
    return ErrorBounds(bounds.confidence, factors, floors)


def predict(learner: Learner, structure: Structure, calibration: Calibration) -> Prediction:
    """What the model says now, its bounds as error bounds in eV/Å."""
    prediction = learner.predict(structure)
    bound = calibration.bounds.bound(structure.numbers, prediction.forces_deviation)
    return replace(prediction, forces_bound=bound)


def force_errors(prediction: Prediction, label: Label) -> FloatArray:
    """|F_model - F_oracle| per atom, eV/Å, shape (n_atoms,)."""
    return np.asarray(np.linalg.norm(prediction.forces - label.forces, axis=1))


def audit_record(n_labels: int, structure: Structure, prediction: Prediction, label: Label) -> AuditRecord:
    """Errors of a prediction against the label that came: forces per atom, energy per atom, stress."""
    stress = None
    if label.stress is not None and prediction.stress is not None:
        stress = float(np.sqrt(np.mean((prediction.stress - label.stress) ** 2)))
    return AuditRecord(
        n_labels=n_labels,
        force_errors=tuple(force_errors(prediction, label)),
        force_bounds=tuple(prediction.forces_bound),
        energy_error=(prediction.energy - label.energy) / len(structure),
        stress_error=stress,
        volume=structure.volume / len(structure) if structure.pbc.all() else None,
    )


def prequential(
    calibration: Calibration, stream: Stream, structure: Structure, prediction: Prediction, label: Label
) -> Calibration:
    """The calibration after comparing this answer with what was predicted before learning it."""
    answer = Compared(
        stream,
        structure.numbers,
        prediction.forces_deviation,
        force_errors(prediction, label),
        prediction.forces_bound,
    )
    return calibration.record(answer)

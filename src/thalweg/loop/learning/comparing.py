"""Compares predictions with answers: bounds by the calibration, and the errors that an answer reveals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thalweg.calibration import Calibration, Compared, Stream, is_evidence
from thalweg.calibration.widening import Residuals
from thalweg.explorers.origin import is_open
from thalweg.label import Label
from thalweg.labelling.question import QuestionKind, Reason
from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.loop.learning.learner import Learner
from thalweg.potential import ErrorBounds, Prediction
from thalweg.structure import FloatArray, Structure

STREAMS = {
    QuestionKind.SEED: Stream.SEED,
    QuestionKind.RELAX: Stream.SEED,
    QuestionKind.QUERY: Stream.QUERY,
    QuestionKind.AUDIT: Stream.AUDIT,
    QuestionKind.HANDED: Stream.QUERY,  # chosen for their uncertainty, like queries
}


def error_bounds(calibration: Calibration, numbers: Sequence[int]) -> ErrorBounds:
    """The calibration's map for the elements with these atomic numbers, in order."""
    bounds = calibration.bounds
    factors, floors = bounds.lines(tuple(numbers))
    return ErrorBounds(bounds.confidence, factors, floors)


def predict(
    learner: Learner, structure: Structure, calibration: Calibration, temperature: float | None = None
) -> Prediction:
    """What the model says now, its bounds as error bounds in eV/Å, for a walker at this temperature (K)."""
    prediction = learner.predict(structure)
    bound = calibration.bounds.bound(structure.numbers, prediction.forces_deviation, temperature)
    return replace(prediction, forces_bound=bound)


def force_errors(prediction: Prediction, label: Label) -> FloatArray:
    """|F_model - F_oracle| per atom, eV/Å, shape (n_atoms,)."""
    return np.asarray(np.linalg.norm(prediction.forces - label.forces, axis=1))


def audit_record(
    n_labels: int,
    structure: Structure,
    prediction: Prediction,
    label: Label,
    reason: Reason | None = None,
    energy_uncertainty: float | None = None,
) -> AuditRecord:
    """Errors of a prediction against the label that came: forces per atom, energy per atom, stress.

    `reason` says where it was met; `energy_uncertainty` (eV) is what was stated of the total energy. With vacuum in its
    cell, a structure has no volume of its own.
    """
    stress = np.zeros(0)
    if label.stress is not None and prediction.stress is not None:
        stress = np.abs(prediction.stress - label.stress)
    return AuditRecord(
        n_labels=n_labels,
        force_errors=tuple(force_errors(prediction, label)),
        force_bounds=tuple(prediction.forces_bound),
        energy_error=(prediction.energy - label.energy) / len(structure),
        stress_error=float(np.sqrt(np.mean(stress**2))) if len(stress) else None,
        volume=None if is_open(structure) else structure.volume / len(structure),
        stress_errors=tuple(stress),
        start=None if reason is None else reason.start,
        temperature=None if reason is None else reason.temperature,
        energy_uncertainty=None if energy_uncertainty is None else energy_uncertainty / len(structure),
    )


def evident(record: AuditRecord, prediction: Prediction) -> AuditRecord | None:
    """The record without atoms whose forces vanish by symmetry, which prove nothing; None where none is left."""
    errors = np.array(record.force_errors)
    keep = np.flatnonzero(is_evidence(prediction.forces_deviation, errors))
    if not len(keep):
        return None
    return replace(
        record,
        force_errors=tuple(record.force_errors[k] for k in keep),
        force_bounds=tuple(record.force_bounds[k] for k in keep),
    )


def stated_energy(calibration: Calibration, residuals: Residuals, structure: Structure) -> float | None:
    """Standard deviation of the total energy, eV, as the calibration widens it before this answer; None without one."""
    if residuals.energy is None:
        return None
    return calibration.widening.energy * float(np.sqrt(residuals.energy.variance[0] * len(structure)))


def prequential(
    calibration: Calibration,
    stream: Stream,
    structure: Structure,
    prediction: Prediction,
    label: Label,
    residuals: Residuals | None = None,
    temperature: float | None = None,
) -> Calibration:
    """The calibration after comparing this answer with what was predicted before learning it.

    `residuals` are what it shows of the stated spread of energies, forces and stress; `temperature` (K) is that of the
    walker that met the structure.
    """
    if residuals is not None:
        calibration = calibration.record_residuals(residuals)
    answer = Compared(
        stream,
        structure.numbers,
        prediction.forces_deviation,
        force_errors(prediction, label),
        prediction.forces_bound,
        temperature,
    )
    return calibration.record(answer)

"""Labels outside the sample, held against what the sample says: which of them are unlike all others.

    forces      r^T (WIDER K + sigma² s²)^-1 r over the rows of a label, K their posterior covariance
    energies    left-out residuals beside the sample's, whose reference energies they share

Sizes are as in thalweg.coherence.odd, in units of what is usual in the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from thalweg.coherence.odd import OddForces, Scale
from thalweg.coherence.pairs import Pair, free_columns
from thalweg.coherence.relation import LEAST_MISFIT, Implied, residuals
from thalweg.coherence.voices import Labelled, Posterior, Voice, Voices, listen
from thalweg.models import RowKind
from thalweg.structure import FloatArray

WIDER = 16.0
"""Times the posterior's covariance: how much surer of what it has not seen a small basis is than it should be."""
HALF, TWICE = 0.5, 2.0
"""A label outside the sample must be off by half of its own size, and twice as far as one that was fitted."""
CHUNK = 32
"""Labels whose rows are in memory at a time."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """What the sample says.

    Attributes
    ----------
    voices : Voices
    forces : OddForces or None
    energies : Pair or None
        Forces against energies, where they agree; its voice holds labels that are not odd.
    usual : float
        Size of the sample's left-out energies, over their deviation.
    """

    voices: Voices
    forces: OddForces | None
    energies: Pair | None
    usual: float


def odd_others(sampled: Sampled, labelled: Labelled, scale: Scale) -> dict[RowKind, FloatArray]:
    """Sizes of forces and energies of labels that are not in the sample, shape (n_labels,) each."""
    size = {RowKind.ENERGY: np.ones(len(labelled)), RowKind.FORCES: np.ones(len(labelled))}
    for first in range(0, len(labelled), CHUNK):
        voices = listen(labelled[first : first + CHUNK], sampled.voices.basis)
        by_right = scale.of(voices)
        for kind, own in _sizes(sampled, voices, by_right).items():
            size[kind][first : first + CHUNK] = own
    return size


def _sizes(sampled: Sampled, voices: Voices, by_right: FloatArray) -> dict[RowKind, FloatArray]:
    found = {}
    if sampled.forces is not None and RowKind.FORCES in voices.by_kind:
        found[RowKind.FORCES] = _of_forces(sampled.forces, voices, by_right)
    if sampled.energies is not None and sampled.forces is not None:
        found[RowKind.ENERGY] = _of_energies(
            sampled, sampled.energies, sampled.forces.posterior, voices, by_right
        )
    return found


def _of_forces(heard: OddForces, voices: Voices, by_right: FloatArray) -> FloatArray:
    voice, size = voices.by_kind[RowKind.FORCES], np.ones(len(by_right))
    sigma = heard.posterior.model.noise[RowKind.FORCES]
    for i in voice.labels:
        own = voice.of(np.array([i]))
        residual = own.targets - heard.posterior.predict(own.rows)
        rms, own_size = np.sqrt(np.mean(residual**2)), np.sqrt(np.mean(own.targets**2))
        if rms <= HALF * own_size:
            continue
        V = WIDER * heard.posterior.covariance(own.rows) + (sigma * by_right[i]) ** 2 * np.eye(len(residual))
        d = np.sqrt(float(residual @ cho_solve(cho_factor(V), residual)) / len(residual))
        size[i] = max(d / (TWICE * heard.usual), 1.0)
    return size


def _of_energies(
    sampled: Sampled, pair: Pair, posterior: Posterior, voices: Voices, by_right: FloatArray
) -> FloatArray:
    """Each energy beside those of the sample."""
    size, voice = np.ones(len(by_right)), voices.by_kind[RowKind.ENERGY]
    known = np.concatenate([pair.voice.targets, [0.0]])
    for n, i in enumerate(voice.owner):
        implied = _beside(pair, posterior, voice.of(np.array([i])), free_columns(voices, voice)[n])
        known[-1] = voice.targets[n]
        found = residuals(known, implied, pair.plain.kappa, pair.plain.sigma)
        if abs(found.left_out[-1]) > LEAST_MISFIT:
            z = abs(found.left_out[-1] / found.deviation[-1]) / by_right[i]
            size[i] = max(z / sampled.usual, 1.0)
    return size


def _beside(pair: Pair, posterior: Posterior, own: Voice, free: FloatArray) -> Implied:
    """What is implied of the sample's energies and of one more."""
    rows = np.concatenate([pair.voice.rows, own.rows])
    columns = np.zeros((len(rows), len(free)))
    if pair.implied.free is not None:
        columns[:-1] = pair.implied.free
    columns[-1] = free
    mean = np.append(pair.implied.mean, posterior.predict(own.rows))
    cross = posterior.cross_covariance(pair.voice.rows, own.rows)
    K = np.block([[pair.implied.covariance, cross], [cross.T, posterior.covariance(own.rows)]])
    return Implied(mean, K, columns)

"""Forces that no potential gives: of atoms in another order, of another axis, or of other structures.

A small basis explains 95 % and more of the variance of right forces (0.999 usually; 0.95 in graphene by GFN1-xTB), and
1 to 45 % of forces whose atoms or components have changed places. What such forces imply of energies and stress is
noise: it names units and signs that nobody has got wrong.
"""

from __future__ import annotations

import numpy as np

from thalweg.coherence.findings import Finding
from thalweg.coherence.odd import ODD, OddForces
from thalweg.coherence.voices import Voices
from thalweg.models import RowKind

EXPLAINED = 0.6
"""Share of the variance of forces below which they are not of these structures."""
LEAST_FORCE = 0.1
"""eV/Å, rms: smaller forces of structures at rest may be what a calculation leaves unconverged."""


def forces_of_nothing(voices: Voices, heard: OddForces) -> Finding | None:
    """A finding where forces do not follow from the structures, labels that are odd apart."""
    voice = voices.by_kind[RowKind.FORCES]
    voice = voice.of(voice.labels[heard.size[voice.labels] < ODD])
    rms = float(np.sqrt(np.mean(voice.targets**2))) if len(voice.targets) else 0.0
    if rms < LEAST_FORCE:
        return None
    missed = float(np.sqrt(np.mean((voice.targets - heard.posterior.predict(voice.rows)) ** 2)))
    explained = 1.0 - (missed / rms) ** 2
    if explained > EXPLAINED:
        return None
    text = (
        f"forces do not follow from the structures: a potential explains {max(explained, 0.0):.0%} of their variance; "
        "they may be of atoms in another order, of other axes, or of other structures"
    )
    return Finding((RowKind.FORCES,), "unrelated", text, (), {"explained": explained})

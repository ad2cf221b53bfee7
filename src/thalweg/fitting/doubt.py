"""What a fit makes of labels that do not hold together (thalweg.coherence): how much less each counts.

A quantity that the two others outvote beyond doubt is all but left out, and so is what in a label is unlike all others.
Nothing is corrected, with one exception: a constant offset of the stress labels, where energies and forces confirm each
other and both say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.coherence import NAMES, ODD, Coherence, coherence_basis, hold_together
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.references import is_isolated_atom
from thalweg.models import RowKind
from thalweg.structure import FloatArray

DOUBTED = 100.0
"""Spread of a quantity that is wrong beyond doubt: weights are the inverse squares."""


def check_labels(labelled: Labelled, elements: Sequence[str], reach: float) -> Coherence:
    """Hold the labels, isolated atoms apart, against each other; places are those in `labelled`."""
    places = [i for i, pair in enumerate(labelled) if not is_isolated_atom(pair[0], reach)]
    useful = [labelled[i] for i in places]
    periodic = any(bool(structure.pbc.any()) for structure, _ in useful)
    found = hold_together(useful, coherence_basis(elements, periodic, reach))
    return found.moved(places, len(labelled))


@dataclass(frozen=True, eq=False)
class Doubt:
    """How many times noisier than by right labels are taken to be, and whether stress may be judged by the others.

    It may not where energies or forces contradict something themselves, or where stress is wrong as a whole.
    """

    spread: Spread
    judges_stress: bool = True

    @classmethod
    def none(cls, n_labels: int) -> Doubt:
        """Of labels that hold together."""
        return cls(Spread.alike(n_labels))


def doubt_of(coherence: Coherence, order: Sequence[int]) -> Doubt:
    """The doubt about the labels at these places, in their order."""
    energy, forces, virial = (_spread(coherence, kind, order) for kind in NAMES)
    judged = [own < DOUBTED for own in (energy, forces)]
    about = {kind for finding in coherence.findings if finding.how != "odd" for kind in finding.about}
    stands = not about & {RowKind.ENERGY, RowKind.FORCES} and RowKind.VIRIAL not in coherence.doubted
    return Doubt(Spread(energy, forces, virial, coherence.pressure, *judged), stands)


def _spread(coherence: Coherence, kind: RowKind, order: Sequence[int]) -> FloatArray:
    """1, or DOUBTED and more."""
    size = coherence.odd[kind][np.asarray(order, dtype=np.int64)]
    spread = np.where(size >= ODD, DOUBTED * (size / ODD) ** 2, 1.0)
    if kind in coherence.doubted and kind is not RowKind.FORCES:
        spread = np.maximum(spread, DOUBTED)
    return np.asarray(spread)

"""Energies, forces and stress of a set of labels held against each other: what `fit` and `run` say of their labels.

    voices         rows of each quantity in a small basis, of a sample of the labels      voices.py
    placeholders   numbers that are no answers                                            placeholders.py
    unrelated      forces that do not follow from the structures                          unrelated.py
    odd            labels unlike all others                                               odd.py
    levels         energies of two levels of theory                                       levels.py
    pairs          each two quantities: agree, differ, or nothing can be said             pairs.py, relation.py
    blame          who is wrong, and how                                                  blame.py, units.py
    pressure       a constant between energies and stress                                 pressure.py
    orders         stress components in another order in some                             orders.py
    examination    all of these, for the sample                                           examination.py
    others         labels outside the sample                                              others.py

Theory, and false alarms on published sets: docs/theory.md, docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thalweg.coherence.examination import Examination, odd_findings
from thalweg.coherence.findings import Coherence
from thalweg.coherence.odd import NORMAL, Scale
from thalweg.coherence.others import Sampled, odd_others
from thalweg.coherence.pairs import LEAST, State
from thalweg.coherence.voices import Labelled, listen
from thalweg.features import AceBasis
from thalweg.features.defaults import automatic_cutoff, default_basis
from thalweg.models import RowKind
from thalweg.structure import IntArray

E, F, S = RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL
DEGREES = {1: (12, 9, 6), 2: (8, 6, 4), 3: (6, 5, 3), 4: (6, 3), 5: (6, 3), 6: (5, 2), 7: (4, 2)}
MANY = (8,)
"""By the number of elements: 145 to 1500 columns; of eight and more elements pairs alone are looked at."""
MOST_LABELS, MOST_ATOMS = 80, 6000
"""Of the sample: what decides is seen in it, and the work stays seconds."""
EXPONENT = 2


def coherence_basis(elements: Sequence[str], periodic: bool, r_cut: float | None = None) -> AceBasis:
    """The small basis in which quantities are compared."""
    reach = automatic_cutoff(elements, periodic) if r_cut is None else r_cut
    degrees = DEGREES.get(len(elements), MANY)
    return default_basis(elements, periodic, reach, max_degree=degrees, radial_exponent=EXPONENT)


def sample_of(labelled: Labelled) -> IntArray:
    """Places of the labels that are looked at, rising: all, or a random part that is always the same."""
    order = np.random.default_rng(0).permutation(len(labelled))
    atoms = np.cumsum([len(labelled[i][0]) for i in order])
    n = min(MOST_LABELS, max(LEAST, int(np.searchsorted(atoms, MOST_ATOMS, side="right"))))
    return np.sort(order[:n])


def hold_together(labelled: Labelled, basis: AceBasis) -> Coherence:
    """Hold energies, forces and stress of labels against each other.

    Parameters
    ----------
    labelled : structures and labels, none of an isolated atom
    basis : a small one, as by `coherence_basis`

    Returns
    -------
    Coherence
        Its places are those in `labelled`; sets of many labels are judged by a sample.
    """
    if len(labelled) < LEAST:
        return Coherence.unknown(len(labelled))
    places = sample_of(labelled)
    voices = listen([labelled[i] for i in places], basis)
    check = Examination(voices)
    check.make()
    found = check.result().moved([int(i) for i in places], len(labelled))
    rest = np.setdiff1d(np.arange(len(labelled)), places)
    return _with_others(found, check, labelled, rest) if len(rest) else found


def _with_others(found: Coherence, check: Examination, labelled: Labelled, rest: IntArray) -> Coherence:
    """The same with the labels outside the sample that are unlike all others."""
    pair = check.pairs.get(frozenset({E, F}))
    agrees = pair is not None and pair.state is State.AGREE and pair.source is F
    sampled = Sampled(check.voices, check.heard, pair if agrees else None, 1.0 / NORMAL)
    sizes = odd_others(sampled, [labelled[i] for i in rest], Scale.by(check.voices))
    odd = {kind: size.copy() for kind, size in found.odd.items()}
    findings = [finding for finding in found.findings if finding.how != "odd"]
    for kind, size in sizes.items():
        odd[kind][rest] = size
    for kind in (E, S):
        odd[kind][rest] = np.maximum(odd[kind][rest], sizes[F])
    return replace(found, odd=odd, findings=(*findings, *odd_findings(odd, found.doubted, findings)))

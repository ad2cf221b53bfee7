"""Numbers that stand for no answer: zeros, one value for all, the same answer to different questions.

Symmetry gives zeros and equal numbers, too: forces in a perfect crystal, energies of mirrored cells. The rows of a
basis have that symmetry. So a label is a placeholder only where its numbers are equal to the last bit and its rows
are not, or where it is zero and its rows are not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.coherence.findings import NAMES, Finding
from thalweg.coherence.voices import Voice, Voices
from thalweg.models import RowKind
from thalweg.structure import FloatArray

LEAST_REPEATED = 3
"""Labels of different structures with one energy: two may be chance in files of few digits."""
_DIFFERENT = 1e-3
"""Of the rows' own size: below it two structures are copies of each other, but for the digits of a file."""
_VANISHING = 0.02
"""Rows below this share of the largest size vanish by symmetry."""


def find_placeholders(voices: Voices) -> list[Finding]:
    """The labels that are no answers."""
    found = [_zeros(voices, kind) for kind in (RowKind.FORCES, RowKind.VIRIAL)]
    found += [
        _same_energies(voices),
        _same_answers(voices, RowKind.FORCES),
        _same_answers(voices, RowKind.VIRIAL),
    ]
    return [finding for finding in found if finding is not None]


def _zeros(voices: Voices, kind: RowKind) -> Finding | None:
    """Forces or stress of exactly zero where symmetry does not ask for it."""
    if kind not in voices.by_kind:
        return None
    sizes = _row_sizes(voices.by_kind[kind])
    largest = max(*sizes.values(), 1e-300)
    places = tuple(
        i for i, size in sizes.items() if size > _VANISHING * largest and not _numbers(voices, kind, i).any()
    )
    if not places:
        return None
    every = len(places) == len(sizes)
    verb = "is" if kind is RowKind.VIRIAL else "are"
    what = "zero in all labels" if every else f"exactly zero in {len(places)} of {len(sizes)} labels"
    text = (
        f"{NAMES[kind]} {verb} {what}, where the structures do not ask for it: a placeholder, not an answer"
    )
    return Finding((kind,), "zero", text, () if every else places, {"n_labels": len(places)})


def _row_sizes(voice: Voice) -> dict[int, float]:
    """Root mean square of the rows of each label."""
    squares = np.mean(voice.rows**2, axis=1)
    return {int(i): float(np.sqrt(squares[voice.owner == i].mean())) for i in voice.labels}


def _same_energies(voices: Voices) -> Finding | None:
    """One energy, to the last bit, for several structures that differ."""
    groups = _equal(voices, RowKind.ENERGY, range(len(voices.labelled)), LEAST_REPEATED)
    groups = [group for group in groups if not _zeros_of_compositions(voices, group)]
    if not groups:
        return None
    places = tuple(sorted(i for group in groups for i in group))
    values = {voices.labelled[i][1].energy for i in places}
    every = len(places) == len(voices.labelled)
    value = f"{values.pop():.8g} eV" if len(values) == 1 else "the same"
    text = (
        f"energies are {value}, to the last digit, for {'all' if every else len(places)} of "
        f"{len(voices.labelled)} labels although the structures differ: a placeholder, not an answer"
    )
    return Finding((RowKind.ENERGY,), "constant", text, () if every else places, {"n_labels": len(places)})


def _zeros_of_compositions(voices: Voices, group: Sequence[int]) -> bool:
    """Whether one label of each of some compositions has this energy: the zero of relative energies."""
    n_compositions = len({voices.counts[i].tobytes() for i in group})
    return n_compositions == len(group) and 2 * len(group) < len(voices.labelled)


def _same_answers(voices: Voices, kind: RowKind) -> Finding | None:
    """Forces or stress equal to the last bit for structures that differ."""
    voice = voices.by_kind.get(kind)
    if voice is None:
        return None
    wanted = [int(i) for i in voice.labels if _numbers(voices, kind, int(i)).any()]
    places = tuple(sorted(i for group in _equal(voices, kind, wanted) for i in group))
    if not places:
        return None
    verb, n = "is" if kind is RowKind.VIRIAL else "are", len(places)
    text = f"{NAMES[kind]} {verb} the same, to the last digit, for {n} labels of different structures"
    return Finding((kind,), "identical", text, places, {"n_labels": len(places)})


def _equal(voices: Voices, kind: RowKind, labels: Sequence[int], least: int = 2) -> list[list[int]]:
    """Groups of labels whose numbers are equal though `least` or more of the structures differ.

    Forces and stress of two compositions are the same only if their shapes are, and energies never by right.
    """
    groups: dict[bytes, list[int]] = {}
    for i in labels:
        composition = b"" if kind is RowKind.ENERGY else voices.counts[i].tobytes()
        groups.setdefault(composition + _numbers(voices, kind, i).tobytes(), []).append(int(i))
    return [own for own in groups.values() if len(_different(voices, own)) >= least]


def _different(voices: Voices, places: list[int]) -> list[int]:
    """Those of some labels that are no copies of an earlier one."""
    voice = voices.by_kind[RowKind.ENERGY]
    row_of = {int(i): voice.rows[n] for n, i in enumerate(voice.owner)}
    kept: list[int] = []
    for i in places:
        if all(_differ(row_of[i], row_of[k]) for k in kept):
            kept.append(i)
    return kept


def _differ(one: FloatArray, other: FloatArray) -> bool:
    size = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)), 1e-300)
    return float(np.linalg.norm(one - other)) > _DIFFERENT * size


def _numbers(voices: Voices, kind: RowKind, place: int) -> FloatArray:
    """A label's numbers of one quantity."""
    label = voices.labelled[place][1]
    if kind is RowKind.ENERGY:
        return np.array([label.energy])
    if kind is RowKind.FORCES:
        return label.forces
    assert label.stress is not None
    return label.stress


def without_placeholders(voices: Voices, findings: Sequence[Finding]) -> Voices:
    """The voices without the labels that are none: of one quantity, all or some."""
    kept = dict(voices.by_kind)
    for finding in findings:
        (kind,) = finding.about
        if kind in kept and (left := _left(kept[kind], finding)) is not None:
            kept[kind] = left
        else:
            kept.pop(kind, None)
    return Voices(voices.labelled, voices.basis, voices.counts, kept)


def _left(voice: Voice, finding: Finding) -> Voice | None:
    labels = np.setdiff1d(voice.labels, np.array(finding.places, dtype=np.int64))
    return voice.of(labels) if finding.places and len(labels) else None

"""Energies of two levels of theory in one set: a constant between some labels and the others.

The residuals of energies are split in two where that leaves the least scatter within. Any set can be split; a normal
distribution then keeps 0.6 of its deviation, so that the likelihood gained has to be more than a nat for each label.

Two isomers, or two phases, of which nothing between is labelled have a constant between them, too. What forces imply of
it rests on structures that no label shows, and is wrong by many times its own deviation. How far apart structures are,
the deviation of the difference of their energies tells: d_ik² = K_ii + K_kk - 2 K_ik. Groups are two levels only where
the nearest structures of both are about as close as neighbours in a group are: 0.1 to 1 times. Isomers are 30 times
apart and more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thalweg.coherence.odd import least_deviations
from thalweg.coherence.relation import RELATED, Implied, coefficient, profile
from thalweg.coherence.voices import Voice, Voices
from thalweg.structure import BoolArray, FloatArray

LEAST_GROUP = 2
SPLIT_GAIN = (1.0, 10.0)
"""Nats for each label, and beside."""
LEAST_SHIFT = 0.02
"""eV."""
APART = 5.0
"""Times the usual distance between neighbours, from which on two groups are structures of two kinds."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Two levels: the labels of the smaller group, and how far they are from the others.

    `shift` is in eV for each structure, or for each atom where `per_atom`.
    """

    places: tuple[int, ...]
    shift: float
    per_atom: bool


def find_levels(voices: Voices, voice: Voice, implied: Implied) -> Levels | None:
    """Two levels among the energies of `voice`, given what forces or stress imply; None where there is one."""
    before = profile(voice.targets, implied)
    if before is None or len(voice.targets) < 2 * LEAST_GROUP + 1:
        return None
    best: tuple[float, Levels] | None = None
    for per_atom in (False, True):
        found = _split(voices, voice, implied, per_atom)
        if found is None:
            continue
        gain, levels = found
        if best is None or gain > best[0] + RELATED:  # the same where all have as many atoms
            best = gain, levels
    if best is None or best[0] < SPLIT_GAIN[0] * len(voice.targets) + SPLIT_GAIN[1]:
        return None
    return best[1] if abs(best[1].shift) > LEAST_SHIFT else None


def _split(voices: Voices, voice: Voice, implied: Implied, per_atom: bool) -> tuple[float, Levels] | None:
    """The best split, and the likelihood that a constant between its groups gains."""
    roots = np.sqrt(voices.sizes[voice.owner])
    scale = roots if per_atom else 1.0 / roots
    off = least_deviations(voice.targets - implied.mean, implied.free) / scale
    upper = _two_groups(off)
    if min(upper.sum(), (~upper).sum()) < LEAST_GROUP:
        return None
    smaller = upper if 2 * upper.sum() <= len(upper) else ~upper
    if _of_two_kinds(implied, smaller):
        return None
    column = smaller * scale
    before, after = profile(voice.targets, implied), profile(voice.targets, with_column(implied, column))
    if before is None or after is None or after.like_one - after.unrelated < RELATED:
        return None
    shift, _ = coefficient(voice.targets, implied, column, after.kappa, after.sigma)
    places = tuple(int(i) for i in voice.owner[smaller])
    return after.like_one - before.best, Levels(places, shift, per_atom)


def _of_two_kinds(implied: Implied, group: BoolArray) -> bool:
    """Whether the structures of a group are far from all others, as distances between neighbours go."""
    own = np.diag(implied.covariance)
    distance = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2.0 * implied.covariance, 0.0))
    np.fill_diagonal(distance, np.inf)
    alike = group[:, None] == group[None, :]
    usual = float(np.median(np.where(alike, distance, np.inf).min(axis=1)))
    return float(distance[~alike].min()) > APART * usual


def _two_groups(values: FloatArray) -> BoolArray:
    """The upper one of the two groups with the least scatter within, as a mask."""
    order = np.sort(values)
    costs = [_scatter(order[:k]) + _scatter(order[k:]) for k in range(1, len(order))]
    k = int(np.argmin(costs)) + 1
    return np.asarray(values >= order[k], dtype=np.bool_)


def _scatter(values: FloatArray) -> float:
    return float(np.sum((values - values.mean()) ** 2))


def with_column(implied: Implied, column: FloatArray) -> Implied:
    """The same with one more free column."""
    free = column[:, None] if implied.free is None else np.column_stack([implied.free, column])
    return replace(implied, free=free)

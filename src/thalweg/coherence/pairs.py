"""Each two quantities of a set held against each other: do they confirm or contradict each other, and how.

    forces -> energies      forces -> stress      stress -> energies

What is tried beside a factor belongs to one quantity alone: energies per atom; components of the stress in another
order, and a virial given as stress. Where one of these is likelier than any factor, that quantity is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from thalweg.coherence.relation import LIKE_ONE, RELATED, SURE, Implied, Profile, profile, taken
from thalweg.coherence.units import makes_sense, unit_of
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.structure import FloatArray, IntArray

LEAST = 4
"""Labels of both quantities below which nothing is said of them."""
RELATIVE = 0.1
"""Of the likelihood that labels as they are gain over no relation: misfit moves a factor a little, and surely."""
EACH = 3
"""Labels of each composition, on average, for their zeros to be told apart."""
LEAST_OFFSET = 0.5
"""eV, rms of the offsets beyond reference energies."""
PENALTY = 8.0
"""Nats for each zero more than there are reference energies."""
WIDEST = 0.5
"""Of the interval of a factor's logarithm that still tells a unit."""
PARTS = 5
MOST_ROWS = 480
"""Of the quantity that is predicted: the work grows with the cube."""
ORDERS: dict[str, tuple[int, ...]] = {
    "xx yy zz xy yz xz, VASP's": (0, 1, 2, 4, 5, 3),
    "xx yy zz xy xz yz, LAMMPS'": (0, 1, 2, 5, 4, 3),
    "xx yy zz xz yz xy": (0, 1, 2, 4, 3, 5),
    "xx yy zz yz xy xz": (0, 1, 2, 3, 5, 4),
    "xx yy zz xz xy yz": (0, 1, 2, 5, 3, 4),
    "xx xy xz yy yz zz, by rows": (0, 3, 5, 4, 2, 1),
    "xx xy yy xz yz zz, by columns": (0, 2, 5, 4, 3, 1),
}
"""Of other programs -> where ASE's xx yy zz yz xz xy stand in it."""


class State(StrEnum):
    """What two quantities say of each other."""

    AGREE = "agree"
    DIFFER = "differ"
    SILENT = "silent"


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """What may have been done to the labels of one quantity, and how likely that is.

    `how` is factor, per atom, offset, order or virial; `name` says more; `targets` are the labels with that undone, and
    `likelihood` is of the labels as they are given.
    """

    how: str
    name: str
    profile: Profile
    jacobian: float
    targets: FloatArray

    @property
    def likelihood(self) -> float:
        """The largest, for the labels as given."""
        return self.profile.best + self.jacobian


@dataclass(frozen=True, eq=False)
class Pair:
    """Two quantities held against each other.

    Attributes
    ----------
    source, target : RowKind
    state : State
    best : Hypothesis
        The likeliest one, the plain factor where others are no better.
    plain : Profile
        That of the labels as they are.
    implied : Implied
        What the source implies of the target's rows.
    voice : Voice
        The target's rows.
    """

    source: RowKind
    target: RowKind
    state: State
    best: Hypothesis
    plain: Profile
    implied: Implied
    voice: Voice

    @property
    def kinds(self) -> frozenset[RowKind]:
        """Both."""
        return frozenset((self.source, self.target))

    @property
    def unrelated(self) -> bool:
        """Whether no factor is any likelier than none, or labels scatter about what is implied far beyond misfit."""
        scatter = self.best.how == "factor" and near_one(self.best.profile.factor)
        return scatter or self.best.profile.unrelated > self.best.profile.best - RELATED


def hold_against(
    voices: Voices, posterior: Posterior, source: RowKind, target: RowKind, labels: IntArray | None = None
) -> Pair | None:
    """The target's labels (all, or some) against what the posterior of the source implies; None where too few."""
    voice = voices.by_kind[target]
    voice = voice if labels is None else voice.of(labels)
    voice = voice.of(voice.labels[: _most_labels(voice)])
    if len(voice.labels) < LEAST:
        return None
    implied = implied_by(voices, posterior, voice)
    plain = profile(voice.targets, implied)
    if plain is None:
        return None
    best = Hypothesis("factor", "", plain, 0.0, voice.targets)
    for other in _others(voices, voice, implied):
        if other.likelihood > best.likelihood + (RELATED if best.how == "factor" else 0.0):
            best = other
    state = _state(plain, best)
    if state is State.DIFFER and not _said_by_all(voice, implied, best):
        state = State.SILENT
    return Pair(source, target, state, best, plain, implied, voice)


def _said_by_all(voice: Voice, implied: Implied, best: Hypothesis) -> bool:
    """Whether labels differ from what is implied also without any fifth of them: no few may decide about all."""
    for part in range(PARTS):
        kept = ~np.isin(voice.owner, voice.labels[part::PARTS])
        some = taken(implied, kept)
        plain, other = profile(voice.targets[kept], some), profile(best.targets[kept], some)
        if plain is None or other is None:
            return False
        jacobian = best.jacobian * float(np.mean(kept))
        if other.best + jacobian - plain.like_one < SURE / 2.0:
            return False
    return True


def _most_labels(voice: Voice) -> int:
    return max(LEAST, int(MOST_ROWS * len(voice.labels) / len(voice.targets)))


def implied_by(voices: Voices, posterior: Posterior, voice: Voice) -> Implied:
    """What a posterior implies of a voice; reference energies, and a constant pressure, are left free."""
    rows = voice.rows
    free = free_columns(voices, voice)
    return Implied(posterior.predict(rows), posterior.covariance(rows), free)


def free_columns(voices: Voices, voice: Voice) -> FloatArray:
    """Columns that the comparison leaves free: composition of energies, isotropic virial of a constant pressure."""
    if voice.kind is RowKind.ENERGY:
        return np.asarray(voices.counts[voice.owner] / np.sqrt(voices.sizes[voice.owner])[:, None])
    return pressure_column(voices, voice)[:, None]


def pressure_column(voices: Voices, voice: Voice) -> FloatArray:
    """What a constant isotropic stress of 1 eV/Å³ adds to the targets: to energies V / sqrt(n), to virials likewise."""
    volumes = np.array([_volume(voices, int(i)) for i in voice.owner]) / np.sqrt(voices.sizes[voice.owner])
    if voice.kind is RowKind.ENERGY:
        return np.asarray(volumes)
    return np.asarray(volumes * np.tile([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], len(voice.targets) // 6))


def _volume(voices: Voices, place: int) -> float:
    structure = voices.labelled[place][0]
    return structure.volume if structure.pbc.all() else 0.0


def _state(plain: Profile, best: Hypothesis) -> State:
    related = plain.like_one - plain.unrelated
    if best.likelihood - plain.like_one > max(SURE, RELATIVE * related):
        return State.DIFFER
    return State.AGREE if related > RELATED else State.SILENT


def _others(voices: Voices, voice: Voice, implied: Implied) -> Iterator[Hypothesis]:
    """What beside a factor may have been done to the target's labels."""
    if voice.kind is RowKind.ENERGY:
        yield from _per_atom(voices, voice, implied)
        yield from _offset(voices, voice, implied)
    elif voice.kind is RowKind.VIRIAL:
        yield from _orders(voice, implied)
        yield from _virial(voices, voice, implied)


def _per_atom(voices: Voices, voice: Voice, implied: Implied) -> Iterator[Hypothesis]:
    """Energies times the number of atoms, where that is not the same factor for all: else a plain factor tells."""
    sizes = voices.sizes[voice.owner]
    if np.ptp(sizes) == 0.0:
        return
    for found in _undone(
        voice.kind, "per atom", "", voice.targets * sizes, implied, float(np.log(sizes).sum())
    ):
        if _known(found.profile):
            yield found


def _offset(voices: Voices, voice: Voice, implied: Implied) -> Iterator[Hypothesis]:
    """Energies whose zero is another for each composition, as of energies relative to a minimum or to one constant."""
    counts = voices.counts[voice.owner]
    _, group = np.unique(counts, axis=0, return_inverse=True)
    n_groups, n_references = int(group.max()) + 1, int(np.linalg.matrix_rank(counts))
    if n_groups <= n_references or len(counts) < EACH * n_groups:
        return
    zeros = np.eye(n_groups)[group] / np.sqrt(counts.sum(axis=1))[:, None]
    found = profile(voice.targets, replace(implied, free=zeros))
    if found is None or not near_one(found.factor):
        return
    shift = shifts(voice.targets, implied, zeros, found)
    if np.sqrt(np.mean((shift[group]) ** 2)) < LEAST_OFFSET:
        return
    penalty = -PENALTY * (n_groups - n_references)
    yield from _undone(voice.kind, "offset", "", voice.targets - zeros @ shift, implied, penalty)


def shifts(y: FloatArray, implied: Implied, zeros: FloatArray, found: Profile) -> FloatArray:
    """Of each composition, eV, by generalised least squares; the part that reference energies take up is left out."""
    V = found.kappa * implied.covariance + found.sigma**2 * np.eye(len(y))
    W = np.linalg.solve(V, zeros)
    values = np.linalg.lstsq(zeros.T @ W, W.T @ (y - implied.mean), rcond=1e-12)[0]
    if implied.free is None:
        return np.asarray(values)
    references = np.linalg.lstsq(implied.free, zeros @ values, rcond=1e-10)[0]
    left = zeros @ values - implied.free @ references
    return np.asarray(np.linalg.lstsq(zeros, left, rcond=1e-10)[0])


def _known(found: Profile) -> bool:
    """Whether a factor of energies per atom is 1, -1 or a unit: any other may be anything."""
    factor, (low, high) = found.factor, found.interval
    if near_one(abs(factor)):
        return True
    sure = low * high > 0.0 and abs(np.log(high / low)) < WIDEST
    return sure and unit_of(RowKind.ENERGY, factor, found.interval) is not None


def _orders(voice: Voice, implied: Implied) -> Iterator[Hypothesis]:
    given = voice.targets.reshape(-1, 6)
    for name, order in ORDERS.items():
        yield from _undone(voice.kind, "order", name, given[:, list(order)].ravel(), implied, 0.0)


def _virial(voices: Voices, voice: Voice, implied: Implied) -> Iterator[Hypothesis]:
    volumes = np.array([_volume(voices, int(i)) for i in voice.owner])
    each = volumes / voices.sizes[voice.owner]
    for name, by in (("", volumes), ("per atom", each)):
        if np.ptp(by) >= 1e-9 * float(by.max()):  # else a plain factor tells
            jacobian = -float(np.log(by).sum())
            yield from _undone(voice.kind, "virial", name, voice.targets / by, implied, jacobian)


def _undone(
    kind: RowKind, how: str, name: str, y: FloatArray, implied: Implied, jacobian: float
) -> Iterator[Hypothesis]:
    found = profile(y, implied)
    if found is not None and makes_sense(kind, found.factor, found.interval):
        yield Hypothesis(how, name, found, jacobian, y)


def near_one(factor: float) -> bool:
    """Whether a factor is taken for 1."""
    return LIKE_ONE[0] / 1.2 < factor < LIKE_ONE[1] * 1.2

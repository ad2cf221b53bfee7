"""Labels unlike all others, by what the others say of them.

Notation
    s_i      how noisy a label may be by right: max(1, f_i / f), f_i its rms force, f the rms of these
    d_i      size of its left-out residual in units of what was to be expected of it, over the median of all labels

A structure far from the others is predicted badly, and its residual is large by right: the posterior without it is wide
there. Left-out residuals and their covariances come from one fit, with H = X A^-1 X^T / sigma² of a label's rows:

    r_out = (1 - H)^-1 r,   cov = sigma² (1 - H)^-1,   r_out^T cov^-1 r_out = r^T (1 - H)^-1 r / sigma²

(Cook & Weisberg, Residuals and Influence in Regression, 1982). Labels found odd count less, and the others are fitted
again: a few wrong ones hide each other otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from thalweg.coherence.relation import LEAST_MISFIT, Implied, Profile, profile, residuals, taken
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.structure import BoolArray, FloatArray, IntArray

ODD = 8.0
"""d_i from which on a label is unlike all others."""
ITS_OWN = 0.3
"""Share of their own size that forces must be off by, too: small bases follow large forces less closely."""
MISSED = 0.1
"""The same of energies, beyond reference energies, and of stress."""
MOST_ODD = 0.25
"""Share of labels beyond which they are not unlike the others: the others are not alike."""
ROUNDS = 4
MOVED, LEAST_MOVED = (0.1, 0.003), 5
"""Of the largest rms force, and eV/Å: what a label's rms force must exceed to say something; so many labels must."""
_AT_REST = 0.02
"""Of the largest rms force: labels below it are at rest by symmetry, and are predicted so."""
_LEAST_USUAL = 0.1
_RIDGE = 1e-9
NORMAL = 0.6745
"""Median of |z| of a normal distribution."""


@dataclass(frozen=True)
class Scale:
    """f, eV/Å."""

    usual: float

    @classmethod
    def by(cls, voices: Voices) -> Scale:
        """That of a set: the rms over labels of their rms force."""
        sizes = _force_rms(voices)
        known = sizes[np.isfinite(sizes)]
        return cls(max(float(np.sqrt(np.mean(known**2))), 1e-6) if len(known) else 1.0)

    def of(self, voices: Voices) -> FloatArray:
        """s_i of every label, shape (n_labels,)."""
        return np.asarray(np.maximum(np.nan_to_num(_force_rms(voices) / self.usual, nan=1.0), 1.0))


def _force_rms(voices: Voices) -> FloatArray:
    """f_i, NaN where a label has no forces."""
    labels = [label for _, label in voices.labelled]
    return np.array([np.sqrt(np.mean(one.forces**2)) if one.has_forces else np.nan for one in labels])


def forces_say_something(voices: Voices) -> bool:
    """Whether enough labels have forces of some size: those of structures at rest imply nothing of energies."""
    sizes = np.nan_to_num(_force_rms(voices))
    return int(np.sum(sizes > max(MOVED[0] * float(sizes.max()), MOVED[1]))) >= LEAST_MOVED


def excitation(voices: Voices) -> FloatArray:
    """s_i of every label of a set by its own scale, shape (n_labels,)."""
    return Scale.by(voices).of(voices)


@dataclass(frozen=True, eq=False)
class OddForces:
    """The posterior of forces with odd labels softened, d_i of every label (1 where it has none), and what is usual."""

    posterior: Posterior
    size: FloatArray
    usual: float


def listen_to_forces(voices: Voices) -> OddForces:
    """The posterior of the forces, and which labels' forces are unlike all others'."""
    voice, by_right = voices.by_kind[RowKind.FORCES], excitation(voices)
    size = np.ones(len(by_right))
    for _ in range(ROUNDS):
        posterior = Posterior(voices.basis, [voice], by_right * np.maximum(size / 2.0, 1.0) ** 2)
        found, usual = _force_sizes(voices, posterior, by_right)
        settled = np.array_equal(found >= ODD, size >= ODD)
        size = found
        if settled or np.mean(found >= ODD) > MOST_ODD:
            break
    if np.mean(size >= ODD) > MOST_ODD:
        size = np.ones(len(by_right))
        posterior = Posterior(voices.basis, [voice], by_right)
    return OddForces(posterior, size, usual)


def _force_sizes(voices: Voices, posterior: Posterior, by_right: FloatArray) -> tuple[FloatArray, float]:
    """d_i of the forces, 1 for those that are off by little of their own size; and the median."""
    voice, sigma = voices.by_kind[RowKind.FORCES], posterior.model.noise[RowKind.FORCES]
    size, share, own_sizes = np.ones(len(by_right)), np.zeros(len(by_right)), np.zeros(len(by_right))
    spread = posterior.spread
    for i in voice.labels:
        own = voice.of(np.array([i]))
        residual = own.targets - posterior.predict(own.rows)
        scale = sigma * spread[i]
        H = posterior.covariance(own.rows) / scale**2
        left = np.eye(len(H)) * (1.0 + _RIDGE) - min(1.0, 1.0 / max(float(np.linalg.norm(H, 2)), 1.0)) * H
        out = cho_solve(cho_factor(left + _RIDGE * np.eye(len(H))), residual)
        size[i] = np.sqrt(max(float(residual @ out), 0.0) / len(residual)) / (sigma * by_right[i])
        own_sizes[i] = float(np.sqrt(np.mean(own.targets**2)))
        share[i] = float(np.sqrt(np.mean(residual**2))) / max(own_sizes[i], 1e-12)
    moved = voice.labels[own_sizes[voice.labels] > _AT_REST * own_sizes.max()]
    usual = max(float(np.median(size[moved])), _LEAST_USUAL) if len(moved) else 1.0
    return np.where(share > ITS_OWN, np.maximum(size / usual, 1.0), 1.0), usual


def odd_rows(voices: Voices, voice: Voice, implied: Implied) -> FloatArray:
    """d_i of energies or virials against what is implied of them, shape (n_labels,).

    Labels that are odd are left out and the rest is judged again, from the most alike on.
    """
    by_right = excitation(voices)
    size = np.ones(len(by_right))
    inside = _most_alike(voice, implied)
    for _ in range(ROUNDS):
        found = _row_sizes(voice, implied, by_right, inside)
        now = voice.labels[found[voice.labels] < ODD]
        size = found
        if np.array_equal(now, inside) or len(now) < 3:
            break
        inside = now
    if np.mean(size[voice.labels] >= ODD) > MOST_ODD:
        return np.ones(len(by_right))
    suspects = np.flatnonzero(size >= ODD)
    size[np.setdiff1d(suspects, _far_beside_all(voice, implied, inside, suspects))] = 1.0
    return size


def _far_beside_all(voice: Voice, implied: Implied, inside: IntArray, suspects: IntArray) -> IntArray:
    """The suspects whose left-out residual beside all others is more than small bases miss.

    Most of a set may follow the basis to the µeV. The few that are strained more than these are far off only as long as
    they are judged by the others alone. All are put together, and the worst suspect goes until those that stay fit.
    """
    kept = np.isin(voice.owner, inside)
    found = profile(voice.targets[kept], taken(implied, kept))
    if found is None:
        return suspects
    own = _by_label(least_deviations(voice.targets, implied.free), voice)
    allowed = np.maximum(LEAST_MISFIT, MISSED * own)
    gone: list[int] = []
    while len(gone) < len(suspects):
        off, z = _left_out(voice, implied, ~np.isin(voice.owner, gone), found)
        far = np.isin(voice.labels, suspects) & (_by_label(off, voice) > allowed)
        if not far.any():
            break
        gone.append(int(voice.labels[np.where(far, _by_label(z, voice), -1.0).argmax()]))
    return np.array(gone, dtype=np.int64)


def _left_out(voice: Voice, implied: Implied, there: BoolArray, by: Profile) -> tuple[FloatArray, FloatArray]:
    """Left-out residuals of the rows that are there, and the same over their deviation; 0 for others; both (m,)."""
    off, z = np.zeros(len(voice.targets)), np.zeros(len(voice.targets))
    found = residuals(voice.targets[there], taken(implied, there), by.kappa, by.sigma)
    off[there], z[there] = found.left_out, found.left_out / found.deviation
    return off, z


def _by_label(values: FloatArray, voice: Voice) -> FloatArray:
    """Root mean square of the values of the rows of each label."""
    return np.array([np.sqrt(np.mean(values[voice.owner == i] ** 2)) for i in voice.labels])


def _most_alike(voice: Voice, implied: Implied) -> IntArray:
    """The two thirds of the labels whose residuals, free columns fitted by least deviations, are the smallest."""
    off = least_deviations(voice.targets - implied.mean, _levels_of(voice, implied))
    by_label = _by_label(off, voice)
    kept = np.argsort(by_label, kind="stable")[: max(3, int(np.ceil(2 * len(by_label) / 3)))]
    return np.asarray(np.sort(voice.labels[kept]))


def _levels_of(voice: Voice, implied: Implied) -> FloatArray | None:
    """The free columns; of energies one for each composition, where these are few: they may be known badly."""
    if voice.kind is not RowKind.ENERGY or implied.free is None:
        return implied.free
    kinds, which = np.unique(implied.free.round(12), axis=0, return_inverse=True)
    if 2 * len(kinds) > len(voice.targets):
        return implied.free
    return np.asarray(np.eye(len(kinds))[which.ravel()])


def least_deviations(y: FloatArray, columns: FloatArray | None) -> FloatArray:
    """Residuals of y (m,) after a fit by least absolute deviations: outliers have one vote each."""
    if columns is None or columns.shape[1] == 0:
        return y
    weight = np.ones(len(y))
    floor = 1e-4 * max(float(np.abs(y).max()), 1e-12)
    residual = y
    for _ in range(50):
        solution = np.linalg.lstsq(columns * weight[:, None], y * weight, rcond=1e-10)[0]
        residual = y - columns @ solution
        weight = 1.0 / np.sqrt(np.abs(residual) + floor)
    return np.asarray(residual)


def _row_sizes(voice: Voice, implied: Implied, by_right: FloatArray, inside: IntArray) -> FloatArray:
    """d_i of all labels, sigma and kappa by those inside."""
    kept = np.isin(voice.owner, inside)
    found = profile(voice.targets[kept], taken(implied, kept))
    size = np.ones(len(by_right))
    if found is None:
        return size
    z = np.zeros(len(voice.targets))
    own = residuals(voice.targets[kept], taken(implied, kept), found.kappa, found.sigma)
    z[kept] = own.left_out / own.deviation
    for i in np.setdiff1d(voice.labels, inside):
        with_it = kept | (voice.owner == i)
        rows = np.flatnonzero(with_it)
        also = residuals(voice.targets[with_it], taken(implied, with_it), found.kappa, found.sigma)
        mine = voice.owner[rows] == i
        z[rows[mine]] = (also.left_out / also.deviation)[mine]
    rms = _by_label(z, voice) / by_right[voice.labels]
    usual = max(float(np.median(rms[np.isin(voice.labels, inside)])) / NORMAL, 1.0 / NORMAL * 0.5)
    size[voice.labels] = np.maximum(rms / usual, 1.0)
    return size

"""From the window of recent answers to the bound map in force.

Notation
    d_i, e_i   committee deviation and |F_model - F_oracle| of atom i, eV/Å, both before learning
    m_z        weighted median deviation of element z, eV/Å
    s_i        score e_i / (d_i + beta m_z); beta stabilises small deviations (Papadopoulos et al.,
               Neural Netw. 24, 842, 2011) and is chosen from BETAS by the pinball loss, which asks
               for bounds that are calibrated and as sharp as they can be
    q_z        conformal quantile of the scores for element z; bound_i = q_z d_i + q_z beta m_z

Weights. An answer of the usual size has weight (stream weight) * 2^(-age / half_life), its age counted in
answers; its atoms share it, and larger answers weigh more in proportion: the bound speaks of atoms, and among
labels of all sizes small symmetric cells, whose forces vanish, would otherwise answer for the rest. Audits are a
fair sample and count in full. Queries were chosen for their deviation: their errors are taken as a fair sample's
(groups.py), and they count half. Seeds were predicted by the poorest models and count a quarter. The coverage to be
believed is that of the audits. Each temperature has its own scale (groups.py).

Few records. An element borrows from the others, scored against their own medians: their total weight is
k²/(k + W_z) for own weight W_z, k = `borrow`. Before any answer the prior speaks, a half-normal distribution
of scores whose quantile at the stated confidence is `prior_factor`; it weighs as much as `prior_weight`
answers and ages as they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg import quantiles
from thalweg.calibration.bounds import LEAST_FLOOR, BoundMap
from thalweg.calibration.conformal import (
    PRIOR_POINTS,
    half_normal_scores,
    pinball_loss,
    weighted_quantile,
)
from thalweg.calibration.groups import query_share, temperature_scales
from thalweg.calibration.records import CalibrationSpec, Compared
from thalweg.structure import BoolArray, FloatArray, IntArray

BETAS = (0.03, 0.1, 0.3, 1.0, 3.0)
FIRST_BETA = 0.3
"""Used while there are fewer than BETA_ANSWERS answers to choose from."""
BETA_ANSWERS = 10
SMALLEST_DEVIATION = 1e-6
"""eV/Å; keeps scores finite for a committee that agrees to rounding."""


@dataclass(frozen=True)
class _Records:
    """The window laid end to end: per atom, the element, d, e, and its share of its answer's weight."""

    numbers: IntArray
    d: FloatArray
    e: FloatArray
    weight: FloatArray
    answer: IntArray
    answer_weight: FloatArray

    def scales(self) -> FloatArray:
        """m_z of each atom's element, eV/Å, shape of `d`."""
        scale = np.empty_like(self.d)
        for z in np.unique(self.numbers):
            own = self.numbers == z
            scale[own] = max(weighted_quantile(self.d[own], self.weight[own], 0.5), SMALLEST_DEVIATION)
        return scale


def _lay_out(window: Sequence[Compared], spec: CalibrationSpec, share: float) -> _Records:
    sizes = [len(a.numbers) for a in window]
    answer_weight = spec.weights([a.stream for a in window])
    answer = np.repeat(np.arange(len(sizes)), sizes)
    return _Records(
        numbers=np.concatenate([a.numbers for a in window]),
        d=np.concatenate([a.deviation for a in window]),
        e=np.concatenate([a.fair_error(share) for a in window]),
        weight=(answer_weight / np.mean(sizes))[answer],
        answer=answer,
        answer_weight=answer_weight,
    )


def fit_bounds(
    window: Sequence[Compared],
    spec: CalibrationSpec,
    *,
    alpha: float,
    n_answers: int,
    alphas: Mapping[float, float] | None = None,
) -> BoundMap:
    """The bound map that the window (oldest answer first) supports at the working `alpha`.

    `n_answers` counts all answers of the run; the prior fades with it. Forces that vanish by symmetry are left out.
    `alphas` are the working alphas of temperatures (K), the stated one where there is none.
    """
    window = [kept for answer in window if (kept := answer.evidence()) is not None]
    if not window:
        return BoundMap(spec.confidence, (spec.prior_factor, spec.prior_floor))
    share = query_share(window)
    records = _lay_out(window, spec, share)
    scale = records.scales()
    level = 1 - alpha
    prior_weight = spec.faded_prior(n_answers)
    beta = _choose_beta(records, scale, level) if len(window) >= BETA_ANSWERS else FIRST_BETA
    scores = records.e / (records.d + beta * scale)
    elements = []
    for z in np.unique(records.numbers):
        own = records.numbers == z
        factor = _element_factor(records, scores, own, level, spec, prior_weight)
        elements.append((int(z), factor, max(factor * beta * float(scale[own][0]), LEAST_FLOOR)))
    # an element never met gets the most cautious line of those that were
    default = (max([f for _, f, _ in elements] + [spec.prior_factor]), max(d for _, _, d in elements))
    common = BoundMap(spec.confidence, default, tuple(elements))
    ratio = records.e / common.bound(records.numbers, records.d)
    met = [answer.temperature for answer in window]
    levels = {t: 1 - (alphas or {}).get(t, 1 - spec.confidence) for t in met if t is not None}
    at = [met[k] for k in records.answer]
    return replace(common, scales=temperature_scales(at, ratio, records.weight, levels))


def _choose_beta(records: _Records, scale: FloatArray, level: float) -> float:
    def loss(beta: float) -> float:
        width = records.d + beta * scale
        return pinball_loss(
            weighted_quantile(records.e / width, records.weight, level) * width,
            records.e,
            records.weight,
            level,
        )

    return min(BETAS, key=loss)


def _element_factor(
    records: _Records,
    scores: FloatArray,
    own: BoolArray,
    level: float,
    spec: CalibrationSpec,
    prior_weight: float,
) -> float:
    """q_z: own records, what is borrowed from other elements, and the prior, as one weighted sample."""
    # among answers that have this element, its atoms share the whole weight
    answers_with_it = np.unique(records.answer[own])
    own_weight = records.answer_weight[records.answer[own]] / (own.sum() / len(answers_with_it))
    other_weight = records.weight[~own]
    W = float(own_weight.sum())
    if len(other_weight):
        borrowed = min(spec.borrow**2 / (spec.borrow + W), float(other_weight.sum()))
        other_weight = other_weight * (borrowed / float(other_weight.sum()))
    prior = _prior_scores(spec)
    sample = np.concatenate([scores[own], scores[~own], prior])
    prior_weights = np.full(PRIOR_POINTS, prior_weight / PRIOR_POINTS)
    weights = np.concatenate([own_weight, other_weight, prior_weights])
    q = weighted_quantile(sample, weights, level, w_new=1.0)
    # too few records for the level: the worst ever seen, or the prior if that is worse
    return max(q if np.isfinite(q) else max(float(sample.max()), spec.prior_factor), SMALLEST_DEVIATION)


def _prior_scores(spec: CalibrationSpec) -> FloatArray:
    """Half-normal scores, so scaled that their quantile is `prior_factor`."""
    return half_normal_scores(spec.prior_factor / quantiles.normal((1 + spec.confidence) / 2))

"""Choosing what to ask: greedy batches, re-scored after every choice.

Strategies
    information   fall of the variance over all candidates, times the expected error (default)
    uncertainty   largest error bound, discounted by what the questions before it will have taught
    d-optimal     largest log determinant gain
    farthest      farthest from every fingerprint chosen, pending or known
    random        the control arm

The greedy choice is within 1 - 1/e of the best batch for the log determinant, which is submodular (Nemhauser,
Wolsey & Fisher, Math. Program. 14, 265, 1978; Krause, Singh & Guestrin, JMLR 9, 235, 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from thalweg.acquisition.scores import (
    ForceCovariance,
    condition,
    force_covariance,
    information_gain,
    log_det_gain,
    worst_deviation,
)
from thalweg.diversity import farthest_points
from thalweg.errors import InputError, check
from thalweg.structure import FloatArray


class Strategy(StrEnum):
    """How questions are ranked."""

    INFORMATION = "information"
    UNCERTAINTY = "uncertainty"
    D_OPTIMAL = "d-optimal"
    FARTHEST = "farthest"
    RANDOM = "random"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure that could be asked.

    Attributes
    ----------
    bound : largest error bound of its atoms, eV/Å
    rows : whitened force rows (3 per atom, n_columns), perhaps of some atoms only; `random` and `farthest`
        do without
    novelty : largest novelty of its atoms, as a multiple of its limit (above 1 is novel)
    fingerprint : (n,), needed by `farthest`
    """

    bound: float
    rows: FloatArray | None = None
    novelty: float = 0.0
    fingerprint: FloatArray | None = None

    def __post_init__(self) -> None:
        check(
            np.isfinite(self.bound) and self.bound >= 0, f"candidate: bound must be finite, got {self.bound}"
        )


@dataclass(frozen=True)
class Pick:
    """One chosen question.

    Attributes
    ----------
    index : into the candidates
    score : what the strategy maximised, in its own unit
    expected_bound : its error bound (eV/Å) once all questions before it are answered; the plain bound where
        the strategy does not condition. A question whose expected bound is low need not be asked.
    reason : in words
    """

    index: int
    score: float
    expected_bound: float
    reason: str


@dataclass(frozen=True, eq=False)
class Context:
    """What the choice depends on besides the candidates.

    Attributes
    ----------
    pending : questions under way, which count as answered
    known : fingerprints (m, n) of the training set, for `farthest`
    noise : noise of a force component, eV/Å
    """

    pending: tuple[Candidate, ...] = ()
    known: FloatArray | None = None
    noise: float = 0.05


def select_batch(
    candidates: Sequence[Candidate],
    n: int,
    *,
    strategy: Strategy | str = Strategy.INFORMATION,
    rng: np.random.Generator | None = None,
    context: Context | None = None,
) -> list[Pick]:
    """The `n` questions to ask (all, when there are fewer), best first.

    Raises
    ------
    InputError
        An unknown strategy, or candidates that lack what it needs (rows, fingerprints, a generator).
    """
    check(n >= 0, f"acquisition: a batch cannot have {n} questions")
    if strategy not in tuple(Strategy):
        raise InputError(f"acquisition: unknown strategy {strategy!r}, expected one of {', '.join(Strategy)}")
    n = min(n, len(candidates))
    if n == 0:
        return []
    context = context or Context()
    match Strategy(strategy):
        case Strategy.RANDOM:
            return _random(candidates, n, rng)
        case Strategy.FARTHEST:
            return _farthest(candidates, n, context)
        case ranked:
            return _conditioned(candidates, n, ranked, context)


def _random(candidates: Sequence[Candidate], n: int, rng: np.random.Generator | None) -> list[Pick]:
    if rng is None:
        raise InputError("acquisition: strategy 'random' needs a random generator (rng)")
    chosen = [int(k) for k in rng.permutation(len(candidates))[:n]]
    return [Pick(k, 0.0, candidates[k].bound, "drawn at random") for k in chosen]


Score = Callable[[ForceCovariance, int, float], float]


def _information(covariance: ForceCovariance, c: int, bound: float) -> float:
    return bound * information_gain(covariance, c)


def _uncertainty(covariance: ForceCovariance, c: int, bound: float) -> float:
    return bound


def _d_optimal(covariance: ForceCovariance, c: int, bound: float) -> float:
    return log_det_gain(covariance, c)


SCORES: dict[Strategy, Score] = {
    Strategy.INFORMATION: _information,
    Strategy.UNCERTAINTY: _uncertainty,
    Strategy.D_OPTIMAL: _d_optimal,
}
"""The strategies that compare candidates by covariances of their forces."""


def _rows(candidates: Sequence[Candidate]) -> list[FloatArray]:
    rows = [c.rows for c in candidates if c.rows is not None]
    check(
        len(rows) == len(candidates),
        "acquisition: this strategy needs the whitened force rows of every candidate",
    )
    check(
        all(len(r) % 3 == 0 and len(r) > 0 for r in rows),
        "acquisition: rows must hold x, y, z of whole atoms",
    )
    return rows


def _conditioned(candidates: Sequence[Candidate], n: int, strategy: Strategy, context: Context) -> list[Pick]:
    rows = _rows(candidates)
    before = [float(np.sqrt((r**2).reshape(-1, 3 * r.shape[1]).sum(axis=1).max())) for r in rows]
    covariance = force_covariance(rows, noise=context.noise, pending=_rows(context.pending))
    choices: list[Pick] = []
    left = list(range(len(rows)))
    for _ in range(n):
        bounds = {c: candidates[c].bound * _remaining(covariance, c, before[c]) for c in left}
        scores = {c: SCORES[strategy](covariance, c, bounds[c]) for c in left}
        best = max(left, key=lambda c: scores[c])  # the first among equals, so that a resumed run agrees
        choices.append(
            Pick(best, scores[best], bounds[best], _reason(candidates[best], bounds[best], strategy))
        )
        left.remove(best)
        if len(choices) < n:
            covariance = condition(covariance, best)
    return choices


def _remaining(covariance: ForceCovariance, c: int, before: float) -> float:
    """Fraction of the candidate's posterior deviation that the questions chosen so far will leave."""
    return min(1.0, worst_deviation(covariance, c) / before) if before > 0 else 1.0


def _reason(candidate: Candidate, expected: float, strategy: Strategy) -> str:
    words = f"{strategy.value}: error bound {candidate.bound:.2f} eV/Å"
    if expected < 0.995 * candidate.bound:
        words += f" ({expected:.2f} after the questions before it)"
    return f"{words}, novel" if candidate.novelty > 1 else words


def _fingerprints(candidates: Sequence[Candidate]) -> list[FloatArray]:
    prints = [c.fingerprint for c in candidates if c.fingerprint is not None]
    check(
        len(prints) == len(candidates),
        "acquisition: strategy 'farthest' needs the fingerprint of every candidate",
    )
    return prints


def _farthest(candidates: Sequence[Candidate], n: int, context: Context) -> list[Pick]:
    points = np.stack(_fingerprints(candidates))
    others = [*_fingerprints(context.pending), *(context.known if context.known is not None else ())]
    order, distances = farthest_points(points, n, known=np.stack(others) if others else None)
    return [
        Pick(
            k,
            d,
            candidates[k].bound,
            f"farthest: {d:.3g} away from every structure known or chosen before it",
        )
        for k, d in zip(order, distances, strict=True)
    ]

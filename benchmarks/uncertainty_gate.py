"""Which wrong structures are asked about: half of the structures in distribution set the limits, the other half count.

    deviation   an atom's deviation, over the rms of its element, above what 5 % of the calibrating structures reach
    novelty     an atom's novelty above its limit: a number, max(1, 99.7 % quantile of the calibrating atoms), or what
                the product takes when the calibrating structures are its audits

A structure is wrong where the error of an atom is above 2 targets. Every count is a mean over some random halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from uncertainty_answers import SetAnswers
from uncertainty_scores import LEVEL, WRONG

from thalweg.structure import BoolArray, FloatArray, IntArray

HALVES = 10
LIMIT_QUANTILE = 0.997
OLD_LIMIT = 3.0
"""Of the product before it learned its limit."""
_REACH = "thalweg.uncertainty.reach"

NoveltyLimit = Callable[[SetAnswers, BoolArray], float]
"""The limit by the set in distribution and by which of its atoms calibrate."""


@dataclass(frozen=True)
class Asked:
    """Structures of one set: how many count, how many are asked about, are wrong, and are wrong and not asked about."""

    n: float
    asked: float
    wrong: float
    missed: float


def quantile_limit(same: SetAnswers, calibrating: BoolArray) -> float:
    """max(1, 99.7 % quantile)."""
    assert same.novelty is not None
    return max(1.0, float(np.quantile(same.novelty[calibrating], LIMIT_QUANTILE)))


def shipped_limit(same: SetAnswers, calibrating: BoolArray) -> float:
    """What the product takes after these structures as audits; a constant where it learns no limit."""
    if not find_spec(_REACH):
        return OLD_LIMIT
    assert same.novelty is not None
    record = import_module(_REACH).NoveltyRecord()
    for structure in np.unique(same.owner[calibrating]):
        record = record.after(same.novelty[same.owner == structure])
    return float(record.limit)


GATES: dict[str, NoveltyLimit | None] = {
    "deviation": None,
    "deviation, or novelty > 3": lambda _same, _calibrating: 3.0,
    "deviation, or novelty > 1.5": lambda _same, _calibrating: 1.5,
    "deviation, or novelty > max(1, its 99.7 % quantile)": quantile_limit,
    "as shipped": shipped_limit,
}


def asked(
    same: SetAnswers, others: Mapping[str, SetAnswers], target: float, limit: NoveltyLimit | None
) -> dict[str, Asked]:
    """Of the set in distribution (half of it) and of each other set."""
    counts: dict[str, list[tuple[int, int, int, int]]] = {}
    for seed in range(HALVES):
        order = np.random.default_rng(seed).permutation(same.n_structures)
        fresh = np.zeros(same.n_structures, dtype=bool)
        fresh[order[same.n_structures // 2 :]] = True
        calibrating = ~fresh[same.owner]
        alarm = _alarm(same, calibrating, limit)
        counts.setdefault("same", []).append(_count(same, target, alarm(same), fresh))
        for name, other in others.items():
            everything = np.ones(other.n_structures, dtype=bool)
            counts.setdefault(name, []).append(_count(other, target, alarm(other), everything))
    return {name: Asked(*np.mean(rows, axis=0).tolist()) for name, rows in counts.items()}


def _alarm(
    same: SetAnswers, calibrating: BoolArray, limit: NoveltyLimit | None
) -> Callable[[SetAnswers], BoolArray]:
    """Which structures of a set are asked about, by limits from the calibrating atoms."""
    scale = _scales(same.numbers[calibrating], same.deviation[calibrating])

    def size(answers: SetAnswers) -> FloatArray:
        return answers.largest(np.asarray(answers.deviation / scale[answers.numbers]))

    among = np.unique(same.owner[calibrating])
    most = float(np.quantile(size(same)[among], LEVEL, method="higher"))
    novel = np.inf if limit is None else limit(same, calibrating)

    def alarm(answers: SetAnswers) -> BoolArray:
        found = size(answers) > most
        if answers.novelty is not None:
            found |= answers.largest(answers.novelty) > novel
        return np.asarray(found)

    return alarm


def _scales(numbers: IntArray, deviation: FloatArray) -> FloatArray:
    """rms deviation by atomic number, eV/Å; of all for an element that is not there."""
    scale = np.full(120, np.sqrt(np.mean(deviation**2)))
    for number in np.unique(numbers):
        scale[number] = np.sqrt(np.mean(deviation[numbers == number] ** 2))
    return np.asarray(np.maximum(scale, 1e-12))


def _count(
    answers: SetAnswers, target: float, alarm: BoolArray, counted: BoolArray
) -> tuple[int, int, int, int]:
    wrong = (answers.largest(answers.error) > WRONG * target) & counted
    return int(counted.sum()), int((alarm & counted).sum()), int(wrong.sum()), int((wrong & ~alarm).sum())

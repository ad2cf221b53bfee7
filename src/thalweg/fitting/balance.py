"""Noise levels by held-out errors.

The evidence judges the prior's shape well. The noise of energies and virials against that of forces it judges badly,
since it takes the errors of one structure's rows for independent; where a basis is what limits a fit they are not. For
the same reason it takes forces for more labels than they are, and believes them too much. So three dials are turned,
each a ladder, by the score of `thalweg.fitting.held_out`:

    level    noise of all kinds over that of the evidence: how much is smoothed
    energy   noise of energies per sqrt(atom) over the forces', Å
    virial   likewise

Energy and level go downhill. Labels of stress often disagree with energies and forces (Pulay stress, another order of
components, another convergence): they get the most weight that raises the score by no more than STRESS_PRICE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from thalweg.models import BayesianLinear, Kind
from thalweg.models.observation import KINDS
from thalweg.structure import FloatArray

LADDERS: dict[str, tuple[float, ...]] = {
    "energy": tuple(float(0.5**k) for k in range(9)),
    "virial": tuple(float(4.0**k) for k in range(3, -3, -1)),
    "level": tuple(float(2.0**k) for k in range(-3, 4)),
}
"""Energies 1 to 0.004 Å; virials 64 to 0.06 Å; level 1/8 to 8."""
FIRST = {"energy": 0.06, "virial": 64.0, "level": 1.0}
STRESS_PRICE = 0.01

Score = Callable[[FloatArray], float]


@dataclass(frozen=True)
class Dials:
    """A rung of each ladder."""

    energy: int
    virial: int
    level: int


@dataclass(frozen=True)
class Balance:
    """Outcome: the dials in numbers."""

    energy: float
    virial: float
    level: float


def balance_noise(
    model: BayesianLinear, kinds: set[Kind], score: Score, near: Balance | None = None
) -> Balance:
    """Turn the dials of a model whose evidence is maximised, in place.

    Parameters
    ----------
    kinds : of which there are labels; the dials of others stay, and without forces all do
    score : of hyperparameters x: log of held-out errors, the less the better
    near : what was found for another basis and the same labels; the search begins there, for virials one rung before
    """
    x, known = model.fitted.x.copy(), {}

    def at(dials: Dials) -> float:
        if dials not in known:
            known[dials] = score(_turned(x, model, kinds, dials))
        return known[dials]

    first = FIRST
    if near is not None:
        weaker = LADDERS["virial"][max(0, LADDERS["virial"].index(near.virial) - 1)]
        first = {"energy": near.energy, "virial": weaker, "level": near.level}
    best = Dials(**{name: _nearest(LADDERS[name], value) for name, value in first.items()})
    if Kind.FORCES in kinds:
        energy = ["energy"] if Kind.ENERGY in kinds else []
        for name in (*energy, "level"):
            best = _downhill(at, best, name)
        if Kind.VIRIAL in kinds:
            best = _strengthen(at, best)
            for name in energy:
                best = _downhill(at, best, name)
    model.set_hyperparameters(_turned(x, model, kinds, best))
    return Balance(**{name: ladder[getattr(best, name)] for name, ladder in LADDERS.items()})


def _turned(x: FloatArray, model: BayesianLinear, kinds: set[Kind], dials: Dials) -> FloatArray:
    """Hyperparameters with the noise that the dials say."""
    turned = x.copy()
    if Kind.FORCES not in kinds:
        return turned
    first = model.prior.n_prior
    forces = x[first + KINDS.index(Kind.FORCES)] + np.log(LADDERS["level"][dials.level])
    turned[first + KINDS.index(Kind.FORCES)] = forces
    for kind, name in ((Kind.ENERGY, "energy"), (Kind.VIRIAL, "virial")):
        if kind in kinds:
            turned[first + KINDS.index(kind)] = forces + np.log(LADDERS[name][getattr(dials, name)])
    return turned


def _nearest(ladder: tuple[float, ...], value: float) -> int:
    return min(range(len(ladder)), key=lambda k: abs(np.log(ladder[k] / value)))


def _moved(dials: Dials, name: str, step: int) -> Dials | None:
    """One rung on, or None at the ladder's end."""
    rung = getattr(dials, name) + step
    return replace(dials, **{name: rung}) if 0 <= rung < len(LADDERS[name]) else None


def _downhill(at: Callable[[Dials], float], start: Dials, name: str) -> Dials:
    """Step along a ladder as long as the score falls; a score with one minimum is assumed."""
    best = start
    for step in (1, -1):
        while (other := _moved(best, name, step)) is not None and at(other) < at(best):
            best = other
        if best != start:
            break
    return best


def _strengthen(at: Callable[[Dials], float], start: Dials) -> Dials:
    """The most weight of virials whose price is within STRESS_PRICE of the least score met on the way."""
    least, best, here = at(start), start, start
    while (other := _moved(here, "virial", 1)) is not None:
        least = min(least, at(other))
        if at(other) > least + 2 * STRESS_PRICE:
            break
        if at(other) <= least + STRESS_PRICE:
            best = other
        here = other
    return best

"""Down a smooth function of a few variables in a box, in as few evaluations as may be: each one is costly.

Notation
    x        variables, shape (k,), each between its bounds
    f, g     value and gradient
    H        model of the Hessian: given at the first point, and anew where that costs nothing; kept up to date by the
             gradients that are met

A step goes to the minimum of f + g.s + s.H.s / 2 in the box. The search ends where that promises less than `enough`.
After a step that does not go down, a shorter one is tried. Nothing is random: the same function gives the same bits.

References
    Nocedal, Wright, Numerical Optimization, 2nd ed., procedure 18.2 (damped BFGS), 16.7 (box constraints)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from thalweg.structure import FloatArray

LONGEST = 4.0
"""Of a variable in one step; hyperparameters are logarithms: a factor of e⁴."""
NEAR = 100.0
"""Times `enough`: a step that promises less is made near the end."""
_DAMPING, _SWEEPS, _SUFFICIENT = 0.2, 500, 1e-4


@dataclass(frozen=True, eq=False)
class Point:
    """A place and what was found there; `curvature` is a positive definite model of the Hessian, where known."""

    x: FloatArray
    value: float
    gradient: FloatArray
    curvature: FloatArray | None = None


Objective = Callable[[FloatArray, bool], Point]
"""From x, and whether a curvature is wanted at some cost."""


def descend(
    objective: Objective,
    x: FloatArray,
    bounds: list[tuple[float, float]],
    *,
    max_evaluations: int,
    enough: float,
) -> Point:
    """The lowest point met from x on.

    Parameters
    ----------
    objective : Objective
        Must give a curvature at the first point only; where it gives one later, that is taken up.
    x : float64 ndarray, shape (k,)
    bounds : of each variable
    max_evaluations : int
        At least one is made.
    enough : float
        In the unit of the function: a step that promises less is not made.
    """
    lower, upper = np.array(bounds, dtype=np.float64).T
    here = objective(np.clip(x, lower, upper), True)
    H, share = _positive(here), 1.0
    for _ in range(max_evaluations - 1):
        step = share * lowest_in_box(here.gradient, H, lower - here.x, upper - here.x)
        promised = -float(here.gradient @ step + 0.5 * step @ H @ step)
        if not promised >= enough:
            break
        there = objective(here.x + step, False)
        good = np.isfinite(there.value) and np.isfinite(there.gradient).all()
        lower_there = good and there.value <= here.value - _SUFFICIENT * promised
        if good:
            near = promised < NEAR * enough
            H = _next_curvature(H, there if lower_there else None, step, there.gradient - here.gradient, near)
        if lower_there:
            here, share = there, 1.0
        else:
            share *= 0.25
    return here


def _next_curvature(
    H: FloatArray, there: Point | None, s: FloatArray, y: FloatArray, near: bool
) -> FloatArray:
    """The one given at the new point, with the change of gradients too where the end is near; else H with that change.

    Far from the end the change of gradients over a long step is no curvature at its end.
    """
    if there is None or there.curvature is None:
        return updated(H, s, y)
    return updated(there.curvature, s, y) if near else there.curvature


def _positive(point: Point) -> FloatArray:
    """The curvature to begin with."""
    return np.eye(len(point.x)) if point.curvature is None else point.curvature


def lowest_in_box(g: FloatArray, H: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """The s that minimises g.s + s.H.s / 2 with lower <= s <= upper and |s| <= LONGEST, coordinate by coordinate."""
    lower, upper = np.maximum(lower, -LONGEST), np.minimum(upper, LONGEST)
    s = np.zeros(len(g))
    for _ in range(_SWEEPS):
        most = 0.0
        for k in range(len(g)):
            wanted = s[k] - (g[k] + float(H[k] @ s)) / H[k, k]
            moved = min(max(wanted, lower[k]), upper[k]) - s[k]
            s[k] += moved
            most = max(most, abs(moved))
        if most < 1e-9:
            break
    return s


def updated(H: FloatArray, s: FloatArray, y: FloatArray) -> FloatArray:
    """H after gradients have changed by y over a step s: damped BFGS, which keeps it positive definite."""
    Hs = H @ s
    sHs, sy = float(s @ Hs), float(s @ y)
    if sHs <= 0.0:
        return H
    share = 1.0 if sy >= _DAMPING * sHs else (1.0 - _DAMPING) * sHs / (sHs - sy)
    r = share * y + (1.0 - share) * Hs
    return np.asarray(H - np.outer(Hs, Hs) / sHs + np.outer(r, r) / float(s @ r))

"""Settling the new boundary: atoms whose surroundings the cut has changed move until they are ordinary again.

FIRE (Bitzek, Koskinen, Gähler, Moseler, Gumbsch, Phys. Rev. Lett. 97, 170201, 2006) on the potential's forces, core
repulsion included. Atoms that the target sees do not move, and no other comes into its sight. Of the configurations on
the way the one whose boundary is least uncertain is kept; it ends as soon as that is below the target's uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from thalweg.potential import Potential, Prediction
from thalweg.structure import BoolArray, FloatArray, Structure

STEPS = 60
LONGEST_STEP = 0.08
"""Å, in one step."""
FARTHEST = 1.0
"""Å, from where an atom was in the parent: what has to go farther is not the parent's boundary any more."""
_DT = (0.1, 0.4)
_N_MIN, _ALPHA, _F_ALPHA, _F_INC, _F_DEC = 5, 0.1, 0.99, 1.1, 0.5


@dataclass(frozen=True, eq=False)
class Settled:
    """Where atoms came to rest, what the potential says there, and how uncertain the boundary is (see `excess`)."""

    structure: Structure
    prediction: Prediction
    excess: float


Excess = Callable[[Prediction], float]
"""How uncertain the boundary is over the target: 1 is as uncertain."""


def settle(
    start: Structure,
    potential: Potential,
    movable: BoolArray,
    *,
    target: int,
    keep: float,
    ordinary_force: float,
    excess: Excess,
) -> Settled:
    """Move the `movable` atoms (n_atoms,) until the boundary is ordinary, for at most STEPS steps.

    `keep` (Å) is the radius around atom number `target` into which nothing may come; `ordinary_force` (eV/Å) the
    largest force that is usual in the parent.
    """
    structure, prediction = start, potential.predict(start)
    best = Settled(start, prediction, excess(prediction))
    velocity, dt, alpha, downhill = np.zeros_like(start.positions), _DT[0], _ALPHA, 0
    for _ in range(STEPS):
        force = np.where(movable[:, None], prediction.forces, 0.0)
        if best.excess <= 1.0 and np.linalg.norm(force, axis=1).max() <= ordinary_force:
            break
        velocity, dt, alpha, downhill = _fire(velocity, force, dt, alpha, downhill)
        moved = structure.positions + _clipped(dt * velocity, LONGEST_STEP)
        moved = start.positions + _clipped(moved - start.positions, FARTHEST)
        structure = start.with_positions(_kept_out(moved, start, movable, target, keep))
        prediction = potential.predict(structure)
        score = excess(prediction)
        if np.isfinite(score) and score < best.excess:
            best = Settled(structure, prediction, score)
    return best


def _fire(
    v: FloatArray, force: FloatArray, dt: float, alpha: float, downhill: int
) -> tuple[FloatArray, float, float, int]:
    power = float((v * force).sum())
    if power <= 0:
        return dt * _F_DEC * force, max(dt * _F_DEC, 0.2 * _DT[0]), _ALPHA, 0
    norm = float(np.linalg.norm(force))
    v = (1 - alpha) * v + alpha * force * (float(np.linalg.norm(v)) / max(norm, 1e-12))
    if downhill > _N_MIN:
        dt, alpha = min(dt * _F_INC, _DT[1]), alpha * _F_ALPHA
    return v + dt * force, dt, alpha, downhill + 1


def _clipped(steps: FloatArray, longest: float) -> FloatArray:
    """Steps (n, 3) cut to a length."""
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return np.asarray(steps * np.minimum(1.0, longest / np.maximum(length, 1e-12)))


def _kept_out(
    positions: FloatArray, start: Structure, movable: BoolArray, target: int, keep: float
) -> FloatArray:
    """Positions with movable atoms, and their images, pushed back out of the sphere that the target sees."""
    from ase.geometry import find_mic

    vectors, distance = find_mic(positions - start.positions[target], start.cell, start.pbc)
    inside = movable & (distance < keep)
    out = np.array(positions)
    scale = (keep / np.maximum(distance[inside], 1e-9))[:, None]
    out[inside] += vectors[inside] * (scale - 1.0)
    return out

"""The start of a production trajectory: a structure or a supercell of it, with the file's velocities or drawn ones."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from thalweg.border import check_count, check_movable
from thalweg.errors import check
from thalweg.explorers import WalkerState
from thalweg.explorers.walker import initial_velocities
from thalweg.production.plan import Plan
from thalweg.structure import FloatArray, Structure


@dataclass(frozen=True, eq=False)
class Start:
    """A structure and its velocities.

    Attributes
    ----------
    structure : Structure
    velocities : ndarray (n_atoms, 3), Å per ASE time unit, or None
        None: drawn from the plan's temperature and seed.
    """

    structure: Structure
    velocities: FloatArray | None = None

    @property
    def identity(self) -> str:
        """What a trajectory that goes on is compared with."""
        digest = hashlib.sha256(self.structure.content_hash.encode())
        if self.velocities is not None:
            digest.update(np.ascontiguousarray(self.velocities).tobytes())
        return digest.hexdigest()

    def walker(self, plan: Plan) -> WalkerState:
        """At step 0."""
        masses = self.structure.amu
        velocities = self.velocities
        if velocities is None:
            velocities = _drawn(self.structure, masses, plan)
        return WalkerState(self.structure, velocities, masses, plan.temperature, plan.seed, walker_id=0)


def prepare_start(
    structure: Structure, velocities: FloatArray | None = None, repeat: tuple[int, int, int] = (1, 1, 1)
) -> Start:
    """The structure repeated along its cell vectors, with its velocities where it has some.

    Raises
    ------
    InputError
        A direction repeated that is not periodic, a count below 1, more than a million atoms, or none that may move.
    """
    check(min(repeat) >= 1, f"repeat: expected three numbers of at least 1, got {repeat}")
    check_count(len(structure) * math.prod(repeat), "repeat")
    for axis, count in enumerate(repeat):
        check(
            count == 1 or structure.pbc[axis],
            f"repeat: the structure is not periodic along its cell vector {axis + 1}, so it cannot be repeated there",
        )
    check_movable(structure, "md")
    large = structure.repeated(repeat)
    return Start(large, None if velocities is None else np.tile(velocities, (math.prod(repeat), 1)))


def _drawn(structure: Structure, masses: FloatArray, plan: Plan) -> FloatArray:
    """Maxwell-Boltzmann velocities. Without a thermostat the whole must not drift away: its momentum is taken out
    and its energy given to the rest.
    """
    rng = np.random.default_rng([plan.seed, 0])
    velocities = initial_velocities(structure, plan.temperature, rng, masses=masses)
    n = len(structure)
    if plan.ensemble != "nve" or n == 1 or structure.fixed is not None:
        return velocities
    velocities = velocities - (masses @ velocities) / masses.sum()
    scaled: FloatArray = velocities * np.sqrt(n / (n - 1))
    return scaled

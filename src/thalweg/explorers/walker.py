"""A walker's state: everything its future depends on, so that a checkpoint resumes bit for bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from thalweg import _native
from thalweg.errors import InputError
from thalweg.explorers.base import Snapshot
from thalweg.features.batch import species_of
from thalweg.structure import FloatArray, Structure
from thalweg.units import kB

AnyWalker = TypeVar("AnyWalker")


@dataclass(frozen=True, eq=False)
class WalkerState:
    """One walker between two blocks.

    Random numbers are a function of (seed, walker_id, step): these three integers are the generator's whole
    state.

    Attributes
    ----------
    structure : Structure
    velocities : ndarray (n_atoms, 3), Å per ASE time unit
        Zero where the structure's atoms are fixed.
    masses : ndarray (n_atoms,), amu
    temperature : float, K
        Friction of the thermostat.
    seed : int, 0 <= seed < 2**64
    walker_id : int, 0 <= walker_id < 2**32
        Walkers that share a seed need different ids.
    step : int
    time_fs : float, fs
    list_positions : ndarray (n_atoms, 3), Å, or None
        Where the neighbour list was built; None builds it anew at the start of the next block.
    list_cell : ndarray (3, 3), Å, or None
        The cell in which it was built; None: the structure's.
    reference_energy : float, eV, or None
        What an energy spike is measured from; None takes the first energy of the next block.
    """

    structure: Structure
    velocities: FloatArray
    masses: FloatArray
    temperature: float
    seed: int
    walker_id: int
    step: int = 0
    time_fs: float = 0.0
    list_positions: FloatArray | None = None
    list_cell: FloatArray | None = None
    reference_energy: float | None = None

    def __post_init__(self) -> None:
        n = len(self.structure)
        shapes = {"velocities": (n, 3), "masses": (n,), "list_positions": (n, 3), "list_cell": (3, 3)}
        for name, shape in shapes.items():
            if getattr(self, name) is None:
                continue
            values = np.array(getattr(self, name), dtype=np.float64, order="C")
            if values.shape != shape or not np.isfinite(values).all():
                raise InputError(
                    f"walker: {name} must be finite numbers of shape {shape}, got {values.shape}"
                )
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if self.structure.fixed is not None and self.velocities[self.structure.fixed].any():
            raise InputError("walker: a component that is fixed has a velocity; expected zero")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"walker: temperature must be finite and not negative, got {self.temperature} K")
        if not (0 <= self.seed < 2**64 and 0 <= self.walker_id < 2**32 and 0 <= self.step < 2**63):
            raise InputError(
                "walker: expected 0 <= seed < 2**64, 0 <= walker_id < 2**32 and 0 <= step < 2**63"
            )
        if not all(map(math.isfinite, (self.time_fs, self.reference_energy or 0.0))):
            raise InputError("walker: its time and reference energy must be finite")

    @classmethod
    def start(
        cls,
        structure: Structure,
        *,
        temperature: float,
        seed: int,
        walker_id: int,
        masses: FloatArray | None = None,
    ) -> WalkerState:
        """At step 0, with velocities drawn at `temperature` (K) from (seed, walker_id)."""
        masses = structure.amu if masses is None else masses
        rng = np.random.default_rng([seed, walker_id])
        velocities = initial_velocities(structure, temperature, rng, masses=masses)
        return cls(structure, velocities, masses, temperature, seed, walker_id)

    def where(self, moment: Snapshot) -> str:
        """Walker, time of the moment and thermostat, in words."""
        return whereabouts(self.walker_id, moment.time_fs, self.temperature)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings; JSON writes and reads them back without loss."""

        def listed(values: FloatArray | None) -> list[Any] | None:
            return None if values is None else values.tolist()

        structure = self.structure
        return {
            "numbers": structure.numbers.tolist(),
            "positions": structure.positions.tolist(),
            "cell": structure.cell.tolist(),
            "pbc": structure.pbc.tolist(),
            "particulars": structure.plain_particulars(),
            "velocities": listed(self.velocities),
            "masses": listed(self.masses),
            "temperature": self.temperature,
            "seed": self.seed,
            "walker_id": self.walker_id,
            "step": self.step,
            "time_fs": self.time_fs,
            "list_positions": listed(self.list_positions),
            "list_cell": listed(self.list_cell),
            "reference_energy": self.reference_energy,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> WalkerState:
        """The inverse of `to_dict`; InputError when a key is missing or unknown."""
        data = dict(data)
        try:
            arrays = [data.pop(key) for key in ("numbers", "positions", "cell", "pbc")]
            structure = Structure(*arrays, **data.pop("particulars", {}))  # an older Thalweg wrote none
            return cls(structure=structure, **data)
        except (KeyError, TypeError) as error:
            raise InputError(f"walker: this is not a saved walker state ({error})") from error

    def to_native(self, elements: tuple[str, ...]) -> _native.Walker:
        """The core's form."""
        native = _native.Walker(
            species=species_of(self.structure, elements),
            masses=self.masses,
            positions=self.structure.positions,
            velocities=self.velocities,
            cell=self.structure.cell,
            pbc=self.structure.pbc.astype(np.uint8),
            fixed=np.empty((0, 3), np.uint8)
            if self.structure.fixed is None
            else self.structure.fixed.astype(np.uint8),
            list_positions=np.empty((0, 3)) if self.list_positions is None else self.list_positions,
            list_cell=self.structure.cell if self.list_cell is None else self.list_cell,
        )
        native.kT = kB * self.temperature
        native.seed, native.id, native.step = self.seed, self.walker_id, self.step
        native.reference_energy = math.nan if self.reference_energy is None else self.reference_energy
        return native


def in_step(walkers: Sequence[AnyWalker]) -> list[AnyWalker]:
    """The same walkers, the step counters of molecular dynamics at the largest of them.

    The core computes walkers together that are at the same step: a screened committee looks at the same signed sum
    then, and fuller lanes cost less. Only random numbers depend on a walker's step, and none comes twice.
    """
    step = max((walker.step for walker in walkers if isinstance(walker, WalkerState)), default=0)
    return [
        replace(walker, step=step) if isinstance(walker, WalkerState) and walker.step < step else walker
        for walker in walkers
    ]


def whereabouts(walker: int, time_fs: float, temperature: float) -> str:
    """For reading: 'walker 2, 80 fs, 300 K', 'walker 2, 13.4 ps, 300 K'."""
    time = f"{time_fs:.0f} fs" if time_fs < 1000 else f"{time_fs / 1000:.1f} ps"
    return f"walker {walker}, {time}, {temperature:.0f} K"


def initial_velocities(
    structure: Structure,
    temperature: float,
    rng: np.random.Generator,
    *,
    masses: FloatArray | None = None,
) -> FloatArray:
    """Maxwell-Boltzmann velocities at `temperature` (K), Å per ASE time unit, (n_atoms, 3).

    All components that may move are drawn and the centre of mass is left free, as the thermostat does.
    """
    masses = structure.amu if masses is None else masses
    normals = rng.standard_normal((len(structure), 3))
    velocities: FloatArray = normals * np.sqrt(kB * temperature / masses)[:, None]
    if structure.fixed is not None:
        velocities[structure.fixed] = 0.0
    return velocities

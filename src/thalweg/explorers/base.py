"""What every explorer is made of: the field it moves on, its walkers, and the snapshots it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from thalweg import _native
from thalweg.structure import FloatArray, Structure


@runtime_checkable
class NativeField(Protocol):
    """A force field that runs inside the core."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols in the order of the field's species indices."""
        ...

    @property
    def native(self) -> _native.ForceField:
        """The core's object."""
        ...


@dataclass(frozen=True, eq=False)
class CoreField:
    """A native force field with its elements: the plainest NativeField."""

    elements: tuple[str, ...]
    native: _native.ForceField


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment of a trajectory.

    Attributes
    ----------
    structure : Structure
    velocities : ndarray (n_atoms, 3), Å per ASE time unit
    step : int
        Steps since the walker's start.
    time_fs : float, fs
    temperature : float, K
        Instantaneous kinetic temperature, 2 E_kin / (n kB), over the n components that move.
    potential_energy : float, eV
        Potential energy of the field.
    bound : ndarray (n_atoms,), eV/Å, or None
        Error bound of the force on each atom, from its deviation; None without a committee.
    novelty : ndarray (n_atoms,), or None
    """

    structure: Structure
    velocities: FloatArray
    step: int
    time_fs: float
    temperature: float
    potential_energy: float
    bound: FloatArray | None = None
    novelty: FloatArray | None = None

    @property
    def bound_max(self) -> float | None:
        """The largest atomic bound, eV/Å."""
        return None if self.bound is None else float(self.bound.max())

    @property
    def bound_atom(self) -> int | None:
        """The atom that has it."""
        return None if self.bound is None else int(self.bound.argmax())

    @property
    def novelty_max(self) -> float | None:
        """The largest atomic novelty."""
        return None if self.novelty is None else float(self.novelty.max())

    @property
    def novelty_atom(self) -> int | None:
        """The atom that has it."""
        return None if self.novelty is None else int(self.novelty.argmax())


class Walker(Protocol):
    """A walker between two blocks: everything that its future depends on, frozen, and what the loop reads of it."""

    @property
    def walker_id(self) -> int:
        """Its number in the run, from 0."""
        ...

    @property
    def structure(self) -> Structure:
        """Where it stands."""
        ...

    @property
    def temperature(self) -> float:
        """K, of its thermostat; where there is none, what thermal fluctuations are judged by."""
        ...

    @property
    def step(self) -> int:
        """Counts its steps, and never goes back but to an earlier moment."""
        ...

    @property
    def time_fs(self) -> float:
        """How far it has come, fs: the clock that `explore.time` of a run is counted on."""
        ...

    def where(self, moment: Snapshot) -> str:
        """Who speaks at a moment of its way, for example 'walker 2, 13.4 ps, 450 K'."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, for a checkpoint; JSON writes and reads them back without loss."""
        ...

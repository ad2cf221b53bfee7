"""Explorers: a force field and walkers in, snapshots and events out; they know neither store nor oracle."""

from thalweg.explorers.base import CoreField, NativeField, Snapshot
from thalweg.explorers.block import BlockResult, Frames, ThermoLog
from thalweg.explorers.explorer import Explorer
from thalweg.explorers.limits import Finding, Limits, WalkEvent
from thalweg.explorers.md import MdSettings, MolecularDynamics, advance
from thalweg.explorers.walker import WalkerState, initial_velocities

__all__ = [
    "BlockResult",
    "CoreField",
    "Explorer",
    "Finding",
    "Frames",
    "Limits",
    "MdSettings",
    "MolecularDynamics",
    "NativeField",
    "Snapshot",
    "ThermoLog",
    "WalkEvent",
    "WalkerState",
    "advance",
    "initial_velocities",
]

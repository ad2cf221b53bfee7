"""Explorers: a force field and walkers in, snapshots and events out; they know neither store nor oracle."""

from thalweg.explorers.base import CoreField, NativeField, Snapshot, Walker
from thalweg.explorers.block import BlockResult, ThermoLog
from thalweg.explorers.dynamics import MolecularDynamics
from thalweg.explorers.explorer import AnyExplorer, Explorer
from thalweg.explorers.limits import Finding, Limits, WalkEvent
from thalweg.explorers.md import MdSettings, advance
from thalweg.explorers.replay import Replay, Track
from thalweg.explorers.visit import Frames, Visit
from thalweg.explorers.walker import WalkerState, initial_velocities

__all__ = [
    "AnyExplorer",
    "BlockResult",
    "CoreField",
    "Explorer",
    "Finding",
    "Frames",
    "Limits",
    "MdSettings",
    "MolecularDynamics",
    "NativeField",
    "Replay",
    "Snapshot",
    "ThermoLog",
    "Track",
    "Visit",
    "WalkEvent",
    "Walker",
    "WalkerState",
    "advance",
    "initial_velocities",
]

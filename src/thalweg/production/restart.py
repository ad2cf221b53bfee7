"""The restart file: where a trajectory stands, written so that no kill can damage it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import InputError, ModelError, StoreError
from thalweg.explorers import WalkerState
from thalweg.models.archive import read_archive, take, write_archive
from thalweg.potential import Potential
from thalweg.potential.saving import archived
from thalweg.structure import Structure

FOLDER = "restart"
_KIND, _VERSION = "md", 2
_UNREADABLE = (ModelError, InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True, eq=False)
class Restart:
    """A walker's state and what else a trajectory needs to go on: `facts` is plain data."""

    state: WalkerState
    facts: dict[str, Any]


def save_restart(folder: Path, restart: Restart) -> None:
    """Replace the restart in `folder` atomically; SetupError when the disk is full."""
    state = restart.state
    arrays = {
        "numbers": state.structure.numbers,
        "positions": state.structure.positions,
        "cell": state.structure.cell,
        "pbc": state.structure.pbc,
        "velocities": state.velocities,
        "masses": state.masses,
    }
    if state.list_positions is not None and state.list_cell is not None:
        arrays |= {"list_positions": state.list_positions, "list_cell": state.list_cell}
    walker = {
        key: getattr(state, key)
        for key in ("temperature", "seed", "walker_id", "step", "time_fs", "reference_energy")
    }
    facts = {**restart.facts, "walker": walker, "n_atoms": len(state.structure)}
    write_archive(folder / FOLDER, _KIND, _VERSION, arrays, facts)


def load_restart(folder: Path) -> Restart | None:
    """The restart in `folder`; None where there is none.

    Raises
    ------
    StoreError
        It is damaged, or of a newer format.
    """
    if not (folder / FOLDER / f"{_KIND}.json").exists():
        return None
    try:
        arrays, facts = read_archive(folder / FOLDER, _KIND, _VERSION)
        _check_facts(facts)
        n = int(facts["n_atoms"])
        structure = Structure(
            take(arrays, "numbers", (n,), np.int64),
            take(arrays, "positions", (n, 3)),
            take(arrays, "cell", (3, 3)),
            take(arrays, "pbc", (3,), np.bool_),
        )
        listed = "list_positions" in arrays
        state = WalkerState(
            structure=structure,
            velocities=take(arrays, "velocities", (n, 3)),
            masses=take(arrays, "masses", (n,)),
            list_positions=take(arrays, "list_positions", (n, 3)) if listed else None,
            list_cell=take(arrays, "list_cell", (3, 3)) if listed else None,
            **facts["walker"],
        )
    except _UNREADABLE as error:
        raise StoreError(
            f"{folder / FOLDER}: the restart cannot be read ({error}); start anew in another folder"
        ) from error
    return Restart(state, facts)


def _check_facts(facts: dict[str, Any]) -> None:
    """Refuse what no trajectory has written, before its files are opened by it."""
    averages, worst, frames = facts["averages"], facts["worst"], facts["frames"]
    sizes = (facts["log"], frames["bytes"], averages["n"], facts["n_atoms"])
    sums = [averages[name][key] for name in ("first", "sums", "squares") for key in averages[name]]
    numbers = [*sums, *averages["time_sums"], *worst.values()]
    bytes.fromhex(frames.get("header", ""))
    if (
        set(averages) != {"n", "first", "sums", "squares", "time_sums"}
        or len(averages["time_sums"]) != 3
        or not isinstance(facts["plan"], dict)
        or not all(type(size) is int and 0 <= size < 2**62 for size in sizes)
        or not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
    ):
        raise ValueError("it says what no trajectory has written")


def identity_of(potential: Potential) -> str:
    """What a trajectory that goes on compares its potential by."""
    arrays, facts = archived(potential)
    digest = hashlib.sha256(json.dumps(facts["basis"], sort_keys=True).encode())
    for name, array in arrays.items():
        digest.update(name.encode() + np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()

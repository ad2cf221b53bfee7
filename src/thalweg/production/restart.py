"""The restart file: where a trajectory stands, written so that no kill can damage it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thalweg.border import MOST_ATOMS
from thalweg.errors import InputError, ModelError, StoreError
from thalweg.explorers import WalkerState
from thalweg.models.archive import read_archive, take, write_archive
from thalweg.potential import Potential
from thalweg.potential.saving import archived
from thalweg.structure import Structure

FOLDER = "restart"
_BY_ATOM = {"magmoms": np.float64, "masses": np.float64, "fixed": np.bool_}
"""What the structure itself says of each atom. Its masses are the walker's; standard ones it forgets again."""
_KIND, _VERSION = "md", 2
_UNREADABLE = (ModelError, InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


_Count = Annotated[int, Field(strict=True, ge=0, lt=2**62)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Walker(BaseModel):
    model_config = ConfigDict(extra="forbid")

    temperature: Annotated[_Number, Field(ge=0)]
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**64)]
    walker_id: Annotated[int, Field(strict=True, ge=0, lt=2**32)]
    step: _Count
    time_fs: Annotated[_Number, Field(ge=0)]
    reference_energy: _Number | None


class _Frames(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bytes: _Count
    header: Annotated[str, Field(pattern="^([0-9a-f]{2}){0,256}$")] = ""


class _Averages(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: _Count = 0
    n_left_out: _Count = 0
    first: dict[str, _Number] = {}
    sums: dict[str, _Number] = {}
    squares: dict[str, _Number] = {}
    time_sums: Annotated[list[_Number], Field(min_length=3, max_length=3)] = [0.0, 0.0, 0.0]
    blocks: dict[str, list[tuple[_Count, _Number, _Number, _Number]]] = {}

    @model_validator(mode="after")
    def _complete(self) -> _Averages:
        if not set(self.sums) == set(self.first) == set(self.squares) or (self.n > 0) != (
            "E_tot_eV" in self.first
        ):
            raise ValueError("averages: their sums do not belong together")
        return self


class _Worst(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bound: _Number
    atom: _Count
    step: _Count


class _Electrons(BaseModel):
    model_config = ConfigDict(extra="forbid")

    charge: int | None = None
    multiplicity: int | None = None


class _Facts(BaseModel):
    """What a restart's facts must be, whoever wrote them."""

    n_atoms: Annotated[int, Field(strict=True, ge=1, le=MOST_ATOMS)]
    walker: _Walker
    plan: dict[str, Any]
    potential: str
    start: str
    frames: _Frames
    log: _Count
    averages: _Averages
    worst: _Worst | Annotated[dict[str, Any], Field(max_length=0)]
    electrons: _Electrons = _Electrons()


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
        **{name: value for name, value in state.structure.particulars.items() if name in _BY_ATOM},
        "masses": state.masses,
    }
    if state.list_positions is not None and state.list_cell is not None:
        arrays |= {"list_positions": state.list_positions, "list_cell": state.list_cell}
    walker = {
        key: getattr(state, key)
        for key in ("temperature", "seed", "walker_id", "step", "time_fs", "reference_energy")
    }
    facts = {**restart.facts, "walker": walker, "n_atoms": len(state.structure)}
    facts["electrons"] = {name: getattr(state.structure, name) for name in ("charge", "multiplicity")}
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
        _Facts.model_validate(facts)
        n = int(facts["n_atoms"])
        structure = Structure(
            take(arrays, "numbers", (n,), np.int64),
            take(arrays, "positions", (n, 3)),
            take(arrays, "cell", (3, 3)),
            take(arrays, "pbc", (3,), np.bool_),
            **facts.get("electrons", {}),  # an older Thalweg wrote none of these
            **_by_atom(arrays, n),
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
            f"{folder / FOLDER}: the restart cannot be read ({_in_words(error)}); start again in another folder"
        ) from error
    return Restart(state, facts)


def _by_atom(arrays: dict[str, NDArray[Any]], n: int) -> dict[str, Any]:
    """Moments, masses and fixed components, those that are there."""
    found: dict[str, Any] = {}
    for name, kind in _BY_ATOM.items():
        if name in arrays:
            shape = (n, 3) if name == "fixed" or arrays[name].ndim == 2 else (n,)
            found[name] = take(arrays, name, shape, kind)
    return found


def _in_words(error: Exception) -> str:
    """One line, also of what pydantic says on many."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"


def identity_of(potential: Potential) -> str:
    """What a trajectory that goes on compares its potential by."""
    arrays, facts = archived(potential)
    digest = hashlib.sha256(json.dumps(facts["basis"], sort_keys=True).encode())
    for name, array in arrays.items():
        digest.update(name.encode() + np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()

"""The `system` section: the structures a run starts from, and how they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from thalweg.border import MOST_ATOMS_OF_A_RUN, check_count
from thalweg.errors import InputError
from thalweg.settings.fields import shown, whole_list
from thalweg.structure import Structure
from thalweg.vocabulary import Relax

MOST_PATHS = 1000
_LIGHT, _MIDDLE = 4.0, 20.0
"""amu: below the first, hydrogen's vibrations (period 9 fs and more); below the second, first-row atoms'."""


def resolve(path: str | None, info: ValidationInfo) -> str | None:
    """`path` relative to the configuration's folder, which the loader passes as validation context."""
    if path is None or not info.context:
        return path
    try:
        return str((Path(info.context["folder"]) / Path(path).expanduser()).resolve())
    except (RuntimeError, OSError) as error:  # ~ of nobody, links that go round
        raise ValueError(f"the path {shown(path)} leads nowhere: {error}") from None


def _paths(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list | tuple) or not paths or not all(isinstance(p, str) and p for p in paths):
        raise ValueError(f"expected the path of a structure file, or a list of paths, got {shown(value)}")
    if len(paths) > MOST_PATHS:
        raise ValueError(f"{len(paths):,} paths, the limit is {MOST_PATHS}; put the structures into one file")
    return tuple(str(resolve(path, info)) for path in paths)


def _three(repeat: tuple[int, ...]) -> tuple[int, ...]:
    if len(repeat) != 3:
        raise ValueError(f"expected 3 whole numbers >= 1, got {len(repeat)}")
    return repeat


class SystemConfig(BaseModel):
    """Structure files; each structure in them is one start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: Annotated[tuple[str, ...], BeforeValidator(_paths)] = Field(
        description="Any files that ASE reads, relative to this file; each structure in them is a start."
    )
    repeat: Annotated[tuple[int, ...], whole_list("3 numbers", ">= 1", "<= 1000"), AfterValidator(_three)] = (
        Field(default=(1, 1, 1), description="Repeat the cell along its three vectors.")
    )
    relax: Relax = Field(
        default="none",
        description="Relax each start with the oracle before the run begins: none, positions, or cell (positions and "
        "cell, to the pressure of npt or to none); its calls count, and their labels are learned.",
    )


@dataclass(frozen=True, eq=False)
class Starts:
    """Start structures, and how many of them have velocities in their files, which walkers do not take over.

    `places` are what messages call them: file and number.
    """

    structures: list[Structure]
    places: list[str]
    with_velocities: int


def start_structures(system: SystemConfig) -> list[Structure]:
    """The structures of `read_starts`."""
    return read_starts(system).structures


def read_starts(system: SystemConfig) -> Starts:
    """All start structures, in the order of the files.

    Raises
    ------
    InputError
        Naming the file at fault: as `read_structures`, a structure too large for an oracle, or one that is to be
        repeated along a direction in which it is not periodic.
    """
    from thalweg.store.frames import read_atoms
    from thalweg.store.reading import has_velocities, place_of, structure_of

    structures, places, moving = [], [], 0
    for path in map(Path, system.paths):
        for number, atoms in enumerate(read_atoms(path), start=1):
            where = place_of(path, number)
            structures.append(_repeated(structure_of(atoms, where), system.repeat, where))
            places.append(where)
            moving += has_velocities(atoms)
    return Starts(structures, places, moving)


def _repeated(structure: Structure, repeat: tuple[int, ...], where: str) -> Structure:
    n_atoms = len(structure) * math.prod(repeat)
    check_count(n_atoms, f"{where}, repeated" if n_atoms > len(structure) else where, MOST_ATOMS_OF_A_RUN)
    if all(count == 1 for count in repeat):
        return structure
    if not structure.pbc.all():
        raise InputError("system.repeat: it needs structures that are periodic in three directions")
    return structure.repeated(repeat)


def automatic_timestep(structures: list[Structure]) -> float:
    """Time step in fs from the lightest atom: 0.5 with hydrogen, 1 up to first-row atoms, else 2."""
    lightest = min(float(structure.amu.min()) for structure in structures)
    return 0.5 if lightest < _LIGHT else 1.0 if lightest < _MIDDLE else 2.0

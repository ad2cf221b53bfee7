"""Trajectory files that can be cut back to an earlier moment: extended XYZ and ASE's binary .traj.

`mark()` says, in plain data, how far the file is complete. A file opened with a mark is cut back to it, so that after
a kill it continues byte for byte as if nothing had happened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols
from ase.io.trajectory import TrajectoryWriter
from numpy.typing import NDArray

from thalweg.errors import StoreError
from thalweg.explorers import Snapshot
from thalweg.production.growing import GrowingFile, check_reaches
from thalweg.structure import FloatArray, Structure

Mark = dict[str, Any]

_ULM_HEADER_BYTES = 48


class FrameFile(Protocol):
    """A trajectory being written."""

    def write(self, snapshot: Snapshot) -> None:
        """Append a frame."""
        ...

    def mark(self) -> Mark:
        """How far the file is complete, after it is safe on the disk."""
        ...

    def close(self) -> None:
        """No more frames."""
        ...


def open_frames(path: Path, masses: FloatArray | None, mark: Mark | None) -> FrameFile:
    """A new file, or one that goes on where `mark` says; its suffix names the format.

    Frames hold velocities where `masses` (n_atoms,), amu, are given.

    Raises
    ------
    StoreError
        The file is shorter than the mark says: somebody changed it.
    """
    made = ExtxyzFile if path.suffix == ".extxyz" else TrajFile
    return made(path, masses, mark)


class ExtxyzFile:
    """Columns species, pos, and where there are such bound (eV/Å), novelty and momenta; energy, time and temperature
    in the comment line.
    """

    def __init__(self, path: Path, masses: FloatArray | None, mark: Mark | None) -> None:
        self._masses = masses
        self._file = GrowingFile(path, None if mark is None else mark["bytes"])

    def write(self, snapshot: Snapshot) -> None:
        """Append a frame."""
        self._file.write(extxyz_text(snapshot, self._masses))

    def mark(self) -> Mark:
        """How far the file is complete."""
        return {"bytes": self._file.mark()}

    def close(self) -> None:
        """No more frames."""
        self._file.close()


class TrajFile:
    """ASE's own binary file. Bounds and novelty are in `atoms.info`, since it has no place for arrays."""

    def __init__(self, path: Path, masses: FloatArray | None, mark: Mark | None) -> None:
        self._path, self._masses = path, masses
        if mark is not None:
            if not mark.get("header"):
                raise StoreError(
                    f"{path}: the restart file does not hold its header; start again in another folder"
                )
            check_reaches(path, mark["bytes"])
            with path.open("r+b") as stream:
                stream.write(bytes.fromhex(mark["header"]))
                stream.truncate(mark["bytes"])
        self._writer = TrajectoryWriter(path, "w" if mark is None else "a")

    def write(self, snapshot: Snapshot) -> None:
        """Append a frame."""
        atoms = frame_atoms(snapshot, self._masses)
        for name in ("bound", "novelty"):
            scores = atoms.arrays.pop(name, None)
            if scores is not None:
                atoms.info[name] = np.round(scores, 5)
        self._writer.write(atoms)

    def mark(self) -> Mark:
        """How far the file is complete."""
        # the header counts frames, and says where the table of their places lies
        with self._path.open("rb") as stream:
            os.fsync(stream.fileno())
            header = stream.read(_ULM_HEADER_BYTES)
        return {"bytes": self._path.stat().st_size, "header": header.hex()}

    def close(self) -> None:
        """No more frames."""
        self._writer.close()


def frame_atoms(snapshot: Snapshot, masses: FloatArray | None = None) -> Atoms:
    """As `ase.Atoms` with energy; arrays `bound` and `novelty`; velocities where `masses` (amu) are given."""
    atoms = snapshot.structure.to_atoms()
    if masses is not None:
        atoms.set_momenta(masses[:, None] * snapshot.velocities, apply_constraint=False)
    if snapshot.bound is not None:
        atoms.arrays["bound"] = snapshot.bound
    if snapshot.novelty is not None:
        atoms.arrays["novelty"] = snapshot.novelty
    atoms.info |= {
        "step": snapshot.step,
        "time_fs": snapshot.time_fs,
        "temperature": round(snapshot.temperature, 4),
    }
    atoms.calc = SinglePointCalculator(atoms, energy=snapshot.potential_energy)
    return atoms


def _own_columns(structure: Structure) -> Iterator[tuple[str, NDArray[Any], str, str]]:
    """What is known of the atoms beyond their places: name, values, type and form of each column."""
    if structure.masses is not None:
        yield "masses", structure.masses, "R", "%.8f"
    if structure.magmoms is not None:
        yield "initial_magmoms", structure.magmoms, "R", "%.8f"
    if structure.fixed is not None:
        whole = (structure.fixed == structure.fixed[:, :1]).all()
        yield "move_mask", ~(structure.fixed[:, :1] if whole else structure.fixed), "I", "%d"


def extxyz_text(snapshot: Snapshot, masses: FloatArray | None = None, comment: str = "") -> str:
    """One frame of extended XYZ; velocities as momenta where `masses` (amu) are given.

    Written here since ASE's writer takes seconds for 100,000 atoms.
    """
    structure = snapshot.structure
    columns, properties, forms = [structure.positions], "species:S:1:pos:R:3", ["%.8f"] * 3
    if masses is not None:
        columns.append(masses[:, None] * snapshot.velocities)
        properties, forms = properties + ":momenta:R:3", [*forms, *["%.8f"] * 3]
    for name, values, kind, form in _own_columns(structure):
        columns.append(values.reshape(len(structure), -1).astype(np.float64))
        width = columns[-1].shape[1]
        properties, forms = f"{properties}:{name}:{kind}:{width}", [*forms, *[form] * width]
    for name, scores in (("bound", snapshot.bound), ("novelty", snapshot.novelty)):
        if scores is not None:
            columns.append(scores[:, None])
            properties, forms = f"{properties}:{name}:R:1", [*forms, "%.5f"]
    lattice = ""
    if structure.cell.any():
        lattice = f'Lattice="{" ".join(repr(float(x)) for x in structure.cell.ravel())}" '
    pbc = " ".join("FT"[int(periodic)] for periodic in structure.pbc)
    head = (
        f'{lattice}Properties={properties} pbc="{pbc}" energy={snapshot.potential_energy!r} step={snapshot.step} '
        f"time_fs={snapshot.time_fs!r} temperature={snapshot.temperature:.4f}{comment}"
    )
    for name in ("charge", "multiplicity"):
        if (value := getattr(structure, name)) is not None:
            head += f" {name}={value}"
    row = " ".join(forms)
    lines = "".join(f"{chemical_symbols[z]} {row}\n" for z in structure.numbers)
    return f"{len(structure)}\n{head}\n" + lines % tuple(np.hstack(columns).ravel().tolist())

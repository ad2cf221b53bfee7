"""One configuration of atoms: frozen data with a content hash, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InputError

if TYPE_CHECKING:
    import ase

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


LARGEST_LENGTH = 1e6
"""Å. Beyond it a coordinate or a cell has too few digits left for forces."""
LEAST_HEIGHT = 1e-3
"""Å. A periodic direction lower than this is a collapsed cell."""
LARGEST_Z = 118


def _frozen(values: Any, dtype: type, shape: tuple[int, ...], name: str) -> Any:
    try:
        array: NDArray[Any] = np.array(values, dtype=dtype, order="C")
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"structure: {name} must be numbers of shape {shape} ({error})") from None
    if array.shape != shape:
        raise InputError(f"structure: {name} must have shape {shape}, got {array.shape}")
    array.flags.writeable = False
    return array


def _fault(lengths: FloatArray) -> str:
    beyond = f"are beyond {LARGEST_LENGTH:g} Å"
    return beyond if np.isfinite(lengths).all() else "hold NaN or infinity"


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms with positions, cell and periodicity.

    Attributes
    ----------
    numbers : int64 ndarray, shape (n_atoms,)
        Atomic numbers Z.
    positions : float64 ndarray, shape (n_atoms, 3), Å
    cell : float64 ndarray, shape (3, 3), Å
        Rows are lattice vectors; zeros if there is no cell.
    pbc : bool ndarray, shape (3,)

    Raises
    ------
    InputError
        Wrong shapes; values that are not finite or beyond 1e6 Å; an atomic number outside 1 to 118; a periodic
        direction without a cell vector, or with a height below 0.001 Å. Files have further limits: `thalweg.border`.
    """

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: BoolArray

    def __post_init__(self) -> None:
        try:
            n = len(np.atleast_1d(np.asarray(self.numbers)))
        except ValueError as error:
            raise InputError(f"structure: numbers must be one list of atomic numbers ({error})") from None
        object.__setattr__(self, "numbers", _frozen(self.numbers, np.int64, (n,), "numbers"))
        object.__setattr__(self, "positions", _frozen(self.positions, np.float64, (n, 3), "positions"))
        object.__setattr__(self, "cell", _frozen(self.cell, np.float64, (3, 3), "cell"))
        object.__setattr__(self, "pbc", _frozen(self.pbc, np.bool_, (3,), "pbc"))
        if n == 0:
            raise InputError("structure: it has no atoms")
        self._check_numbers()
        self._check_lengths()

    def _check_numbers(self) -> None:
        if self.numbers.min() >= 1 and self.numbers.max() <= LARGEST_Z:
            return
        atom = int(np.flatnonzero((self.numbers < 1) | (self.numbers > LARGEST_Z))[0])
        raise InputError(
            f"structure: atom {atom} (counted from 0) is not a chemical element: its atomic number is "
            f"{self.numbers[atom]}, expected 1 to {LARGEST_Z}; put a chemical symbol such as Si in its place"
        )

    def _check_lengths(self) -> None:
        """Written so that NaN fails, too."""
        if not np.abs(self.positions).max() <= LARGEST_LENGTH:
            atom = int(np.flatnonzero(~(np.abs(self.positions) <= LARGEST_LENGTH).all(axis=1))[0])
            place = ", ".join(f"{x:g}" for x in self.positions[atom])
            raise InputError(
                f"structure: positions {_fault(self.positions)}: atom {atom} (counted from 0) is at ({place}) Å"
            )
        if not np.abs(self.cell).max() <= LARGEST_LENGTH:
            raise InputError(f"structure: cell vectors {_fault(self.cell)}: {self.cell.tolist()}")
        if self.pbc.any() and not self.heights()[self.pbc].min() >= LEAST_HEIGHT:
            raise InputError(
                "structure: a periodic direction has no cell vector, or not a linearly independent one"
            )

    def heights(self) -> FloatArray:
        """Distance between opposite faces of the cell along each of its three vectors, Å (3,); zeros without a volume.

        A non-periodic direction without a vector counts as one of 1 Å, orthogonal to the others.
        """
        try:
            inverse = np.linalg.inv(self.padded_cell())
        except np.linalg.LinAlgError:
            return np.zeros(3)
        heights: FloatArray = 1.0 / np.sqrt((inverse * inverse).sum(axis=0))
        return heights

    def padded_cell(self) -> FloatArray:
        """The cell (3, 3), Å, with orthogonal unit vectors in place of absent non-periodic ones."""
        cell = np.array(self.cell)
        for k in range(3):
            if not self.pbc[k] and np.linalg.norm(cell[k]) < 1e-12:
                others = [cell[m] for m in range(3) if m != k and np.linalg.norm(cell[m]) > 1e-12]
                basis = np.array(others) if others else np.zeros((0, 3))
                cell[k] = np.linalg.svd(basis)[2][-1] if len(basis) < 3 and len(basis) else np.eye(3)[k]
        return cell

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over numbers, positions, cell and pbc as little-endian bytes: the structure's identity."""
        digest = hashlib.sha256(b"thalweg.structure.1")
        for array, dtype in (
            (self.numbers, "<i8"),
            (self.positions, "<f8"),
            (self.cell, "<f8"),
            (self.pbc, "<u1"),
        ):
            digest.update(np.ascontiguousarray(array).astype(dtype).tobytes())
        return digest.hexdigest()

    @property
    def volume(self) -> float:
        """Volume in Å³; raises InputError unless periodic in three directions."""
        if not self.pbc.all():
            raise InputError("structure: only a structure that is periodic in three directions has a volume")
        return float(abs(np.linalg.det(self.cell)))

    def with_positions(self, positions: FloatArray) -> Structure:
        """The same atoms and cell at other positions (Å)."""
        return Structure(self.numbers, positions, self.cell, self.pbc)

    @classmethod
    def from_atoms(cls, atoms: ase.Atoms) -> Structure:
        """From an `ase.Atoms`."""
        return cls(atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc)

    def to_atoms(self) -> ase.Atoms:
        """To an `ase.Atoms` without a calculator."""
        import ase

        return ase.Atoms(numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=self.pbc)

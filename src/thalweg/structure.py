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


def _frozen(values: Any, dtype: type, shape: tuple[int, ...], name: str) -> Any:
    array: NDArray[Any] = np.array(values, dtype=dtype, order="C")
    if array.shape != shape:
        raise InputError(f"structure: {name} must have shape {shape}, got {array.shape}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms in space.

    Attributes
    ----------
    numbers : int64 ndarray, shape (n_atoms,)
        Atomic numbers Z.
    positions : float64 ndarray, shape (n_atoms, 3), Å
    cell : float64 ndarray, shape (3, 3), Å
        Rows are lattice vectors; zeros where there is no cell.
    pbc : bool ndarray, shape (3,)

    Raises
    ------
    InputError
        Wrong shapes, non-finite positions, or a periodic direction without a cell vector.
    """

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: BoolArray

    def __post_init__(self) -> None:
        n = len(np.atleast_1d(np.asarray(self.numbers)))
        object.__setattr__(self, "numbers", _frozen(self.numbers, np.int64, (n,), "numbers"))
        object.__setattr__(self, "positions", _frozen(self.positions, np.float64, (n, 3), "positions"))
        object.__setattr__(self, "cell", _frozen(self.cell, np.float64, (3, 3), "cell"))
        object.__setattr__(self, "pbc", _frozen(self.pbc, np.bool_, (3,), "pbc"))
        if n == 0:
            raise InputError("structure: no atoms in it")
        if not (np.isfinite(self.positions).all() and np.isfinite(self.cell).all()):
            raise InputError("structure: positions or cell hold NaN or infinity")
        if self.pbc.any() and abs(np.linalg.det(self._padded_cell())) < 1e-6:
            raise InputError("structure: a periodic direction has no cell vector, or not an independent one")

    def _padded_cell(self) -> FloatArray:
        """The cell with orthogonal unit vectors in place of absent non-periodic ones."""
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
            raise InputError("structure: a volume needs periodicity in three directions")
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

"""One configuration of atoms: frozen data with a content hash, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import InputError
from thalweg.structure.arrays import BoolArray, FloatArray, IntArray, frozen

if TYPE_CHECKING:
    import ase

LARGEST_LENGTH = 1e6
"""Å. Beyond it a coordinate or a cell has too few digits left for forces."""
LEAST_HEIGHT = 1e-3
"""Å. A periodic direction lower than this is a collapsed cell."""
LARGEST_Z = 118
LARGEST_CHARGE, LARGEST_MULTIPLICITY = 1000, 1000
MASS_RATIO = (0.05, 20.0)
"""Least and largest mass of an atom over its element's; muonium has 0.11, tritium 3."""
_MASS_ROUNDING = 1e-7
"""Of a mass: conversions between units of programs leave so much."""
LARGEST_MOMENT = 20.0
"""Bohr magnetons of one atom; gadolinium has 7."""


def _fault(lengths: FloatArray) -> str:
    beyond = f"are beyond {LARGEST_LENGTH:g} Å"
    return beyond if np.isfinite(lengths).all() else "hold NaN or infinity"


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms with positions, cell and periodicity, and what else is known of them.

    Attributes
    ----------
    numbers : int64 ndarray, shape (n_atoms,)
        Atomic numbers Z.
    positions : float64 ndarray, shape (n_atoms, 3), Å
    cell : float64 ndarray, shape (3, 3), Å
        Rows are lattice vectors; zeros if there is no cell.
    pbc : bool ndarray, shape (3,)
    charge : int or None, in units of e
        Total charge, of the cell where periodic; None: nobody says it.
    multiplicity : int or None
        2 S + 1.
    magmoms : float64 ndarray, shape (n_atoms,) or (n_atoms, 3), Bohr magnetons, or None
        Initial magnetic moments, collinear or not; zeros are None.
    masses : float64 ndarray, shape (n_atoms,), amu, or None
        Isotopes; the standard masses are None.
    fixed : bool ndarray, shape (n_atoms, 3), or None
        Cartesian components that do not move; none at all is None.

    Raises
    ------
    InputError
        Wrong shapes; values that are not finite or beyond 1e6 Å; an atomic number outside 1 to 118; a periodic
        direction without a cell vector, or with a height below 0.001 Å; a mass far from its element's; charge,
        multiplicity or moments that no atoms have. Files have further limits: `thalweg.border`.
    """

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: BoolArray
    charge: int | None = None
    multiplicity: int | None = None
    magmoms: FloatArray | None = None
    masses: FloatArray | None = None
    fixed: BoolArray | None = None

    def __post_init__(self) -> None:
        try:
            n = len(np.atleast_1d(np.asarray(self.numbers)))
        except ValueError as error:
            raise InputError(f"structure: numbers must be one list of atomic numbers ({error})") from None
        object.__setattr__(self, "numbers", frozen(self.numbers, np.int64, (n,), "numbers"))
        object.__setattr__(self, "positions", frozen(self.positions, np.float64, (n, 3), "positions"))
        object.__setattr__(self, "cell", frozen(self.cell, np.float64, (3, 3), "cell"))
        object.__setattr__(self, "pbc", frozen(self.pbc, np.bool_, (3,), "pbc"))
        if n == 0:
            raise InputError("structure: it has no atoms")
        self._check_numbers()
        self._check_lengths()
        self._check_electrons()
        object.__setattr__(self, "magmoms", self._checked_moments(n))
        object.__setattr__(self, "masses", self._checked_masses(n))
        fixed = None if self.fixed is None else frozen(self.fixed, np.bool_, (n, 3), "fixed")
        object.__setattr__(self, "fixed", fixed if fixed is not None and fixed.any() else None)

    def _check_electrons(self) -> None:
        for name, low, high in (
            ("charge", -LARGEST_CHARGE, LARGEST_CHARGE),
            ("multiplicity", 1, LARGEST_MULTIPLICITY),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or not low <= value <= high:
                raise InputError(
                    f"structure: {name} must be a whole number from {low} to {high}, got {value!r:.50}"
                )
            object.__setattr__(self, name, int(value))

    def _checked_moments(self, n: int) -> FloatArray | None:
        if self.magmoms is None:
            return None
        shape = (n, 3) if np.ndim(self.magmoms) == 2 else (n,)
        moments: FloatArray = frozen(self.magmoms, np.float64, shape, "magmoms")
        if not np.abs(moments).max() <= LARGEST_MOMENT:
            raise InputError(
                f"structure: initial magnetic moments must be numbers up to {LARGEST_MOMENT:g} Bohr magnetons"
            )
        return moments if moments.any() else None

    def _checked_masses(self, n: int) -> FloatArray | None:
        if self.masses is None:
            return None
        masses: FloatArray = frozen(self.masses, np.float64, (n,), "masses")
        standard = standard_masses(self.numbers)
        ratio = masses / standard
        wrong = np.flatnonzero(~((ratio >= MASS_RATIO[0]) & (ratio <= MASS_RATIO[1])))
        if len(wrong):
            atom = int(wrong[0])
            raise InputError(
                f"structure: atom {atom} (counted from 0) has a mass of {masses[atom]:g} amu, and its element "
                f"{standard[atom]:.4g}; masses are in amu"
            )
        is_standard = np.allclose(masses, standard, rtol=_MASS_ROUNDING, atol=0.0)
        return None if is_standard else masses

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
        """SHA-256 over all that is known, as little-endian bytes: the structure's identity."""
        digest = hashlib.sha256(b"thalweg.structure.1")
        for array, dtype in (
            (self.numbers, "<i8"),
            (self.positions, "<f8"),
            (self.cell, "<f8"),
            (self.pbc, "<u1"),
        ):
            digest.update(np.ascontiguousarray(array).astype(dtype).tobytes())
        for name, value in self.particulars.items():
            digest.update(name.encode() + b"\0")
            digest.update(np.ascontiguousarray(value, dtype="<f8").tobytes())
        return digest.hexdigest()

    @property
    def particulars(self) -> dict[str, Any]:
        """What is known beyond numbers, positions, cell and pbc: the other attributes that are not None."""
        names = ("charge", "multiplicity", "magmoms", "masses", "fixed")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def plain_particulars(self) -> dict[str, Any]:
        """`particulars` as numbers and lists, for JSON; the class takes them as keyword arguments."""
        return {name: np.asarray(value).tolist() for name, value in self.particulars.items()}

    @property
    def remarks(self) -> list[str]:
        """What a reader should know of it, in a few words each: `charge -1`, `8 of 32 atoms held`."""
        found = [] if self.charge is None else [f"charge {self.charge:+d}" if self.charge else "charge 0"]
        if self.multiplicity is not None:
            found.append(f"multiplicity {self.multiplicity}")
        if self.magmoms is not None:
            found.append("magnetic moments of the file")
        if self.masses is not None:
            n_own = int((self.masses != standard_masses(self.numbers)).sum())
            found.append(f"{n_own} atom{'s' if n_own > 1 else ''} with a mass of the file")
        if self.fixed is not None:
            found.append(f"{int(self.fixed.any(axis=1).sum())} of {len(self)} atoms held")
        return found

    @property
    def amu(self) -> FloatArray:
        """Masses of the atoms (n_atoms,), amu: their own, else the standard ones."""
        return standard_masses(self.numbers) if self.masses is None else self.masses

    @property
    def n_free(self) -> int:
        """Components of positions that may move: 3 n_atoms less the fixed ones."""
        return 3 * len(self) - (0 if self.fixed is None else int(self.fixed.sum()))

    @property
    def volume(self) -> float:
        """Volume in Å³; raises InputError unless periodic in three directions."""
        if not self.pbc.all():
            raise InputError("structure: only a structure that is periodic in three directions has a volume")
        return float(abs(np.linalg.det(self.cell)))

    def with_positions(self, positions: FloatArray, cell: FloatArray | None = None) -> Structure:
        """The same atoms at other positions (Å), and in another cell (Å) where one is given."""
        return replace(self, positions=positions, cell=self.cell if cell is None else cell)

    def strained(self, deform: FloatArray) -> Structure:
        """The same fractions of the cell deformed: rows of cell and positions times `deform` (3, 3)."""
        return self.with_positions(self.positions @ deform, self.cell @ deform)

    def part(self, atoms: IntArray, positions: FloatArray, cell: FloatArray, pbc: BoolArray) -> Structure:
        """Some of the atoms elsewhere, with their own moments, masses and constraints.

        Raises InputError for a charge or multiplicity: nobody knows which part it belongs to.
        """
        from thalweg.structure.electrons import check_divisible

        check_divisible(self, "structure")
        return Structure(self.numbers[atoms], positions, cell, pbc, **self._of_atoms(atoms))

    def reordered(self, order: IntArray) -> Structure:
        """The same atoms in another order: a permutation (n_atoms,)."""
        own = {"numbers": self.numbers[order], "positions": self.positions[order], **self._of_atoms(order)}
        return replace(self, **own)

    def _of_atoms(self, atoms: IntArray) -> dict[str, Any]:
        """What is known of these atoms one by one."""
        return {name: value[atoms] for name, value in self.particulars.items() if np.ndim(value)}

    def repeated(self, repeat: tuple[int, ...]) -> Structure:
        """The cell repeated along its three vectors; charge and unpaired electrons are repeated, too."""
        times = int(np.prod(repeat))
        large = Structure.from_atoms(self.to_atoms().repeat(repeat))
        charge = None if self.charge is None else times * self.charge
        multiplicity = None if self.multiplicity is None else 1 + times * (self.multiplicity - 1)
        return replace(large, charge=charge, multiplicity=multiplicity)

    @classmethod
    def from_atoms(cls, atoms: ase.Atoms) -> Structure:
        """From an `ase.Atoms`, with what it says of charge, spin, masses and constraints.

        Raises InputError as the class itself, and for constraints that are not of single atoms
        (`thalweg.structure.ase_atoms`).
        """
        from thalweg.structure.ase_atoms import from_atoms

        return from_atoms(atoms)

    def to_atoms(self, *, constraints: bool = True) -> ase.Atoms:
        """To an `ase.Atoms` without a calculator, with charge and multiplicity in its `info`."""
        from thalweg.structure.ase_atoms import to_atoms

        return to_atoms(self, constraints=constraints)


def standard_masses(numbers: IntArray) -> FloatArray:
    """Standard atomic masses of elements by atomic number, amu."""
    from ase.data import atomic_masses

    return np.array(atomic_masses[numbers], dtype=np.float64)

"""Structures laid end to end in plain arrays: the form in which the native core takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InputError
from thalweg.structure import FloatArray, Structure


def numbers_of(elements: Sequence[str]) -> tuple[int, ...]:
    """Atomic numbers of chemical symbols, in their order."""
    from ase.data import atomic_numbers

    return tuple(int(atomic_numbers[element]) for element in elements)


def species_of(structure: Structure, elements: Sequence[str]) -> NDArray[np.int32]:
    """Index of each atom's element in `elements`, int32 (n_atoms,); InputError names a missing one."""
    from ase.data import atomic_numbers, chemical_symbols

    n = len(chemical_symbols)
    table = np.full(n + 1, -1, dtype=np.int32)
    for index, element in enumerate(elements):
        table[atomic_numbers[element]] = index
    numbers = structure.numbers
    species: NDArray[np.int32] = table[np.where((numbers > 0) & (numbers < n), numbers, n)]
    if (species < 0).any():
        atom = int(np.argmax(species < 0))
        number = int(numbers[atom])
        symbol = chemical_symbols[number] if 0 < number < n else f"an atom of number {number}"
        raise InputError(
            f"the structure contains {symbol} (atom {atom}, counted from 0), but the model knows only "
            f"{', '.join(elements)}: "
            "train one that includes this element"
        )
    return species


@dataclass(frozen=True, eq=False)
class PackedStructures:
    """Arguments of the native calls, in their order: `native.compute(*packed.arrays)`.

    first_atom int32 (n_structures + 1,); species int32 (n_atoms,); positions float64 (n_atoms, 3), Å;
    cells float64 (n_structures, 3, 3), Å; pbc uint8 (n_structures, 3).
    """

    first_atom: NDArray[np.int32]
    species: NDArray[np.int32]
    positions: FloatArray
    cells: FloatArray
    pbc: NDArray[np.uint8]

    @property
    def arrays(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], FloatArray, FloatArray, NDArray[np.uint8]]:
        """The five arrays in the order of the native signature."""
        return self.first_atom, self.species, self.positions, self.cells, self.pbc


def pack(structures: Sequence[Structure], elements: Sequence[str]) -> PackedStructures:
    """Lay structures end to end; `elements` gives the order of the species indices."""
    if not structures:
        raise InputError("no structures given: expected at least one")
    counts = [len(structure) for structure in structures]
    return PackedStructures(
        first_atom=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        species=np.concatenate([species_of(structure, elements) for structure in structures]),
        positions=np.concatenate([structure.positions for structure in structures]),
        cells=np.stack([structure.cell for structure in structures]),
        pbc=np.stack([structure.pbc for structure in structures]).astype(np.uint8),
    )

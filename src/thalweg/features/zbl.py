"""ZBL core repulsion: which cutoffs each pair of elements gets, and the repulsion itself as a baseline.

    E = sum over pairs  Zi Zj e² / (4 pi eps0 r) phi(r / a) + S(r),    zero from `outer` on

`S` makes energy, force and curvature vanish at `outer`, exactly as LAMMPS' `pair_style zbl inner outer` does,
so that the baseline can be written as one `zbl` line per pair under `hybrid/overlay`.

References
    Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter, vol. 1 (1985)
    LAMMPS documentation, pair_style zbl (phi, S)
    Cordero et al., Dalton Trans. 2008, 2832 (covalent radii, as ase.data.covalent_radii)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg import _native
from thalweg.errors import InputError, core_refusals
from thalweg.features.basis import LONGEST_CUTOFF
from thalweg.features.batch import numbers_of, pack, species_of
from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, Structure

OUTER_FRACTION = 0.8
"""Outer cutoff over the sum of covalent radii: bonds at equilibrium feel nothing of the repulsion."""

INNER_FRACTION = 0.5
"""Inner cutoff over outer cutoff."""

LARGEST_OUTER = 20.0
"""Å, as the cutoff of a basis."""

ROUNDING = 1.0 - 1e-11
"""Drawn-in cutoff over the shortest distance, which the core computes in another order."""


@dataclass(frozen=True, eq=False)
class ZblCutoffs:
    """Cutoffs in Å, (n_elements, n_elements), symmetric; 0 < inner < outer <= 20, or both 0: no repulsion."""

    elements: tuple[str, ...]
    inner: FloatArray
    outer: FloatArray

    def __post_init__(self) -> None:
        n = len(self.elements)
        for name in ("inner", "outer"):
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != (n, n) or not np.array_equal(values, values.T):
                raise InputError(
                    f"ZBL {name} cutoffs must be symmetric of shape ({n}, {n}), got {values.tolist()}"
                )
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if not (np.isfinite(self.outer).all() and self.outer.max() <= LARGEST_OUTER):
            raise InputError(f"ZBL cutoffs must be at most {LARGEST_OUTER:g} Å, got {self.outer.max()}")
        absent = (self.inner == 0) & (self.outer == 0)
        present = (self.inner > 0) & (self.inner < self.outer) & (self.outer <= LONGEST_CUTOFF)
        if not (absent | present).all():
            raise InputError(
                f"ZBL cutoffs need 0 < inner < outer <= {LONGEST_CUTOFF:g} Å (or both 0) for every pair of elements"
            )

    @classmethod
    def from_covalent_radii(cls, elements: Sequence[str]) -> ZblCutoffs:
        """Outer: 0.8 of the sum of covalent radii; inner: half of that."""
        from ase.data import atomic_numbers, covalent_radii

        radii = np.array([covalent_radii[atomic_numbers[element]] for element in elements], dtype=np.float64)
        outer = OUTER_FRACTION * (radii[:, None] + radii[None, :])
        return cls(tuple(elements), INNER_FRACTION * outer, outer)

    def inside(self, structures: Sequence[Structure]) -> ZblCutoffs:
        """Drawn in where labelled structures have shorter distances; the same object where none has.

        What labels describe is left to them: a repulsion that ends steeply in their midst would have to be
        unlearned. Drawn in by one structure after another or by all at once, the same cutoffs come out.
        """
        shortest = shortest_distances(structures, self.elements, float(self.outer.max()))
        outer = np.minimum(self.outer, ROUNDING * shortest)
        if np.array_equal(outer, self.outer):
            return self
        return ZblCutoffs(self.elements, INNER_FRACTION * outer, outer)


def shortest_distances(structures: Sequence[Structure], elements: Sequence[str], cutoff: float) -> FloatArray:
    """Shortest distance of each pair of elements, (n_elements, n_elements), Å; inf where none is below `cutoff`."""
    n = len(elements)
    shortest = np.full((n, n), np.inf)
    for structure in structures:
        i, j, _, d = pairs_within(structure, cutoff)
        species = species_of(structure, elements)
        np.minimum.at(shortest, (species[i], species[j]), d)
    return np.asarray(np.minimum(shortest, shortest.T))


class ZblBaseline:
    """The repulsion of a set of elements; `native` is what force fields take.

    Parameters
    ----------
    elements : chemical symbols, in the order of the species indices
    cutoffs : defaults to ZblCutoffs.from_covalent_radii(elements)
    """

    def __init__(self, elements: Sequence[str], cutoffs: ZblCutoffs | None = None) -> None:
        self.elements = tuple(elements)
        self.cutoffs = ZblCutoffs.from_covalent_radii(elements) if cutoffs is None else cutoffs
        if self.cutoffs.elements != self.elements:
            raise InputError(f"ZBL cutoffs are for {self.cutoffs.elements}, the elements are {self.elements}")
        self.native = _native.ZblTable(
            list(numbers_of(self.elements)),
            self.cutoffs.inner,
            self.cutoffs.outer,
        )

    def compute(self, structures: Sequence[Structure]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energies (n_structures,) eV, forces (n_atoms, 3) eV/Å, strain gradient (n_structures, 3, 3) eV.

        Structures are laid end to end in the forces. The strain gradient is dE/dstrain: stress times volume.
        """
        arrays = pack(structures, self.elements).arrays
        with core_refusals():
            energies, forces, strain = self.native.compute(*arrays)
        return energies, forces, strain

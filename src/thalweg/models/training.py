"""From a labelled structure to what the model fits: design rows, and targets less what is known beforehand.

Notation
    E0_z     reference energy of element z: the isolated atom's, or fitted to training energies
    E_zbl    core repulsion (thalweg.features.zbl)
    target   label - sum_i E0_{z_i} - E_zbl, and the same for forces and virial

Where the oracle cannot give isolated atoms, E0 is the least-squares solution of sum_z n_z E0_z = E over the
first training energies, per atom, of smallest norm when compositions do not determine it. It is then fixed:
it takes up the bulk of the energy and leaves to the features what depends on the geometry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from thalweg.errors import check
from thalweg.features.batch import species_of
from thalweg.features.design import DesignRows, design_rows
from thalweg.features.evaluate import Features
from thalweg.features.zbl import ZblBaseline
from thalweg.label import Label
from thalweg.models.observation import Block, Observation, RowKind
from thalweg.structure import FloatArray, Structure


@dataclass(frozen=True, eq=False)
class Baseline:
    """What is known of an energy before anything is learned.

    Attributes
    ----------
    elements : tuple of str
        In the order of the species indices.
    reference_energies : float64 ndarray, shape (n_elements,), eV
    zbl : ZblBaseline or None
    """

    elements: tuple[str, ...]
    reference_energies: FloatArray
    zbl: ZblBaseline | None = None

    def __post_init__(self) -> None:
        energies = np.array(self.reference_energies, dtype=np.float64)
        n = len(self.elements)
        check(
            energies.shape == (n,) and np.isfinite(energies).all(),
            f"baseline: one finite reference energy per element {self.elements} expected, got {energies}",
        )
        energies.flags.writeable = False
        object.__setattr__(self, "reference_energies", energies)

    def inside(self, structures: Sequence[Structure]) -> Baseline:
        """The same, its core repulsion ended inside the shortest distances of labelled `structures`.

        It is then exactly zero in all of them, so that no target made before or afterwards depends on it.
        """
        if self.zbl is None:
            return self
        cutoffs = self.zbl.cutoffs.inside(structures)
        if cutoffs is self.zbl.cutoffs:
            return self
        return Baseline(self.elements, self.reference_energies, ZblBaseline(self.elements, cutoffs))

    def compute(self, structure: Structure) -> tuple[float, FloatArray, FloatArray]:
        """Energy (eV), forces (n_atoms, 3) eV/Å and strain gradient dE/dstrain (3, 3) eV."""
        energy = float(self.reference_energies[species_of(structure, self.elements)].sum())
        if self.zbl is None:
            return energy, np.zeros((len(structure), 3)), np.zeros((3, 3))
        energies, forces, strain = self.zbl.compute([structure])
        return energy + float(energies[0]), forces, strain[0]


def observe(features: Features, structure: Structure, label: Label, baseline: Baseline) -> Observation:
    """The observation that one labelled structure makes."""
    return make_observation(design_rows(features, structure), structure, label, baseline)


def make_observation(rows: DesignRows, structure: Structure, label: Label, baseline: Baseline) -> Observation:
    """The observation from design rows computed before (see thalweg.models.observation for the scaling)."""
    n_atoms = len(structure)
    check(
        label.forces.shape == (n_atoms, 3),
        f"training: {n_atoms} atoms, but the label's forces have shape {label.forces.shape}",
    )
    energy, forces, strain = baseline.compute(structure)
    per_root = 1.0 / np.sqrt(n_atoms)
    noise = label.noise
    blocks = [
        Block(
            RowKind.ENERGY,
            rows.energy[None, :] * per_root,
            np.array([label.energy - energy]) * per_root,
            noise.energy * per_root,
        ),
    ]
    internal = (
        without_rigid_motion(structure, np.column_stack([rows.forces, (label.forces - forces).ravel()]))
        if label.has_forces
        else np.empty((0, 0))
    )
    if len(internal):
        blocks.append(Block(RowKind.FORCES, internal[:, :-1], internal[:, -1], noise.forces))
    if label.stress is not None and rows.stress is not None:
        scale = structure.volume * per_root
        target = label.stress * scale - voigt(strain) * per_root
        blocks.append(Block(RowKind.VIRIAL, rows.stress * scale, target, noise.stress * scale))
    return tuple(blocks)


def without_rigid_motion(structure: Structure, rows: FloatArray) -> FloatArray:
    """Rows (3 n_atoms, k) over force components, turned into 3 n_atoms - 6 orthonormal combinations.

    Forces of any invariant model, and of the oracle, sum to zero; so do torques where nothing is periodic.
    Such combinations hold without noise whatever the coefficients. Left in, they would make the evidence
    praise a noise level of zero. In crystals only the sum of forces is taken out (3); of a lone atom nothing
    is left.
    """
    n = len(structure)
    rigid = np.tile(np.eye(3), (n, 1))
    if not structure.pbc.any():
        r = structure.positions - structure.positions.mean(axis=0)
        rotations = np.cross(np.eye(3)[:, None, :], r[None, :, :])
        rigid = np.column_stack([rigid, rotations.reshape(3, -1).T])
    reflectors, _, tau, _, _ = lapack.dgeqp3(np.asfortranarray(rigid))
    size = np.abs(np.diag(reflectors))
    rank = int((size > 1e-9 * size[0]).sum())  # 5 for a linear molecule
    reflectors = reflectors[:, : len(tau)]
    work = int(lapack.dormqr("L", "T", reflectors, tau, rows, -1)[1][0])
    turned, _, _ = lapack.dormqr("L", "T", reflectors, tau, rows, work)
    return np.ascontiguousarray(turned[rank:])


def voigt(tensor: FloatArray) -> FloatArray:
    """xx, yy, zz, yz, xz, xy of a symmetric tensor (3, 3), shape (6,)."""
    return np.array([tensor[0, 0], tensor[1, 1], tensor[2, 2], tensor[1, 2], tensor[0, 2], tensor[0, 1]])


def estimate_reference_energies(
    structures: Sequence[Structure], energies: Sequence[float], elements: Sequence[str]
) -> FloatArray:
    """Reference energies (n_elements,), eV, fitted to total energies (eV) as the module docstring says."""
    check(
        len(structures) == len(energies) > 0,
        f"reference energies: {len(energies)} energies for {len(structures)} structures; one each is needed",
    )
    species = [species_of(structure, elements) for structure in structures]
    counts = np.array([np.bincount(s, minlength=len(elements)) for s in species], dtype=np.float64)
    n_atoms = counts.sum(axis=1)
    solution = np.linalg.lstsq(counts / n_atoms[:, None], np.asarray(energies) / n_atoms, rcond=1e-10)[0]
    return np.asarray(solution)

"""How far an atom's environment lies from the training environments: a Mahalanobis distance per element.

Notation
    phi      features of one atom, shape (p,)
    mu       mean over the element's training environments
    s        feature scale, one over the standard deviation (floored)
    V        leading r principal directions of the scaled features, shape (r, p)
    t        V ((phi - mu) s), shape (r,)
    q2       |(phi - mu) s|² - |t|²: what the principal directions do not see

    novelty = sqrt(sum_k t_k² inv_lambda_k + q2 inv_rest)

Features vanish with the neighbours that they describe, so that an atom whose neighbours leave looks ordinary. A guard
sees to it: with fewer neighbours within the cutoff than any label of its element has, novelty is
TOO_FEW_NEIGHBOURS.

This is the form the native kernel evaluates at every step; how the arrays come about is in
`thalweg.uncertainty.novelty`. The unit is the training set's own reach: 1 is where the outermost hundredth of
environments begins that are new and of its kind.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg import _native
from thalweg.errors import InputError
from thalweg.structure import FloatArray

Counts = NDArray[np.int32]

TOO_FEW_NEIGHBOURS = _native.TOO_FEW_NEIGHBORS
"""The novelty of an atom that has lost neighbours: beyond every limit."""


@dataclass(frozen=True, eq=False)
class NoveltyModel:
    """Arrays of the distance, one entry per element.

    Attributes
    ----------
    mean, scale : float64 ndarray, shape (n_elements, p)
    components : float64 ndarray, shape (n_elements, r, p)
        Orthonormal rows; rows of zeros where an element has fewer directions.
    inv_lambda : float64 ndarray, shape (n_elements, r)
    inv_rest : float64 ndarray, shape (n_elements,)
    fewest_neighbours : int32 ndarray, shape (n_elements,)
        Within the cutoff; an atom with fewer is novel whatever its features say. Empty: no count is too few.
    """

    mean: FloatArray
    scale: FloatArray
    components: FloatArray
    inv_lambda: FloatArray
    inv_rest: FloatArray
    fewest_neighbours: Counts = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def __post_init__(self) -> None:
        n_elements, p = self.mean.shape
        r = self.components.shape[1]
        shapes = {"scale": (n_elements, p), "components": (n_elements, r, p), "inv_lambda": (n_elements, r)}
        shapes["inv_rest"] = (n_elements,)
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"novelty: {name} must have shape {shape}, got {getattr(self, name).shape}")
        for name in ("scale", "inv_lambda", "inv_rest"):
            if not (getattr(self, name) >= 0).all():
                raise InputError(f"novelty: {name} must be 0 or more")
        for name in ("mean", *shapes):
            array = np.array(getattr(self, name), dtype=np.float64, order="C")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        self._set_fewest(n_elements)

    def _set_fewest(self, n_elements: int) -> None:
        fewest = np.array(self.fewest_neighbours, dtype=np.int32)
        if fewest.size == 0:
            fewest = np.zeros(n_elements, dtype=np.int32)
        if fewest.shape != (n_elements,) or (fewest < 0).any():
            raise InputError(
                f"novelty: fewest_neighbours must be {n_elements} counts, 0 or more, got {fewest}"
            )
        fewest.flags.writeable = False
        object.__setattr__(self, "fewest_neighbours", fewest)

    def in_units_of(self, unit: float | FloatArray) -> NoveltyModel:
        """The same distances divided by `unit`, one number or one per element, shape (n_elements,); counts stay."""
        square = np.broadcast_to(np.square(unit), self.inv_rest.shape)
        return dataclasses.replace(
            self, inv_lambda=self.inv_lambda / square[:, None], inv_rest=self.inv_rest / square
        )

    def __call__(
        self, phi: FloatArray, species: NDArray[np.integer], neighbours: NDArray[np.integer] | None = None
    ) -> FloatArray:
        """Novelty per atom, shape (n_atoms,).

        Parameters
        ----------
        phi : float64 ndarray, shape (n_atoms, p)
        species : element indices, shape (n_atoms,)
        neighbours : counts within the cutoff, shape (n_atoms,); None: the guard is left out
        """
        novelty = np.empty(len(phi))
        for element in np.unique(species):
            atoms = species == element
            y = (phi[atoms] - self.mean[element]) * self.scale[element]
            t = y @ self.components[element].T
            q2 = np.maximum((y**2).sum(axis=1) - (t**2).sum(axis=1), 0.0)
            novelty[atoms] = np.sqrt(t**2 @ self.inv_lambda[element] + q2 * self.inv_rest[element])
        if neighbours is not None:
            novelty[neighbours < self.fewest_neighbours[species]] = TOO_FEW_NEIGHBOURS
        return novelty

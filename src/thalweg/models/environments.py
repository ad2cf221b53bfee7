"""How far an atom's environment lies from the training environments: a Mahalanobis distance per element.

Notation
    phi      features of one atom, shape (p,)
    mu       mean over the element's training environments
    s        feature scale, one over the standard deviation (floored)
    V        leading r principal directions of the scaled features, shape (r, p)
    t        V ((phi - mu) s), shape (r,)
    q2       |(phi - mu) s|² - |t|²: what the principal directions do not see

    novelty = sqrt(sum_k t_k² inv_lambda_k + q2 inv_rest)

This is the form the native kernel evaluates at every step; how the arrays come about is in
`thalweg.uncertainty.novelty`. The unit is the training set's own reach: 1 is where its outermost hundredth
begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InputError
from thalweg.structure import FloatArray


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
    """

    mean: FloatArray
    scale: FloatArray
    components: FloatArray
    inv_lambda: FloatArray
    inv_rest: FloatArray

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

    def __call__(self, phi: FloatArray, species: NDArray[np.integer]) -> FloatArray:
        """Novelty per atom, shape (n_atoms,), from phi (n_atoms, p) and element indices (n_atoms,)."""
        novelty = np.empty(len(phi))
        for element in np.unique(species):
            atoms = species == element
            y = (phi[atoms] - self.mean[element]) * self.scale[element]
            t = y @ self.components[element].T
            q2 = np.maximum((y**2).sum(axis=1) - (t**2).sum(axis=1), 0.0)
            novelty[atoms] = np.sqrt(t**2 @ self.inv_lambda[element] + q2 * self.inv_rest[element])
        return novelty

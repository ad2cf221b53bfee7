"""The four operations on features, and nothing else knows how features are made.

phi       phi_i
vjp(g)    sum_i g_i . d phi_i / dR, and the same by strain        forces and virial from dE/dphi
jvp(v)    sum_j d phi_i / dr_j . v_j
jacobian  d phi_i / dD_ij                                         D_ij = r_j - r_i, periodic images apart
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import _native
from thalweg.errors import check, core_refusals
from thalweg.features.basis import AceBasis
from thalweg.features.batch import pack
from thalweg.features.tables import native_evaluator
from thalweg.structure import FloatArray, Structure


def set_num_threads(n: int) -> None:
    """Threads that the core may use for one call; results do not depend on it. The default is 1."""
    check(n >= 1, f"the number of threads must be at least 1, got {n}")
    _native.set_num_threads(n)


def num_threads() -> int:
    """Threads that the core may use now."""
    return _native.num_threads()


class Features:
    """Evaluates a basis; cheap to make again, since the native tables are kept for each basis.

    Parameters
    ----------
    basis : AceBasis
    instructions : "baseline", "avx2" or "avx512"; "" takes the best that this processor has
    """

    def __init__(self, basis: AceBasis, *, instructions: str = "") -> None:
        self.basis = basis
        self.instructions = instructions
        with core_refusals():
            self.native: _native.Evaluator = native_evaluator(basis, instructions)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Features, instructions=self.instructions), (self.basis,)

    def phi(self, structures: Sequence[Structure]) -> FloatArray:
        """Features of every atom, float64 (n_atoms, p), structures laid end to end."""
        arrays = pack(structures, self.basis.elements).arrays
        with core_refusals():
            out: FloatArray = self.native.phi(*arrays)
        return out

    def vjp(self, structures: Sequence[Structure], g: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradients of sum_i g_i . phi_i for several cotangents at once.

        Parameters
        ----------
        g : float64 (n_cot, n_atoms, p)

        Returns
        -------
        gradients : float64 (n_cot, n_atoms, 3), by position
        strain : float64 (n_cot, n_structures, 3, 3), by strain; over the volume it is a stress
        """
        arrays = pack(structures, self.basis.elements).arrays
        expected = (len(arrays[1]), self.basis.n_features)
        g = np.ascontiguousarray(g, dtype=np.float64)
        check(
            g.ndim == 3 and g.shape[1:] == expected,
            f"vjp: cotangents must have shape (n_cot, {expected[0]}, {expected[1]}), got {g.shape}",
        )
        with core_refusals():
            gradients, strain = self.native.vjp(*arrays, g)
        return gradients, strain

    def jvp(self, structures: Sequence[Structure], v: FloatArray) -> FloatArray:
        """Change of phi (n_atoms, p) when atoms move by v, float64 (n_atoms, 3)."""
        arrays = pack(structures, self.basis.elements).arrays
        v = np.ascontiguousarray(v, dtype=np.float64)
        check(
            v.shape == (len(arrays[1]), 3),
            f"jvp: displacements must have shape ({len(arrays[1])}, 3), got {v.shape}",
        )
        with core_refusals():
            out: FloatArray = self.native.jvp(*arrays, v)
        return out

    def jacobian(self, structure: Structure) -> tuple[NDArray[np.int32], NDArray[np.int32], FloatArray]:
        """Neighbour pairs i, j (n_pairs,) and J (n_pairs, p, 3) = d phi_i / dD_ij, sorted by i."""
        arrays = pack([structure], self.basis.elements).arrays
        with core_refusals():
            i, j, rows = self.native.jacobian(*arrays)
        return i, j, rows.transpose(0, 2, 1)

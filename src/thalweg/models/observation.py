"""What one label says about the coefficients: blocks of rows, each with its targets and its own noise.

A linear model sees a label as equations `rows @ w = target + noise` of three kinds. Rows are brought to a
form in which one noise level per kind is right for a two-atom molecule and for a crystal alike:

    kind     row                              target                     noise level
    energy   d E / d w / sqrt(N)              (E - E_known) / sqrt(N)    noise_energy, eV per sqrt(atom)
    forces   combinations of dF_ia / d w      the same of F - F_known    noise_forces, eV/Å
    virial   V d stress / d w / sqrt(N)       V stress / sqrt(N)         noise_virial, eV per sqrt(atom)

with N atoms and volume V; the combinations are orthonormal and leave out the rigid motions
(thalweg.models.training). The reason for sqrt(N): local errors are nearly independent, so the error of a sum
over N atoms grows as sqrt(N), and so does that of the virial V * stress, which is such a sum too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from thalweg.errors import InputError
from thalweg.structure import FloatArray


class RowKind(StrEnum):
    """What a row is about."""

    ENERGY = "energy"
    FORCES = "forces"
    VIRIAL = "virial"


KINDS: tuple[RowKind, ...] = (RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL)


@dataclass(frozen=True, eq=False)
class Block:
    """Equations of one kind from one label.

    Attributes
    ----------
    kind : Kind
    rows : float64 ndarray, shape (n_rows, n_columns)
        Scaled as the module's table says.
    targets : float64 ndarray, shape (n_rows,)
    label_noise : float
        Standard deviation of the label itself, in the units of `targets`; added in quadrature.
    """

    kind: RowKind
    rows: FloatArray
    targets: FloatArray
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        rows = np.ascontiguousarray(self.rows, dtype=np.float64)
        targets = np.ascontiguousarray(self.targets, dtype=np.float64)
        if rows.ndim != 2 or targets.shape != rows.shape[:1]:
            raise InputError(
                "observation: rows must be (n_rows, n_columns) with one target each, "
                f"got shapes {rows.shape} and {targets.shape}"
            )
        if not (np.isfinite(rows).all() and np.isfinite(targets).all()):
            raise InputError(
                f"observation: {self.kind} rows or targets hold NaN or infinity; leave this label out"
            )
        if not (np.isfinite(self.label_noise) and self.label_noise >= 0):
            raise InputError(f"observation: label noise must be finite and >= 0, got {self.label_noise}")
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "targets", targets)


Observation = tuple[Block, ...]
"""All blocks of one label."""

_CLASSES_PER_DECADE = 12
_NEGLIGIBLE_NOISE = 1e-5


def noise_class(label_noise: float) -> float:
    """Label noise on a geometric grid of 12 values per decade (at most 10 % off), or 0 below 1e-5.

    Labels of one class share a Gram matrix, so that the evidence can be maximised over the noise levels
    without going back to old rows; the grid bounds how many such matrices there can be.
    """
    if label_noise < _NEGLIGIBLE_NOISE:
        return 0.0
    return float(10.0 ** (round(np.log10(label_noise) * _CLASSES_PER_DECADE) / _CLASSES_PER_DECADE))

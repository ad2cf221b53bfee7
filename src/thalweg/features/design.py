"""Design rows: what a linear model's energy, forces and stress are multiplied by.

E = energy @ w        F.ravel() = forces @ w        stress = stress @ w
"""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.errors import core_refusals
from thalweg.features.batch import pack
from thalweg.features.evaluate import Features
from thalweg.structure import FloatArray, Structure


@dataclass(frozen=True, eq=False)
class DesignRows:
    """Rows of one structure over the n_columns weights of all elements.

    energy : float64 (n_columns,), per eV of weight dimensionless
    forces : float64 (3 n_atoms, n_columns), 1/Å; row 3 i + axis
    stress : float64 (6, n_columns), 1/Å³, Voigt xx yy zz yz xz xy, ASE's sign; None unless periodic in
    three directions
    """

    energy: FloatArray
    forces: FloatArray
    stress: FloatArray | None


def design_rows(features: Features, structure: Structure, *, stress: bool = True) -> DesignRows:
    """Design rows of a structure; `stress=False` saves the work of the stress rows."""
    wanted = stress and bool(structure.pbc.all())
    arrays = pack([structure], features.basis.elements).arrays
    with core_refusals():
        energy, forces, strain = features.native.design_rows(*arrays, wanted)
    return DesignRows(energy, forces, strain / structure.volume if wanted else None)

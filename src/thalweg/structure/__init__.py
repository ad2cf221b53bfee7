"""One configuration of atoms, with all that its file says of it."""

from thalweg.structure.arrays import BoolArray, FloatArray, IntArray
from thalweg.structure.electrons import (
    Electrons,
    UnsaidElectronsError,
    check_divisible,
    check_joins,
    check_states,
    electrons_of,
    n_electrons,
)
from thalweg.structure.structure import LARGEST_LENGTH, LARGEST_Z, LEAST_HEIGHT, Structure, standard_masses

__all__ = [
    "LARGEST_LENGTH",
    "LARGEST_Z",
    "LEAST_HEIGHT",
    "BoolArray",
    "Electrons",
    "FloatArray",
    "IntArray",
    "Structure",
    "UnsaidElectronsError",
    "check_divisible",
    "check_joins",
    "check_states",
    "electrons_of",
    "n_electrons",
    "standard_masses",
]

"""Energy, forces and stress as a file has them: numbers of the right shape and size, or words that say what is wrong.

NaN means that a program had no number to write. It is no error: the quantity is absent from that label.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import InputError
from thalweg.structure import FloatArray, Structure

LARGEST_ENERGY, LARGEST_FORCE, LARGEST_STRESS = 1e10, 1e5, 1e4
"""eV, eV/Å, eV/Å³: nothing in a label is beyond them."""


def read_energy(value: Any) -> float | None:
    """The energy (eV) as one number, None for NaN; a file may have it as an array of one element, or as text.

    Raises InputError for what is no number, is infinite, or is beyond any energy.
    """
    single = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(single, bool | np.bool_):
        raise InputError(
            f"its energy is {brief(value)}; expected one number (eV), such as energy=-12.5 with an equals sign"
        )
    if isinstance(single, complex) or not isinstance(single, str | int | float | np.number):
        raise InputError(f"its energy is {brief(value)}; expected one number (eV), such as energy=-12.5")
    try:
        energy = float(single)
    except (ValueError, OverflowError):
        hint = "write 1.0E+02 for 1.0D+02" if "D" in str(single).upper() else "is the calculation complete?"
        raise InputError(f"its energy is {brief(value)}, no number (eV); {hint}") from None
    if np.isnan(energy):
        return None
    if np.isinf(energy):
        raise InputError("its label holds NaN or infinity: its energy is not finite; leave the structure out")
    if abs(energy) > LARGEST_ENERGY:
        raise InputError(
            f"its energy is {energy:g} eV, expected one within {LARGEST_ENERGY:g} eV; look for a wrong unit, "
            "or leave the structure out"
        )
    return energy


def read_forces(values: Any, structure: Structure) -> FloatArray | None:
    """Forces (n_atoms, 3) in eV/Å; None where any of them is NaN.

    Raises InputError as `read_energy`, and where constraints have put zeros in the place of forces on held atoms.
    """
    forces = _numbers("forces", values, (len(structure), 3), LARGEST_FORCE, "eV/Å")
    fixed = structure.fixed
    if forces is not None and fixed is not None and not forces[fixed].any() and forces[~fixed].any():
        raise InputError(
            f"its forces are exactly zero on all {int(fixed.any(axis=1).sum())} held atoms, and others have some: that "
            "is the constraint, not an answer; write forces without it (get_forces(apply_constraint=False)), or, if "
            "they are right, take the constraint (move_mask) out of the file"
        )
    return forces


def read_stress(name: str, values: Any, structure: Structure) -> FloatArray | None:
    """Stress (6,) in eV/Å³, Voigt order; None where any of it is NaN.

    `name` says what the file calls it: a virial (eV) stands for a stress = -virial / V. Raises InputError as
    `read_energy`, and for another number of components than 6 or 9.
    """
    factor = -1.0 / structure.volume if "virial" in name else 1.0
    array = np.asarray(values)
    if array.size == 9 and array.dtype.kind in "fiu":
        tensor = array.reshape(3, 3)
        array = (0.5 * (tensor + tensor.T)).flat[[0, 4, 8, 5, 2, 1]]
    elif array.size != 6:
        raise InputError(f"its stress has {array.size} numbers ({brief(values)}); expected 6 (Voigt) or 9")
    numbers = _numbers("stress", array, (6,), LARGEST_STRESS / abs(factor), "eV/Å³ (a virial: eV)")
    return None if numbers is None else factor * numbers


def _numbers(name: str, values: Any, shape: tuple[int, ...], largest: float, unit: str) -> FloatArray | None:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"its {name} are no numbers ({brief(values)}); expected numbers in {unit}")
    if array.shape != shape:
        raise InputError(f"its {name} have the shape {array.shape}, expected {shape}")
    numbers: FloatArray = np.array(array, dtype=np.float64)
    if np.isnan(numbers).any():
        return None
    if np.isinf(numbers).any():
        raise InputError(f"its label holds infinity among the {name}; leave the structure out")
    if np.abs(numbers).max() > largest:
        raise InputError(
            f"its {name} reach {np.abs(numbers).max():.3g} {unit}, expected at most {largest:g}; look for a wrong "
            "unit, or leave the structure out"
        )
    return numbers


def brief(value: Any) -> str:
    """A value in one line of at most some sixty characters."""
    words = " ".join(str(value).split())
    return words if len(words) <= 60 else words[:60] + " ..."

"""Non-finite numbers never leave a potential: they are an error, with what is wrong with the structure."""

from __future__ import annotations

import numpy as np

from thalweg.errors import InputError
from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, Structure

NEAR = 1.0
"""Å. Atoms that meet are looked for within it."""


def check_finite(structure: Structure, *values: FloatArray | float | None) -> None:
    """Raise InputError where one of the potential's numbers for a structure is NaN or infinite."""
    if not all(np.isfinite(value).all() for value in values if value is not None):
        raise InputError(_no_numbers(structure))


def _no_numbers(structure: Structure) -> str:
    """Why a potential may have none, in words."""
    words = "the potential gives no finite energy and forces for this structure"
    i, j, _, d = pairs_within(structure, NEAR)
    if len(d) == 0:
        return f"{words}: its coefficients are too large; train it again"
    closest = int(np.argmin(d))
    return (
        f"{words}: atoms {i[closest]} and {j[closest]} are {d[closest]:.2g} Å apart; move them apart, or use a "
        "structure from before they met"
    )

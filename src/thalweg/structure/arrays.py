"""Types of arrays, and arrays that nobody can change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def frozen(values: Any, dtype: type, shape: tuple[int, ...], name: str) -> Any:
    """A read-only copy; InputError where it has another shape or is not of numbers."""
    try:
        array: NDArray[Any] = np.array(values, dtype=dtype, order="C")
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"structure: {name} must be numbers of shape {shape} ({error})") from None
    if array.shape != shape:
        raise InputError(f"structure: {name} must have shape {shape}, got {array.shape}")
    array.flags.writeable = False
    return array

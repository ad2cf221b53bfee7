"""How the tests of the features compare arrays."""

from __future__ import annotations

import numpy as np


def close(a: np.ndarray, b: np.ndarray, relative: float = 1e-11) -> bool:
    """Equal to within `relative` of the largest magnitude; both must be more than rounding."""
    size = float(np.abs(b).max())
    return size > 1e-3 and float(np.abs(a - b).max()) <= relative * size

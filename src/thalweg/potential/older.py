"""What earlier versions called the deviation of a committee, in terms of today's."""

from __future__ import annotations

import numpy as np
from scipy import stats


def largest_over_rms(n_members: int) -> float:
    """Largest force deviation of `n_members` over their root mean square, for draws of a normal law, on average.

    Until format 3 of a potential the largest was an atom's deviation. Lengths of normal vectors in three dimensions
    have the law F = chi(3); the largest of M is on average the integral of 1 - F^M.
    """
    step = 1e-3
    lengths = np.arange(0.5 * step, 12.0, step)
    return float(step * np.sum(1.0 - stats.chi(3).cdf(lengths) ** n_members) / np.sqrt(3.0))

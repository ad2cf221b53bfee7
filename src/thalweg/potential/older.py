"""What earlier versions called the deviation of a committee, in terms of today's."""

from __future__ import annotations

import numpy as np
from scipy.special import erf


def largest_over_rms(n_members: int) -> float:
    """Largest force deviation of `n_members` over their root mean square, for draws of a normal law, on average.

    Until format 3 of a potential the largest was an atom's deviation. The law of the length r of a normal vector in
    three dimensions is F = erf(r/√2) - √(2/π) r exp(-r²/2); the largest of M is on average the integral of 1 - F^M.
    """
    step = 1e-3
    r = np.arange(0.5 * step, 12.0, step)
    law = erf(r / np.sqrt(2.0)) - np.sqrt(2.0 / np.pi) * r * np.exp(-0.5 * r**2)
    return float(step * np.sum(1.0 - law**n_members) / np.sqrt(3.0))

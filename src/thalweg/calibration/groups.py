"""Answers that are no fair sample, and walkers of different temperatures.

Notation
    e, d     error and deviation of the atoms of an answer, eV/Å
    y        log of rms e over rms d, one number for each answer
    y = a + u_T + q [query] + noise,    q ~ N(0, Q²), u_T ~ N(0, U²), noise ~ N(0, NOISE²)

Selection. A query was chosen for a large deviation, which is large in part by chance: its error is smaller, over its
deviation, than that of a fair sample. exp(q), at most 1, is by how much; queries' errors are divided by it before they
count as evidence of what bounds must hold.

Temperatures. One map for all walkers holds for atoms on average, and may fall short at the hottest. Each temperature
therefore scales it by g_T = r_T^(W_T / (W_T + K)): r_T is the quantile of error over bound among its answers, at its
own working level, and W_T their weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.calibration.conformal import weighted_quantile
from thalweg.calibration.records import SMALLEST, Compared, Stream
from thalweg.structure import FloatArray

Q, U, NOISE = 0.4, 0.3, 0.4
LEAST_ANSWERS = 12
"""Below so many nothing is said of queries."""
HALF_LIFE = 80.0
"""In answers: of the evidence on queries."""
K = 4.0
"""In answers: of scales of temperatures, towards 1."""


def query_share(window: Sequence[Compared]) -> float:
    """exp(q): errors of queries over those of a fair sample with the same deviations, at most 1."""
    if len(window) < LEAST_ANSWERS:
        return 1.0
    y = np.array([a.log_ratio for a in window])
    temperatures = sorted({a.temperature for a in window if a.temperature is not None})
    columns = [[1.0] * len(window), [float(a.stream is Stream.QUERY) for a in window]]
    columns += [[float(a.temperature == t) for a in window] for t in temperatures]
    X = np.array(columns).T
    weight = 0.5 ** (np.arange(len(window))[::-1] / HALF_LIFE) / NOISE**2
    # the first column is free: a prior of almost no weight only keeps the matrix regular
    prior = np.array([1e-6, Q**-2, *[U**-2] * len(temperatures)])
    XtW = X.T * weight
    solution = np.linalg.solve(XtW @ X + np.diag(prior), XtW @ y)
    return min(1.0, float(np.exp(solution[1])))


def temperature_scales(
    temperatures: Sequence[float | None], ratio: FloatArray, weight: FloatArray, levels: dict[float, float]
) -> tuple[tuple[float, float], ...]:
    """(T, g_T) for each temperature among the answers.

    Parameters
    ----------
    temperatures : of each atom's walker, K; None where no walker met it
    ratio, weight : error over the common bound, and weight in answers, of each atom
    levels : working level of each temperature
    """
    place = {t: k for k, t in enumerate(sorted({t for t in temperatures if t is not None}))}
    group = np.array([-1 if t is None else place[t] for t in temperatures])
    return tuple((t, _scale(ratio[group == k], weight[group == k], levels[t])) for t, k in place.items())


def _scale(ratio: FloatArray, weight: FloatArray, level: float) -> float:
    W = float(weight.sum())
    needed = max(weighted_quantile(ratio, weight, level), SMALLEST)
    return float(needed ** (W / (W + K)))

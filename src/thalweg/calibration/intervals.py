"""Confidence intervals of a fraction, also where the trials come in correlated groups.

Notation
    k, n      successes and trials
    K, N      structures and atoms; s_k of the n_k atoms of structure k are successes
    p         s / N, the pooled fraction
    deff      design effect: variance of p over that of N independent trials
    icc       intra-class correlation: deff = 1 + (m - 1) icc for groups of m

References
    Wilson, J. Am. Stat. Assoc. 22, 209 (1927); Clopper & Pearson, Biometrika 26, 404 (1934);
    Korn & Graubard, Survey Methodology 24, 193 (1998): Clopper-Pearson with an effective number of trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg import quantiles
from thalweg.errors import check

PRIOR_ICC = 0.25
"""Assumed correlation of success between atoms of one structure until the data can speak of it."""

FEW_STRUCTURES, FEW_FAILING = 30, 5
"""Below so many structures, or structures that hold a failure, the assumed design effect is the least."""


def wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Two-sided Wilson interval of a fraction; (0, 1) without trials. `k` and `n` need not be integers."""
    check(
        0 <= k <= n and 0 < level < 1,
        f"Wilson interval: need 0 <= k <= n and 0 < level < 1, got {k}, {n}, {level}",
    )
    if n == 0:
        return 0.0, 1.0
    z = quantiles.normal(0.5 + level / 2)
    p, z2 = k / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return low, high


def clopper_pearson_lower(k: float, n: float, level: float) -> float:
    """One-sided lower bound of a fraction (a beta quantile), exact for integers. 0 without successes."""
    check(
        0 <= k <= n and 0 < level < 1,
        f"lower bound: need 0 <= k <= n and 0 < level < 1, got {k}, {n}, {level}",
    )
    return 0.0 if k == 0 else quantiles.beta(1 - level, k, n - k + 1)


def design_effect(successes: Sequence[int], sizes: Sequence[int]) -> float:
    """Variance inflation by the correlation of atoms within structures, never below 1.

    The ratio estimator's between-structure variance over the binomial one. With few structures, or few that
    hold a failure, that ratio is little more than noise (undefined without any failure, and low in most
    samples of a skewed distribution), so that 1 + (m - 1) PRIOR_ICC is then its lower limit, m = Σ n_k² / N.
    """
    s, n = np.asarray(successes, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    N, K = float(n.sum()), len(n)
    p = float(s.sum()) / N
    assumed = 1 + (float((n * n).sum()) / N - 1) * PRIOR_ICC
    estimate = 1.0
    if K > 1 and 0 < p < 1:
        between = K / (K - 1) * float(((s - p * n) ** 2).sum()) / N**2
        estimate = max(1.0, between / (p * (1 - p) / N))
    few = K < FEW_STRUCTURES or int((s < n).sum()) < FEW_FAILING
    return max(assumed, estimate) if few else estimate


def effective_trials(successes: Sequence[int], sizes: Sequence[int], level: float) -> float:
    """Trials that count: N / deff, less the price of estimating deff (Korn & Graubard's t quantiles)."""
    N, K = int(sum(sizes)), len(sizes)
    if K < 2 or N < 2:
        return 0.0
    ratio = quantiles.student(level, N - 1) / quantiles.student(level, K - 1)
    return N / design_effect(successes, sizes) * min(1.0, ratio) ** 2


def clustered_lower_bound(successes: Sequence[int], sizes: Sequence[int], level: float) -> float:
    """One-sided lower confidence bound of the fraction of atoms that succeed.

    Parameters
    ----------
    successes, sizes : per structure, the atoms that succeed and all its atoms
    level : confidence, 0.5 < level < 1

    Returns
    -------
    float
        0 with fewer than two structures, of which nothing can be said.
    """
    check(len(successes) == len(sizes), f"{len(successes)} counts of successes, but {len(sizes)} structures")
    check(
        all(0 <= s <= n and n > 0 for s, n in zip(successes, sizes, strict=True)),
        "successes must lie in 0..size",
    )
    check(0.5 < level < 1, f"level must lie between 0.5 and 1, got {level}")
    n_star = effective_trials(successes, sizes, level)
    if n_star == 0.0:
        return 0.0
    p = sum(successes) / sum(sizes)
    return clopper_pearson_lower(min(p * n_star, n_star), n_star, level)

import math

import numpy as np
import pytest

from thalweg.calibration.conformal import adapt_alpha, pinball_loss, weighted_quantile


@pytest.mark.parametrize("n", [19, 20, 39, 100])
def test_equal_weights_give_the_split_conformal_rank(n: int) -> None:
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    rank = math.ceil(0.95 * (n + 1))
    assert weighted_quantile(scores, np.ones(n), 0.95, w_new=1.0) == rank


def test_too_few_scores_give_no_finite_quantile() -> None:
    assert weighted_quantile(np.arange(18.0), np.ones(18), 0.95, w_new=1.0) == math.inf
    assert weighted_quantile(np.arange(18.0), np.ones(18), 0.95) == 17.0


def test_weights_move_the_quantile() -> None:
    scores = np.array([1.0, 10.0])
    assert weighted_quantile(scores, np.array([9.0, 1.0]), 0.5) == 1.0
    assert weighted_quantile(scores, np.array([1.0, 9.0]), 0.5) == 10.0


def test_misses_lower_alpha_and_cover_raises_it_within_limits() -> None:
    assert adapt_alpha(0.05, 0.05, 1.0, 0.02) == pytest.approx(0.05 - 0.019)
    assert adapt_alpha(0.05, 0.05, 0.0, 0.02) == pytest.approx(0.051)
    low = high = 0.05
    for _ in range(1000):
        low, high = adapt_alpha(low, 0.05, 1.0, 0.02), adapt_alpha(high, 0.05, 0.0, 0.02)
    assert (low, high) == (0.005, 0.1)


def test_adaptation_reaches_the_asked_for_rate_when_scores_drift() -> None:
    rng = np.random.default_rng(0)
    past = np.abs(rng.normal(size=500))
    fixed, adapted, alpha = [], [], 0.05
    for _ in range(4000):
        score = 1.2 * abs(rng.normal())  # now a fifth larger than in the past
        fixed.append(score > np.quantile(past, 0.95))
        adapted.append(score > np.quantile(past, 1 - alpha))
        alpha = adapt_alpha(alpha, 0.05, float(adapted[-1]), 0.004)
    assert np.mean(adapted[1000:]) == pytest.approx(0.05, abs=0.01)
    assert np.mean(fixed[1000:]) > 0.08


def test_pinball_loss_is_least_at_the_quantile() -> None:
    error = np.random.default_rng(0).exponential(size=4000)
    bounds = np.linspace(0.5, 6, 56)
    loss = [pinball_loss(np.full(4000, b), error, np.ones(4000), 0.95) for b in bounds]
    assert bounds[int(np.argmin(loss))] == pytest.approx(np.quantile(error, 0.95), abs=0.11)

import numpy as np
import pytest
from scipy import stats

from thalweg.calibration.intervals import (
    PRIOR_ICC,
    clopper_pearson_lower,
    clustered_lower_bound,
    design_effect,
    effective_trials,
    wilson_interval,
)
from thalweg.errors import InputError


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (97, 100), (10, 10)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    reference = stats.binomtest(k, n).proportion_ci(0.9, method="wilson")
    assert wilson_interval(k, n, 0.9) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_without_trials_knows_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n"), [(1, 10), (57, 60), (60, 60)])
def test_clopper_pearson_agrees_with_scipy(k: int, n: int) -> None:
    reference = stats.binomtest(k, n, alternative="greater").proportion_ci(0.9, method="exact").low
    assert clopper_pearson_lower(k, n, 0.9) == pytest.approx(reference, rel=1e-10)


def test_all_successes_give_the_rule_of_three() -> None:
    assert clopper_pearson_lower(60, 60, 0.95) == pytest.approx(0.05 ** (1 / 60))


def test_few_failures_take_the_assumed_correlation() -> None:
    assert design_effect([9] * 50, [9] * 50) == pytest.approx(1 + 8 * PRIOR_ICC)


def test_single_atoms_are_independent() -> None:
    assert design_effect([1] * 40, [1] * 40) == 1.0


def test_whole_structures_that_fail_together_count_as_one_trial_each() -> None:
    within = [9] * 90 + [0] * 10
    assert design_effect(within, [9] * 100) == pytest.approx(9 * 100 / 99)
    spread = [9] * 10 + [8] * 90
    assert design_effect(spread, [9] * 100) == 1.0
    assert effective_trials(within, [9] * 100, 0.9) < 101


def test_bound_is_conservative_for_correlated_atoms() -> None:
    rng = np.random.default_rng(5)
    p, icc = 0.95, 0.2
    a, b = p * (1 / icc - 1), (1 - p) * (1 / icc - 1)
    too_high = naive_too_high = 0
    for _ in range(400):
        within = rng.binomial(9, rng.beta(a, b, size=40))
        too_high += clustered_lower_bound(within.tolist(), [9] * 40, 0.9) > p
        naive_too_high += clopper_pearson_lower(int(within.sum()), 360, 0.9) > p
    assert too_high <= 0.13 * 400
    assert naive_too_high > 0.15 * 400  # the control: atoms taken as independent claim too much


def test_one_structure_says_nothing() -> None:
    assert clustered_lower_bound([9], [9], 0.9) == 0.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(InputError, match=r"0\.\.size"):
        clustered_lower_bound([10, 9], [9, 9], 0.9)
    with pytest.raises(InputError, match="0 <= k <= n"):
        wilson_interval(3, 2)

import numpy as np
import pytest
from scipy import stats

from thalweg.calibration import coverage, ence, rank_correlation, reliability_curve


@pytest.fixture
def sigma() -> np.ndarray:
    return np.random.default_rng(0).gamma(3, 0.1, 20000)


def test_true_deviations_are_calibrated_and_doubled_ones_are_not(sigma: np.ndarray) -> None:
    error = np.abs(np.random.default_rng(1).normal(scale=sigma))
    assert ence(sigma, error) < 0.05
    assert ence(2 * sigma, error) == pytest.approx(0.5, abs=0.03)


def test_reliability_curve_of_a_true_bound_lies_on_the_diagonal(sigma: np.ndarray) -> None:
    bound = 1.959964 * sigma
    error = np.abs(np.random.default_rng(1).normal(scale=sigma))
    curve = reliability_curve(bound, error, n_bins=5)
    assert curve.coverage == pytest.approx(0.95, abs=0.015)
    assert curve.quantile[1:-1] == pytest.approx(curve.predicted[1:-1], rel=0.1)
    assert curve.count.sum() == len(error)
    assert coverage(bound, error) == pytest.approx(0.95, abs=0.01)


def test_rank_correlation_agrees_with_scipy(sigma: np.ndarray) -> None:
    error = np.round(np.abs(np.random.default_rng(1).normal(scale=sigma)), 1)  # with ties
    assert rank_correlation(sigma, error) == pytest.approx(stats.spearmanr(sigma, error).statistic)
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))


def test_fewer_atoms_than_bins() -> None:
    assert len(reliability_curve(np.array([1.0, 2.0]), np.array([0.5, 3.0])).coverage) == 2

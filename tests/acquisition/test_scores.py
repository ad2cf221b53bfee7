"""Against the explicit posterior over weights, precision P = 1 + Σ B^T B / noise² in whitened coordinates."""

import numpy as np
import pytest

from thalweg.acquisition import condition, force_covariance, information_gain, log_det_gain, worst_deviation
from thalweg.errors import InputError

NOISE = 0.3


@pytest.fixture
def rows() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(m, 10)) for m in (6, 3, 6, 9)]


def posterior(learned: list[np.ndarray]) -> np.ndarray:
    precision = np.eye(10)
    for B in learned:
        precision += B.T @ B / NOISE**2
    return np.linalg.inv(precision)


@pytest.mark.parametrize("with_reference", [False, True])
@pytest.mark.parametrize("n_pending", [0, 2])
def test_information_gain_is_the_fall_of_the_explicit_posterior_variance(
    rows: list[np.ndarray], with_reference: bool, n_pending: int
) -> None:
    rng = np.random.default_rng(1)
    pending = [rng.normal(size=(3, 10)) for _ in range(n_pending)]
    reference = [rng.normal(size=(6, 10))] if with_reference else None
    covariance = force_covariance(rows, noise=NOISE, reference=reference, pending=pending)
    X = np.concatenate(reference or rows)

    def total(learned: list[np.ndarray]) -> float:
        return float(np.trace(X @ posterior(learned) @ X.T))

    for c in range(4):
        assert information_gain(covariance, c) == pytest.approx(
            total(pending) - total([*pending, rows[c]]), rel=1e-9
        )
    covariance = condition(covariance, 2)
    learned = [*pending, rows[2]]
    assert information_gain(covariance, 0) == pytest.approx(
        total(learned) - total([*learned, rows[0]]), rel=1e-8
    )


def test_log_det_gain_and_worst_deviation(rows: list[np.ndarray]) -> None:
    covariance = condition(force_covariance(rows, noise=NOISE), 1)
    before, after = posterior([rows[1]]), posterior([rows[1], rows[3]])
    expected = 0.5 * (np.linalg.slogdet(before)[1] - np.linalg.slogdet(after)[1])
    assert log_det_gain(covariance, 3) == pytest.approx(expected, rel=1e-9)
    per_atom = np.diag(rows[3] @ before @ rows[3].T).reshape(-1, 3).sum(axis=1)
    assert worst_deviation(covariance, 3) == pytest.approx(np.sqrt(per_atom.max()), rel=1e-9)


def test_noise_must_be_positive(rows: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="above 0"):
        force_covariance(rows, noise=0.0)

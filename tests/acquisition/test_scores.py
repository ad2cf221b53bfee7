"""Against the explicit posterior over weights, precision P = 1 + Σ B^T B / noise² in whitened coordinates."""

import tracemalloc

import numpy as np
import pytest

from thalweg.acquisition import (
    Candidate,
    Context,
    condition,
    force_covariance,
    information_gain,
    log_det_gain,
    select_batch,
    worst_deviation,
)
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


@pytest.mark.parametrize("n_candidates", [2, 4], ids=["fewer rows than columns", "more"])
@pytest.mark.parametrize("n_pending", [0, 2])
def test_information_gain_is_the_fall_of_the_explicit_posterior_variance(
    rows: list[np.ndarray], n_candidates: int, n_pending: int
) -> None:
    rng = np.random.default_rng(1)
    rows = rows[-n_candidates:] if n_candidates == 4 else rows[:n_candidates]
    pending = [rng.normal(size=(3, 10)) for _ in range(n_pending)]
    covariance = force_covariance(rows, noise=NOISE, pending=pending)
    X = np.concatenate(rows)

    def total(learned: list[np.ndarray]) -> float:
        return float(np.trace(X @ posterior(learned) @ X.T))

    for c in range(n_candidates):
        assert information_gain(covariance, c) == pytest.approx(
            total(pending) - total([*pending, rows[c]]), rel=1e-9
        )
    covariance = condition(covariance, 1)
    learned = [*pending, rows[1]]
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


def dense(rows: list[np.ndarray], pending: list[np.ndarray], strategy: str, bounds: list[float]) -> list[int]:
    """Greedy choices by the whole covariance of all force components: simple, and quadratic in the candidates."""
    B = np.concatenate([*rows, *pending])
    ends = np.cumsum([len(b) for b in [*rows, *pending]])
    parts = [np.arange(end - len(b), end) for b, end in zip([*rows, *pending], ends, strict=True)]
    own = np.arange(ends[len(rows) - 1])
    K = B @ B.T

    def learn(K: np.ndarray, c: int) -> np.ndarray:
        S = K[np.ix_(parts[c], parts[c])] + NOISE**2 * np.eye(len(parts[c]))
        return K - K[:, parts[c]] @ np.linalg.solve(S, K[parts[c]])

    def worst(K: np.ndarray, c: int) -> float:
        return float(np.sqrt(np.diag(K)[parts[c]].reshape(-1, 3).sum(axis=1).max()))

    before = [worst(K, c) for c in range(len(rows))]
    for c in range(len(rows), len(parts)):
        K = learn(K, c)
    chosen: list[int] = []
    for _ in rows:
        scores = {}
        for c in set(range(len(rows))) - set(chosen):
            S = K[np.ix_(parts[c], parts[c])] + NOISE**2 * np.eye(len(parts[c]))
            bound = bounds[c] * min(1.0, worst(K, c) / before[c])
            across = K[np.ix_(parts[c], own)]
            scores[c] = {
                "information": bound * np.trace(across.T @ np.linalg.solve(S, across)),
                "uncertainty": bound,
                "d-optimal": np.linalg.slogdet(S / NOISE**2)[1],
            }[strategy]
        chosen.append(max(sorted(scores), key=lambda c: scores[c]))
        K = learn(K, chosen[-1])
    return chosen


@pytest.mark.parametrize("strategy", ["information", "uncertainty", "d-optimal"])
@pytest.mark.parametrize("n_columns", [12, 300], ids=["more rows than columns", "fewer"])
@pytest.mark.parametrize("n_pending", [0, 3])
def test_choices_are_those_of_the_whole_covariance(strategy: str, n_columns: int, n_pending: int) -> None:
    rng = np.random.default_rng(7)
    rows = [rng.normal(size=(3 * int(rng.integers(1, 5)), n_columns)) for _ in range(12)]
    pending = [rows[k] + 0.1 * rng.normal(size=rows[k].shape) for k in range(n_pending)]
    bounds = rng.uniform(0.2, 1.0, size=12).tolist()
    picks = select_batch(
        [Candidate(bound, rows=b) for bound, b in zip(bounds, rows, strict=True)],
        12,
        strategy=strategy,
        context=Context(pending=tuple(Candidate(0.0, rows=b) for b in pending), noise=NOISE),
    )
    assert [pick.index for pick in picks] == dense(rows, pending, strategy, bounds)


def test_memory_grows_as_the_rows_of_the_candidates() -> None:
    """Bytes that a choice takes beyond the candidates' own rows; by the whole covariance they grow fourfold."""

    def peak(n: int) -> int:
        rng = np.random.default_rng(0)
        pool = [Candidate(1.0, rows=rng.normal(size=(30, 40))) for _ in range(n)]
        context = Context(pending=(Candidate(0.0, rows=rng.normal(size=(30, 40))),))
        tracemalloc.start()
        select_batch(pool, 3, context=context)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)  # what is loaded once
    few, many = peak(40), peak(160)
    assert 2.0 < many / few < 5.0
    assert many < 4 * 160 * 30 * 40 * 8
    assert 20 * many < 160 * 30 * 160 * 30 * 8  # what the whole covariance alone would take

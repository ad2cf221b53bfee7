"""Figures of merit of `benchmarks/uncertainty.py`: pure functions, held against cases that can be counted by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from uncertainty_answers import SetAnswers
from uncertainty_gate import OLD_LIMIT, asked, quantile_limit
from uncertainty_scores import (
    Calibrated,
    auroc,
    coverage,
    largest_each,
    pinball_ratio,
    rank_correlation,
    recall,
    silent_share,
)
from uncertainty_tables import calibrated_row, force_row, pooled_calibrated, pooled_forces, pooled_gate

RNG = np.random.default_rng(0)


def test_the_best_constant_bound_has_a_pinball_ratio_of_one_and_truth_less():
    error = RNG.gamma(2.0, size=4000)
    constant = np.full_like(error, np.quantile(error, 0.95))
    assert pinball_ratio(constant, error) == pytest.approx(1.0)
    assert pinball_ratio(1.05 * error, error) < 0.1
    assert pinball_ratio(RNG.permutation(1.05 * error), error) > 1.5
    assert pinball_ratio(0.0 * error, error) > 1.5


def test_coverage_counts_atoms_within_their_bound():
    assert coverage(np.array([1.0, 1.0, 1.0, 1.0]), np.array([0.5, 1.0, 1.5, 2.0])) == 0.5


@pytest.mark.parametrize(
    ("signal", "expected"),
    [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([1, 1, 1, 1], 0.5), ([1, 3, 2, 4], 0.75)],
)
def test_auroc_is_the_chance_that_a_bad_one_ranks_higher(signal, expected):
    bad = np.array([False, False, True, True])
    assert auroc(np.array(signal, dtype=float), bad) == pytest.approx(expected)


def test_what_cannot_be_said_is_none():
    assert auroc(np.arange(3.0), np.ones(3, dtype=bool)) is None
    assert rank_correlation(np.ones(3), np.arange(3.0)) is None
    assert silent_share(np.ones(3), np.ones(3), target=1.0) is None
    assert recall(np.ones(2, dtype=bool), np.zeros(2, dtype=bool)) is None
    assert Calibrated.of(np.zeros(0), np.zeros(0)) is None


def test_rank_correlation_does_not_mind_the_scale():
    error = RNG.gamma(2.0, size=50)
    assert rank_correlation(np.exp(error), error) == pytest.approx(1.0)


def test_a_failure_is_silent_where_the_bound_hides_it():
    error = np.array([0.5, 3.0, 3.0, 3.0])
    assert silent_share(np.array([0.1, 1.9, 2.0, 2.5]), error, target=1.0) == pytest.approx(2 / 3)


def test_recall_counts_those_wanted_only():
    alarm = np.array([True, True, False, False])
    assert recall(alarm, np.array([True, False, True, False])) == 0.5


def test_each_structure_has_its_largest_value():
    largest = largest_each(np.array([1.0, 5.0, 2.0]), np.array([0, 0, 2]), 3)
    assert largest.tolist() == [5.0, -np.inf, 2.0]


def test_calibrated_says_ratio_and_share_within_two():
    found = Calibrated.of(np.array([1.0, -3.0]), np.array([1.0, 1.0]))
    assert found is not None
    assert (found.n, found.within) == (2, 0.5)
    assert found.ratio == pytest.approx(np.sqrt(5.0))


def answers(error, deviation, novelty) -> SetAnswers:
    """Structures of two atoms, the first of which has these values."""
    pair = np.repeat(np.arange(len(error)), 2)
    first, second = (
        [np.array([values, values]) for values in (error, deviation)],
        np.array([novelty, novelty]),
    )
    parts = [array.T.ravel() for array in (*first, second)]
    return SetAnswers(pair, np.full(len(pair), 14), parts[0], parts[1], 2.0 * parts[1], parts[2])


@pytest.fixture
def same() -> SetAnswers:
    size = RNG.uniform(0.5, 1.5, size=200)
    return answers(size, size, RNG.uniform(0.0, 1.0, size=200))


def test_the_gate_asks_about_what_the_deviation_shows(same):
    other = answers(np.full(30, 9.0), np.full(30, 9.0), np.zeros(30))
    found = asked(same, {"other": other}, target=1.4, limit=None)
    assert (found["other"].n, found["other"].wrong, found["other"].missed) == (30, 30, 0)
    assert found["same"].n == 100
    assert found["same"].wrong == 0
    assert 0.01 < found["same"].asked / found["same"].n < 0.12


def test_the_gate_needs_novelty_where_the_deviation_is_small(same):
    silent = answers(np.full(30, 9.0), np.full(30, 0.1), np.linspace(1.1, 4.0, 30))
    by = {
        limit: asked(same, {"other": silent}, target=1.4, limit=limit)["other"].missed
        for limit in (None, lambda *_: OLD_LIMIT, quantile_limit)
    }
    missed = list(by.values())
    assert missed[0] == 30
    assert 15 < missed[1] < 25
    assert missed[2] == 0


def test_pooled_rows_weigh_sets_alike(same):
    other = answers(np.full(30, 9.0), np.full(30, 0.1), np.zeros(30))
    rows = [force_row("si", "same", False, same, 1.4), force_row("si", "other", True, other, 1.4)]
    pooled = pooled_forces("deviation", rows)
    assert pooled["ID coverage"] == 1.0
    assert pooled["OOD coverage"] == 0.0
    assert pooled["worst OOD"] == "si other 0.00"
    assert pooled["silent"] == 1.0
    gate = pooled_gate("deviation", {"si": asked(same, {"other": other}, target=1.4, limit=None)})
    assert (gate["not asked"], gate["worst pair"]) == (1.0, "si 1.00")


def test_energies_are_pooled_by_kind_and_part():
    rows = [
        calibrated_row("si", "same", False, "energy", Calibrated(10, ratio, within))
        for ratio, within in ((1.0, 0.9), (3.0, 0.5), (2.0, 0.7))
    ]
    assert calibrated_row("si", "same", False, "energy", Calibrated(1, float("inf"), 0.0)) is None
    (only,) = pooled_calibrated([row for row in rows if row is not None])
    assert only["median rms error/stated"] == 2.0
    assert only["worst"] == "si same 3"
    assert only["within 2 sd"] == pytest.approx(0.7)

from __future__ import annotations

import numpy as np
import pytest

from thalweg.report.data import AUDIT, AskedQuestion, reliability, running_median
from thalweg.report.plot import BOTTOM, LEFT, RIGHT, TOP, Axis, Chart, log_ends
from thalweg.report.series import audit_series, cost_series, walker_series
from thalweg.store import MetricsRecord


def test_error_rms_is_over_components() -> None:
    q = AskedQuestion(call=1, kind=AUDIT, errors=np.array([3.0, 0.0]))
    assert q.error_max == 3.0
    assert q.error_rms == pytest.approx(np.sqrt(9.0 / 6.0))
    assert q.fraction_within(1.0) == 0.5


def test_reliability_of_gaussian_errors_is_the_diagonal() -> None:
    from scipy.stats import chi

    rng = np.random.default_rng(1)
    errors = np.linalg.norm(rng.normal(size=(40_000, 3)), axis=1)
    levels = np.array([0.2, 0.5, 0.8, 0.95])
    honest = np.full(len(errors), chi.ppf(0.95, 3))
    np.testing.assert_allclose(reliability(honest, errors, 0.95, levels), levels, atol=0.01)
    assert (reliability(0.5 * honest, errors, 0.95, levels) < levels - 0.1).all()


def test_running_median_looks_back_only() -> None:
    np.testing.assert_array_equal(running_median(np.array([4.0, 2.0, 9.0, 1.0]), 3), [4.0, 3.0, 4.0, 2.0])


def test_places_on_linear_and_log_axes() -> None:
    np.testing.assert_allclose(Axis("", 0.0, 10.0).position([0, 5, 10, 20]), [0, 0.5, 1, 1])
    np.testing.assert_allclose(Axis("", 0.01, 1.0, log=True).position([0.01, 0.1, 1, 0.001]), [0, 0.5, 1, 0])


def test_ticks_are_round_and_within() -> None:
    assert [t for _, t in Axis("", 0.0, 133.1).ticks()] == ["0", "25", "50", "75", "100", "125"]
    assert [t for _, t in Axis("", 0.9, 1.0, percent=True).ticks()][-1] == "100 %"
    assert [v for v, _ in Axis("", -0.6, 1.6, whole=True).ticks()] == [0, 1]
    assert [v for v, _ in Axis("", 0, 25, whole=True).ticks(10)] == [0, 5, 10, 15, 20, 25]
    assert [t for _, t in Axis("", 0.04, 0.6, log=True).ticks()] == ["0.05", "0.1", "0.2", "0.5"]


def test_log_ends_hold_the_values_and_ignore_what_has_no_logarithm() -> None:
    low, high = log_ends([0.1, 0.0, np.nan, 2.0], 5.0)
    assert low < 0.1
    assert high > 5.0
    assert log_ends([]) == (0.01, 1.0)


def test_dots_stand_where_the_axes_say() -> None:
    chart = Chart(Axis("x", 0, 10), Axis("y", 0, 1), "test", (400, 300)).dots(
        [0, 10], [0, 1], "d", ["a<b", "c"]
    )
    svg = chart.svg()
    assert f'<circle cx="{LEFT}" cy="{300 - BOTTOM}" data-t="a&lt;b"/>' in svg
    assert f'<circle cx="{400 - RIGHT}" cy="{TOP}" data-t="c"/>' in svg


def test_a_line_breaks_at_a_gap() -> None:
    chart = Chart(Axis("x", 0, 3), Axis("y", 0, 1), "test").line([0, 1, 2, 3], [0, np.nan, 1, 1], "l")
    assert chart.svg().split('class="l" d="')[1].split('"')[0].count("M") == 2


def audit(call: int, within: int) -> AskedQuestion:
    errors = np.array([0.05] * within + [0.5] * (9 - within))
    return AskedQuestion(call=call, kind=AUDIT, errors=errors, bounds=np.full(9, 0.2))


def test_audit_series_counts_atoms_within_the_target() -> None:
    series = audit_series([audit(3, 9), audit(5, 6), audit(8, 9)], 0.15, 0.95)
    assert series is not None
    np.testing.assert_array_equal(series.calls, [5, 8])
    np.testing.assert_allclose(series.fraction, [15 / 18, 24 / 27])
    assert (series.low < series.fraction).all()
    assert (series.fraction < series.high).all()
    assert audit_series([audit(3, 9)], 0.15, 0.95) is None


def test_cost_and_walkers_from_metrics() -> None:
    rows = [
        MetricsRecord(
            k,
            {
                "oracle_calls": 10 * k,
                "timing": {"oracle": 1.0 * k, "explore": 2.0 * k, "fit": 0.5 * k, "other": 0.1 * k},
                "walkers": [{"index": 0, "temperature": 300.0, "time": 0.5 * k, "bound": 0.1 * k}],
            },
            0.0,
        )
        for k in (1, 2)
    ]
    cost, (walker,) = cost_series(rows), walker_series(rows)
    assert cost is not None
    np.testing.assert_array_equal(cost.calls, [0, 10, 20])
    np.testing.assert_array_equal(cost.parts["explore"], [0, 2, 4])
    np.testing.assert_array_equal(walker.time, [0.5, 1.0])
    np.testing.assert_allclose(walker.bound, [0.1, 0.2])
    assert np.isnan(walker.kinetic).all()


def test_long_walks_keep_their_largest_bounds() -> None:
    rows = [
        MetricsRecord(
            k, {"walkers": [{"index": 0, "time": float(k), "bound": 9.0 if k == 1234 else 0.1}]}, 0.0
        )
        for k in range(5000)
    ]
    (walker,) = walker_series(rows)
    assert len(walker.time) <= 800
    assert walker.bound.max() == 9.0

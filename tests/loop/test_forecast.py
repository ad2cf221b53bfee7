"""Forecasts from audits of a known learning curve."""

import dataclasses
import math

import numpy as np
import pytest

from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.loop.deciding.forecast import LEAST_AUDITS, Outlook, component_error, foresee


def audits(ns, truth, seed=0, scatter=0.3, temperatures=(300.0,)) -> list[AuditRecord]:
    """Audits after `ns` labels whose component error is truth(n), scattered from structure to structure."""
    rng = np.random.default_rng(seed)
    out = []
    for k, n in enumerate(ns):
        size = truth(n) * math.exp(scatter * rng.standard_normal() - scatter**2)
        errors = np.linalg.norm(size * rng.standard_normal((12, 3)), axis=1)
        out.append(AuditRecord(int(n), errors, [1.0] * 12, temperature=temperatures[k % len(temperatures)]))
    return out


def look(records, n, **changes) -> Outlook:
    found = foresee(records, n, **{"confidence": 0.95, "force_error": 0.01, **changes})
    assert found is not None
    return found


def power(b):
    return lambda n: 0.1 * (50 / n) ** b


def test_an_error_is_a_component():
    assert component_error(AuditRecord(9, [3.0, 3.0], [1.0, 1.0])) == pytest.approx(math.sqrt(3.0))


@pytest.mark.parametrize("b", [0.3, 0.6, 1.0])
def test_a_power_law_is_carried_on(b):
    ns = np.linspace(20, 150, 40)
    errors = [
        [one.error / power(b)(150 + one.calls) for one in look(audits(ns, power(b), seed), 150).ahead]
        for seed in range(5)
    ]
    assert np.abs(np.log(errors)).max() < math.log(1.5)


def test_intervals_hold_as_often_as_stated():
    inside = []
    for seed in range(60):
        ns = np.linspace(15, 90, 12)
        found = look(audits(ns, power(0.6), seed), 90)
        inside += [one.low <= power(0.6)(90 + one.calls) <= one.high for one in found.ahead]
    assert 0.7 < np.mean(inside) < 0.97


def test_what_labels_cannot_mend_is_not_forecast_away():
    flat = audits(np.linspace(20, 100, 12), lambda n: 0.03, scatter=0.05)
    mended, stuck = look(flat, 100), look(flat, 100, floor=0.03)
    assert stuck.ahead[-1].error > 0.93 * stuck.error
    assert mended.ahead[-1].error < 0.9 * mended.error, "the control: without residuals the prior speaks"
    assert stuck.calls_needed is None


def test_errors_never_fall_below_the_floor():
    found = look(audits(np.linspace(20, 100, 20), power(1.0)), 100, floor=0.04, ahead=(10, 100, 10_000))
    assert all(one.error >= found.floor for one in found.ahead)
    assert found.floor == pytest.approx(0.04, rel=0.3)


def test_temperatures_that_come_in_another_order_are_no_learning():
    """Cold audits first, hot ones last: the error grows, but not because labels do harm."""
    ns = np.linspace(20, 120, 24)

    def truth(n):
        return 0.02 if n < 70 else 0.06

    apart = [
        dataclasses.replace(a, temperature=300.0 if a.n_labels < 70 else 900.0) for a in audits(ns, truth)
    ]
    told = look(apart, 120)
    untold = look([dataclasses.replace(a, temperature=None) for a in apart], 120)
    assert told.exponent > untold.exponent + 0.1


def test_calls_that_fail_bring_no_labels():
    records = audits(np.linspace(20, 100, 12), power(0.6))
    whole, half = look(records, 100), look(records, 100, labels_per_call=0.5)
    assert half.ahead[1].error > whole.ahead[1].error
    assert look(records, 100, labels_per_call=0.5, ahead=(100,)).ahead[0].error == whole.ahead[1].error


def test_calls_needed_are_those_after_which_the_quantile_meets_the_target():
    records = audits(np.linspace(20, 100, 12), power(0.6))
    assert look(records, 100, force_error=1.0).calls_needed == 0
    needed = look(records, 100, force_error=0.14).calls_needed
    assert needed is not None
    assert needed > 0
    before, after = look(records, 100, ahead=(needed - 1, needed)).ahead
    assert before.quantile > 0.14 >= after.quantile
    assert look(records, 100, force_error=1e-5).calls_needed is None


def test_few_audits_say_nothing():
    assert (
        foresee(
            audits(np.linspace(20, 60, LEAST_AUDITS - 1), power(0.6)), 60, confidence=0.95, force_error=0.1
        )
        is None
    )
    assert foresee([], 60, confidence=0.95, force_error=0.1) is None
    assert foresee([AuditRecord(0, [0.1], [0.1])] * 9, 0, confidence=0.95, force_error=0.1) is None

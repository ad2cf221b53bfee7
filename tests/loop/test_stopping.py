import json
from dataclasses import replace

import numpy as np
import pytest

from thalweg.errors import InputError
from thalweg.loop.deciding.audit_record import AuditRecord, Target, summarise_audits
from thalweg.loop.deciding.certification import Certification, advance, audits_needed, look_level
from thalweg.loop.deciding.stopping import (
    Budget,
    LearningPoint,
    StopReason,
    Verdict,
    decide_stop,
    forecast_gain,
    learning_points,
)

TARGET = Target(force_error=0.15)


def audit(within: int, size: int = 9, n_labels: int = 50) -> AuditRecord:
    errors = [0.1] * within + [0.3] * (size - within)
    return AuditRecord(n_labels, errors, [0.2] * size, energy_error=0.001)


def random_audits(rng: np.random.Generator, p: float, icc: float, n: int) -> list[AuditRecord]:
    a, b = p * (1 / icc - 1), (1 - p) * (1 / icc - 1)
    return [audit(int(k)) for k in rng.binomial(9, rng.beta(a, b, size=n))]


def test_volumes_are_summed_up_where_they_vary():
    target = Target(0.1)
    fixed = [AuditRecord(9, (0.01,), (0.1,), volume=11.0) for _ in range(3)]
    assert summarise_audits(fixed, target).volume_mean is None
    varied = [*fixed, AuditRecord(9, (0.01,), (0.1,), volume=13.0), AuditRecord(9, (0.01,), (0.1,))]
    found = summarise_audits(varied, target)
    assert (found.volume_min, found.volume_mean, found.volume_max) == (11.0, 11.5, 13.0)


def test_summary_by_hand() -> None:
    summary = summarise_audits([audit(9), audit(8)], TARGET)
    assert summary is not None
    assert summary.fraction_within == summary.coverage == 17 / 18
    assert summary.force_rmse == pytest.approx(np.sqrt((17 * 0.01 + 0.09) / 18 / 3))
    assert summary.energy_rmse == pytest.approx(0.001)
    assert (summary.energy_within, summary.energy_ratio) == (None, None)
    assert summary.stress_rmse is None
    assert summary.interval[0] < summary.fraction_within < summary.interval[1]
    assert summarise_audits([], TARGET) is None


def test_energies_are_held_against_what_was_stated_of_them() -> None:
    stated = (0.002, 0.0006, 0.0004, 0.0)  # eV/atom; each is off by 0.001
    audits = [replace(audit(9), energy_uncertainty=one) for one in stated]
    summary = summarise_audits([*audits, audit(9)], TARGET)  # of the last one nothing was stated
    assert summary is not None
    assert summary.energy_within == 0.5
    assert summary.energy_ratio == pytest.approx(0.001 / np.sqrt(np.mean(np.square(stated))))


def test_flawless_audits_certify_as_soon_as_planned() -> None:
    needed = audits_needed(Certification(), [], TARGET, n_atoms=9)
    assert needed is not None
    assert 15 < needed < 35
    state = advance(Certification(), [audit(9)] * (needed - 1), TARGET)
    assert state.certificate is None
    assert audits_needed(state, [audit(9)] * (needed - 1), TARGET, n_atoms=9) == 1
    state = advance(state, [audit(9)] * needed, TARGET)
    assert state.certificate is not None
    assert state.certificate.lower_bound >= 0.95
    assert audits_needed(state, [audit(9)] * needed, TARGET, n_atoms=9) == 0


def test_outcome_does_not_depend_on_how_audits_are_batched() -> None:
    audits = random_audits(np.random.default_rng(0), 0.98, 0.1, 120)
    at_once, state = advance(Certification(), audits, TARGET), Certification()
    for n in range(1, 121):
        state = Certification.from_json(json.loads(json.dumps(advance(state, audits[:n], TARGET).to_json())))
    assert state == at_once
    assert at_once.looks >= 1


def test_a_model_that_just_misses_is_rarely_certified_however_often_one_looks() -> None:
    rng = np.random.default_rng(1)
    claims = sum(
        advance(Certification(), random_audits(rng, 0.95, 0.15, 100), TARGET).certificate is not None
        for _ in range(60)
    )
    assert claims <= 10  # at most one in ten is promised; 10 of 60 would be a 1-in-20 accident at that rate


def test_a_good_model_is_certified() -> None:
    rng = np.random.default_rng(2)
    claims = sum(
        advance(Certification(), random_audits(rng, 0.99, 0.1, 100), TARGET).certificate is not None
        for _ in range(20)
    )
    assert claims >= 17


def test_bad_early_audits_are_left_behind() -> None:
    early = [audit(5)] * 10
    needed = audits_needed(Certification(), [], TARGET, n_atoms=9) or 0
    state = advance(Certification(), early, TARGET)
    assert state.window_start > 0
    assert state.looks == 0
    state = advance(Certification(), early + [audit(9)] * (needed + 4), TARGET)
    assert state.certificate is not None


def test_hopeless_windows_have_no_forecast() -> None:
    audits = [audit(8)] * 3
    assert audits_needed(advance(Certification(), audits, TARGET), audits, TARGET, n_atoms=9) is None


def test_levels_of_all_looks_spend_no_more_than_alpha() -> None:
    spent = sum(1 - look_level(j, TARGET) for j in range(1, 200))
    assert 0.099 < spent <= 0.1 + 1e-12


@pytest.mark.parametrize(("exponent", "noise"), [(0.8, 0.0), (0.8, 0.1), (0.0, 0.1)])
def test_forecast_recovers_a_power_law(exponent: float, noise: float) -> None:
    rng = np.random.default_rng(0)
    points = [LearningPoint(n, 2 * n**-exponent * np.exp(noise * rng.normal())) for n in range(20, 120, 2)]
    forecast = forecast_gain(points, 120)
    assert forecast is not None
    assert forecast.gain == pytest.approx(1 - (170 / 120) ** -exponent, abs=0.05)
    assert forecast.hopeful_gain >= forecast.gain
    assert forecast.error_now == pytest.approx(2 * 120**-exponent, rel=0.1)


def test_forecast_needs_enough_to_go_on() -> None:
    assert forecast_gain([LearningPoint(n, 0.1) for n in range(1, 6)], 6) is None
    assert forecast_gain([LearningPoint(5, 0.1)] * 30, 6) is None


def test_verdict_target_names_what_is_certified() -> None:
    audits = [audit(9)] * 40
    state = advance(Certification(), audits, TARGET)
    verdict = decide_stop(state, audits, TARGET, Budget(300, 120))
    assert (verdict.stop, verdict.reason) == (True, StopReason.TARGET)
    assert "0.15 eV/Å" in verdict.message
    assert verdict.certified["lower_bound"] >= 0.95
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_verdict_budget_says_that_nothing_is_certified() -> None:
    verdict = decide_stop(Certification(), [audit(9)], TARGET, Budget(100, 100))
    assert (verdict.stop, verdict.reason, verdict.certified) == (True, StopReason.BUDGET, {})
    assert "not certified" in verdict.message
    assert not decide_stop(Certification(), [audit(9)], TARGET, Budget(100, 99)).stop


def test_verdict_diminishing_only_when_no_certificate_is_in_sight() -> None:
    rng = np.random.default_rng(0)
    flat = [
        AuditRecord(n, np.full(9, 0.2 * np.exp(0.05 * rng.normal())), np.full(9, 0.3))
        for n in range(20, 220, 4)
    ]
    forecast = forecast_gain(learning_points(flat), 220)
    state = advance(Certification(), flat, TARGET)
    verdict = decide_stop(state, flat, TARGET, Budget(500, 300), forecast)
    assert (verdict.stop, verdict.reason) == (True, StopReason.DIMINISHING)
    assert "50 more calls" in verdict.message
    good = [audit(9, n_labels=n) for n in range(20, 80, 6)]
    assert not decide_stop(
        advance(Certification(), good, TARGET), good, TARGET, Budget(500, 300), forecast
    ).stop
    assert decide_stop(advance(Certification(), good, TARGET), good, TARGET, Budget(302, 300), forecast).stop


def test_records_survive_json() -> None:
    record = AuditRecord(3, (0.1, 1 / 3), (0.2, 0.2), 0.01, None)
    assert AuditRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_senseless_input_is_refused() -> None:
    with pytest.raises(InputError, match="each atom needs both"):
        AuditRecord(1, (0.1,), (0.1, 0.2))
    with pytest.raises(InputError, match="force_error"):
        Target(force_error=0.0)


# ---- stress -------------------------------------------------------------------------------------------

STRESSED = Target(force_error=0.15, stress_error=0.003)


def with_stress(good: int, size: int = 9) -> AuditRecord:
    """All atoms within, and `good` of the six components."""
    errors = [0.001] * good + [0.01] * (6 - good)
    return AuditRecord(50, [0.1] * size, [0.2] * size, stress_error=0.001, stress_errors=errors)


def test_without_a_stress_target_the_stress_is_stated_and_asks_for_no_audit_more() -> None:
    needed = audits_needed(Certification(), [], TARGET, n_atoms=9)
    certificate = advance(Certification(), [with_stress(6)] * needed, TARGET).certificate
    assert certificate.n_structures == needed
    assert certificate.stress_fraction_within == 1.0
    assert 0.9 < certificate.stress_lower_bound < 1.0
    assert certificate.stress_rmse == pytest.approx(0.001)
    bad = advance(Certification(), [with_stress(0)] * needed, TARGET).certificate
    assert bad is not None
    assert bad.stress_fraction_within == 0.0
    silent = advance(Certification(), [audit(9)] * needed, TARGET).certificate
    assert silent.stress_lower_bound is None


def test_a_stress_target_must_be_met_by_the_same_audits() -> None:
    needed = audits_needed(Certification(), [], STRESSED, n_atoms=9)
    assert needed > audits_needed(Certification(), [], TARGET, n_atoms=9)
    met = advance(Certification(), [with_stress(6)] * needed, STRESSED)
    assert met.certificate.stress_lower_bound >= 0.95
    assert met.certificate.stress_error == 0.003
    missed = advance(Certification(), [with_stress(4)] * (4 * needed), STRESSED)
    assert missed.certificate is None
    without = advance(Certification(), [audit(9)] * (4 * needed), STRESSED)
    assert without.certificate is None


def test_the_certificate_says_what_the_stress_is_worth() -> None:
    state = advance(Certification(), [with_stress(6)] * 60, TARGET)
    verdict = decide_stop(state, [with_stress(6)] * 60, TARGET, Budget(100, 60))
    assert "% of stress components within 0.5 GPa, RMSE 0.16 GPa" in verdict.message
    assert verdict.certified["stress_rmse"] == pytest.approx(0.001)
    silent = decide_stop(advance(Certification(), [audit(9)] * 60, TARGET), [], TARGET, Budget(100, 60))
    assert "stress" not in silent.message
    assert not any("stress" in key for key in silent.certified)


def test_a_stress_target_is_a_stress() -> None:
    with pytest.raises(InputError, match="stress_error must be above 0"):
        Target(0.1, stress_error=0.0)


def test_the_verdict_ends_with_its_scope() -> None:
    state = advance(Certification(), [audit(9)] * 60, TARGET)
    verdict = decide_stop(state, [audit(9)] * 60, TARGET, Budget(100, 60), scope="not audited: start 2")
    assert verdict.message.endswith("; not audited: start 2")
    spent = decide_stop(Certification(), [audit(5)] * 3, TARGET, Budget(10, 10), scope="not audited: start 2")
    assert spent.message.endswith("; not audited: start 2")

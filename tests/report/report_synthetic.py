"""A made-up run, ready to be drawn: malonaldehyde-like, with every kind of question and a failure."""

from __future__ import annotations

import dataclasses

import numpy as np

from thalweg.report.data import (
    AUDIT,
    QUERY,
    SEED,
    AskedQuestion,
    AuditNumbers,
    CostSeries,
    Portrait,
    ReportData,
    RunNumbers,
    WalkerSeries,
)
from thalweg.report.series import audit_series
from thalweg.structure import Structure

NUMBERS = [6, 6, 6, 8, 8, 1, 1, 1, 1]
POSITIONS = [
    [0.0, 0.0, 0.0],
    [1.40, 0.0, 0.0],
    [-0.70, 1.25, 0.0],
    [2.05, 1.10, 0.0],
    [-0.10, 2.40, 0.0],
    [-0.52, -0.95, 0.0],
    [1.95, -0.95, 0.0],
    [-1.80, 1.25, 0.0],
    [0.95, 2.10, 0.05],
]
SYMBOLS = "CCCOOHHHH"
SETTINGS = "system: malonaldehyde.xyz\noracle: {name: tblite, method: GFN2-xTB}\nseed: 1\n"


def molecule(rng: np.random.Generator) -> Structure:
    positions = np.array(POSITIONS) + rng.normal(0, 0.05, (9, 3))
    return Structure(np.array(NUMBERS), positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def question(call: int, rng: np.random.Generator) -> AskedQuestion:
    kind = SEED if call <= 12 else AUDIT if call % 4 == 0 else QUERY
    scale = 0.5 / (1 + call / 12) * (1.0 if kind == AUDIT else 2.2) + 0.012
    errors = scale * rng.chisquare(3, 9) ** 0.5 * 0.5
    bounds = scale * rng.lognormal(0.35, 0.35, 9)
    atom = int(bounds.argmax())
    common = {"call": call, "kind": kind, "oracle_time": float(rng.uniform(0.003, 0.012))}
    if kind == SEED:
        return AskedQuestion(**common, reason="a diverse first structure", learned="first model")
    walker = int(rng.integers(4))
    place = {
        "walker": walker,
        "time": 0.15 * call + float(rng.uniform()),
        "temperature": (300.0, 367.0, 433.0, 500.0)[walker],
        "atom": atom,
        "symbol": SYMBOLS[atom],
        "bound": float(bounds[atom]),
        "limit": 0.3 if kind == QUERY else None,
    }
    if call in {31, 57}:
        return AskedQuestion(
            **common,
            **place,
            reason="uncertain",
            outcome="unconverged",
            message="SCF not converged in 250 steps",
        )
    return AskedQuestion(
        **common,
        **place,
        reason=f"{SYMBOLS[atom]}{atom} uncertain" if kind == QUERY else "drawn at random",
        errors=errors,
        bounds=bounds,
        learned="learned in 0.08 s" if kind == QUERY else "scored, then learned in 0.08 s",
    )


def walker(index: int, rng: np.random.Generator) -> WalkerSeries:
    time = np.linspace(0.05, 50, 260)
    temperature = (300.0, 367.0, 433.0, 500.0)[index]
    bound = (0.08 + 0.5 * np.exp(-time / 6)) * rng.lognormal(0, 0.25, 260) * (temperature / 500)
    return WalkerSeries(index, temperature, time, bound, temperature * rng.chisquare(27, 260) / 27)


def run(n_calls: int = 130, seed: int = 0) -> ReportData:
    rng = np.random.default_rng(seed)
    questions = tuple(question(call, rng) for call in range(1, n_calls + 1))
    audits = [q for q in questions if q.kind == AUDIT and q.errors is not None]
    errors = np.concatenate([q.errors for q in audits if q.errors is not None])
    failed = sum(q.failed for q in questions)
    calls = np.arange(0, n_calls + 1.0)
    worst = sorted(
        (q for q in questions if q.bound is not None and q.errors is not None), key=lambda q: -q.bound
    )
    summary = RunNumbers(
        oracle_calls=n_calls,
        audit_calls=len(audits),
        failed_calls=failed,
        iterations=64,
        n_labels=n_calls - failed,
        n_features=312,
        md_steps=400_000,
        force_error=0.15,
        confidence=0.95,
        audit=AuditNumbers(
            n_structures=len(audits),
            force_rmse=float(np.sqrt((errors**2).mean() / 3)),
            force_error_quantile=float(np.quantile(errors, 0.95)),
            fraction_within=0.976,
            interval=(0.961, 0.987),
            lower_bound=0.961,
            coverage=0.957,
        ),
        calibration_factor={"C": 1.7},
        calibration_coverage=0.957,
        stop_reason="target",
        stop_message="the target is certified after 130 of 300 calls",
        certificate={"n_structures": 29.0, "fraction_within": 0.976, "lower_bound": 0.961},
        timing={"wall": 143.0, "oracle": 12.0, "explore": 81.0, "fit": 38.0, "other": 12.0},
        model_path="runs/malonaldehyde/model",
    )
    data = ReportData(
        title="malonaldehyde",
        system="malonaldehyde.xyz",
        oracle="GFN2-xTB",
        folder="runs/malonaldehyde",
        started="2026-05-04 10:12",
        updated="2026-05-04 10:15",
        version="0.1.0",
        summary=summary,
        time_explored=200.0,
        questions=questions,
        walkers=tuple(walker(k, rng) for k in range(4)),
        cost=CostSeries(
            calls,
            {
                "oracle": 0.09 * calls,
                "explore": 81 * (calls / n_calls) ** 1.6,
                "fit": 0.29 * calls,
                "other": 0.09 * calls,
            },
        ),
        portraits=tuple(
            Portrait(q.call, f"call {q.call}, {q.kind}", molecule(rng), q.bounds, q.errors) for q in worst[:6]
        ),
        config=SETTINGS,
        config_changes=(("2026-05-04 10:14", "budget.oracle_calls: 200 -> 300"),),
        events=(("10:12:04", "seeds: 12 structures asked"), ("10:12:05", "first model fitted")),
    )
    return dataclasses.replace(data, audit_series=audit_series(data.questions, 0.15, 0.95))

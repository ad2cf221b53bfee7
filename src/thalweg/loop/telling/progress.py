"""Where a run stands, for displays, for summary.json and for the report's curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thalweg.calibration import Stream
from thalweg.features.batch import numbers_of
from thalweg.loop.deciding import stopping
from thalweg.loop.deciding.forecast import Outlook, foresee
from thalweg.loop.deciding.ground import Ground, ground_table
from thalweg.loop.deciding.policy import audits_in_sight
from thalweg.loop.deciding.policy_state import Phase
from thalweg.loop.learning.basing import describe
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling import conversation
from thalweg.loop.telling.reporter import Progress, WalkerProgress
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.loop.telling.summary import Summary
from thalweg.loop.walking.exploration import Walk
from thalweg.properties.results import PropertyResults


def make_progress(setup: Setup, state: LoopState, walk: Walk | None, stopwatch: Stopwatch) -> Progress:
    """The present standing."""
    policy, rules = state.policy, setup.rules
    timing = stopwatch.timing
    audit = stopping.summarise_audits(policy.audits, rules.target)
    walkers = tuple(_walker(setup, state, walk, k) for k in range(len(state.walkers)))
    bounds = [walker.bound for walker in walkers if walker.bound is not None]
    return Progress(
        iteration=policy.iteration,
        oracle_calls=policy.calls,
        budget=setup.config.budget.oracle_calls,
        n_labels=policy.n_labels,
        md_ps=state.md_steps * setup.explorer.step_fs / 1000.0,
        walkers=walkers,
        target=rules.target.force_error,
        confidence=rules.target.confidence,
        bound=max(bounds, default=None),
        audited=len(policy.audits),
        within_target=None if audit is None else audit.interval,
        forecast=_forecast(setup, state),
        steps_per_second=state.md_steps / timing.explore if timing.explore > 0 else 0.0,
        timing=timing,
    )


def _walker(setup: Setup, state: LoopState, walk: Walk | None, k: int) -> WalkerProgress:
    walked = state.policy.walked_fs[k] if k < len(state.policy.walked_fs) else 0.0
    result = None if walk is None else walk.result_of(k)
    bound = None if result is None or result.worst is None else result.worst.bound_max
    doing = "done" if walked >= setup.rules.time_fs else "walking"
    return WalkerProgress(
        index=k,
        temperature=state.walkers[k].temperature,
        time=walked / 1000.0,
        time_total=setup.config.explore.time,
        bound=bound,
        state="waiting" if k in state.policy.held else doing,
    )


_PHASES = {
    Phase.SEED: "labelling the first structures",
    Phase.EXPLORE: "exploring",
    Phase.CERTIFY: "certifying",
    Phase.PATROL: "certified; walking the remaining time",
    Phase.STOPPED: "stopped",
}


def _forecast(setup: Setup, state: LoopState) -> str:
    """What the next calls would buy, in words."""
    policy = state.policy
    words = _PHASES[policy.phase]
    needed = audits_in_sight(policy, setup.rules)
    if policy.phase is Phase.CERTIFY and needed:
        words += f", about {needed} more audits at the present rate"
    if (foreseen := outlook(setup, state)) is not None:
        words += f"; {conversation.outlook_in_short(foreseen)}"
    return words


def outlook(setup: Setup, state: LoopState) -> Outlook | None:
    """What further calls would bring."""
    policy, target = state.policy, setup.rules.target
    return foresee(
        policy.present_audits,
        policy.n_labels,
        confidence=target.confidence,
        force_error=target.force_error,
        floor=state.counsel.floor,
        labels_per_call=policy.n_labels / max(policy.calls, 1),
    )


def make_summary(
    setup: Setup,
    state: LoopState,
    stopwatch: Stopwatch,
    *,
    oracle: str,
    model: Path,
    properties: PropertyResults,
) -> Summary:
    """The keys of summary.json."""
    policy = state.policy
    coverage = state.calibration.coverage(Stream.AUDIT)
    bounds = state.calibration.bounds
    symbols = setup.basis.elements
    foreseen = outlook(setup, state)
    return Summary(
        system=", ".join(Path(path).name for path in setup.config.system.paths),
        oracle=oracle,
        oracle_calls=policy.calls + properties.oracle_calls,
        audit_calls=len(policy.audits) + policy.blind_audits,
        failed_calls=policy.failed,
        iterations=policy.iteration,
        n_labels=policy.n_labels,
        n_features=state.basing.present(setup.basis).n_columns,
        target=setup.rules.target,
        audit=stopping.summarise_audits(policy.audits, setup.rules.target),
        calibration_factor={s: bounds.line(z)[0] for s, z in zip(symbols, numbers_of(symbols), strict=True)},
        calibration_coverage=coverage.fraction if coverage.n_atoms else None,
        verdict=policy.verdict,
        md_steps=state.md_steps,
        timing=stopwatch.timing,
        model_path=str(model),
        properties=properties.to_json(),
        walked=walked_rows(setup, policy.ground, policy.present_audits),
        findings=tuple(state.findings),
        forecast=None if foreseen is None else _forecast_json(foreseen),
        advice=tuple(one.to_json() for one in state.counsel.advices),
        basis=describe(state.basing.present(setup.basis)),
        basis_choices=tuple(
            {"words": conversation.basis(choice), **choice.to_json()} for choice in state.basing.choices
        ),
    )


def _forecast_json(foreseen: Outlook) -> dict[str, Any]:
    return {**foreseen.to_json(), "words": conversation.outlook(foreseen)}


def walked_rows(
    setup: Setup, ground: Ground, audits: Sequence[stopping.AuditRecord]
) -> tuple[dict[str, Any], ...]:
    """What was walked, audited and dissociated, start by start and temperature by temperature, as plain data."""
    rows = ground_table(ground, audits, setup.rules.target.force_error)
    formulas = [structure.to_atoms().get_chemical_formula() for structure in setup.structures]
    return tuple({"start": row.start, "formula": formulas[row.start - 1], **row.to_json()} for row in rows)

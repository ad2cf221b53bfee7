"""From a run folder to what the report shows.

What is read, and under which keys (each may be missing: the page then leaves that out)
    question.reason       walker, time (ps), temperature (K), atom, cause, value, limit, text
    question.prediction   forces (n_atoms, 3) eV/Å and forces_bound (n_atoms,) eV/Å, made before learning
    metrics               oracle_calls, timing {oracle, explore, fit, other} in s since the start of the run,
                          walkers [{index, temperature, time (ps), bound (eV/Å), kinetic_temperature (K)}]
    run.config            the configuration as saved; run.changes: lines of words, under any key
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from thalweg.report import data as d
from thalweg.report.series import audit_series, cost_series, walker_series
from thalweg.report.summary_file import read_summary
from thalweg.report.volumes import volumes_met
from thalweg.store import AttemptRecord, LabelRecord, QuestionRecord, RunRecord, Store

CALLS = (d.REFERENCE, d.RELAX, d.SEED, d.QUERY, d.AUDIT, d.HANDED, d.PROPERTY, d.PROBE)
"""Kinds of question that count as calls of the run; imported labels and audits on request do not."""
_NOT_LEARNED = {
    d.REFERENCE: "reference energy",
    d.PROPERTY: "compared with the potential",
    d.PROBE: "compared with its neighbour",
}

PORTRAITS = 6
EVENTS = 2000
"""Lines of the conversation kept in the page, the last ones."""


def collect(store: Store, folder: Path) -> d.ReportData:
    """Everything the report shows of the run in `folder`, also while it goes on.

    Raises
    ------
    StoreError
        The store or `summary.json` is damaged.
    """
    keys, summary = read_summary(folder)
    runs, metrics, events = store.runs(), store.metrics(), store.events()
    config: dict[str, Any] = runs[-1].config if runs else {}
    questions = tuple(_questions(store))
    summary = _with_target(summary, config, questions)
    walkers = walker_series(metrics)
    system = str(keys.get("system") or _system(config) or folder.name)
    times = [r.started_at for r in runs] + [e.time for e in events[-1:]] + [m.time for m in metrics[-1:]]
    return d.ReportData(
        title=Path(system).stem or folder.name,
        system=system,
        oracle=str(keys.get("oracle") or _oracle(config)),
        folder=str(folder),
        started=_when(times[0]) if times else "",
        updated=_when(max(times)) if times else "",
        version=_version(),
        summary=summary,
        time_explored=float(sum(w.time[-1] for w in walkers)) if walkers else None,
        questions=questions,
        pending=sum(not q.state.is_finished() for q in store.questions()),
        handed_waiting=tuple(str(q.reason.get("text", "")) for q in store.handed_in()),
        walkers=walkers,
        volumes=volumes_met(store, questions),
        audit_series=audit_series(questions, summary.force_error, summary.confidence),
        cost=cost_series(metrics),
        portraits=_portraits(store, questions),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100) if config else "",
        config_changes=tuple(_changes(runs)),
        events=(
            *((_when(e.time, "%H:%M:%S"), e.text) for e in events[-EVENTS:]),
            *(("", notice) for notice in store.notices),
        ),
    )


# ---- the run ------------------------------------------------------------------------------------------


def _version() -> str:
    try:
        return version("thalweg")
    except PackageNotFoundError:
        return ""


def _when(seconds: float, form: str = "%Y-%m-%d %H:%M") -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime(form)


def _system(config: dict[str, Any]) -> str:
    paths = (config.get("system") or {}).get("paths") or ()
    return ", ".join(Path(p).name for p in paths)


def _oracle(config: dict[str, Any]) -> str:
    oracle = config.get("oracle") or {}
    return str(oracle.get("method") or oracle.get("calculator") or oracle.get("name") or "unknown")


def _changes(runs: Sequence[RunRecord]) -> Iterator[tuple[str, str]]:
    for run in runs:
        for key, value in run.changes.items():
            for line in value if isinstance(value, list) else [f"{key}: {value}"]:
                yield _when(run.started_at), str(line)


def _with_target(
    summary: d.RunNumbers, config: dict[str, Any], questions: Sequence[d.AskedQuestion]
) -> d.RunNumbers:
    """The summary, completed where the run has not written one yet."""
    target = config.get("target") or {}
    return replace(
        summary,
        force_error=summary.force_error or target.get("force_error"),
        confidence=summary.confidence or target.get("confidence"),
        oracle_calls=summary.oracle_calls or len(questions),
        failed_calls=summary.failed_calls or sum(q.failed for q in questions),
        n_labels=summary.n_labels or sum(not q.failed and q.kind not in _NOT_LEARNED for q in questions),
    )


# ---- questions ----------------------------------------------------------------------------------------


def _questions(store: Store) -> Iterator[d.AskedQuestion]:
    """One row for each call, in the order in which answers came."""
    asked = {q.id: q for q in store.questions()}
    answers: list[tuple[float, LabelRecord | AttemptRecord]] = []
    answers += [(r.committed_at, r) for r in store.all_labels() if r.kind in CALLS]
    answers += [(a.recorded_at, a) for a in store.attempts() if asked[a.question_id].kind in CALLS]
    answers.sort(key=lambda row: row[0])
    for call, (_, answer) in enumerate(answers, start=1):
        question = None if answer.question_id is None else asked.get(answer.question_id)
        yield _answered(call, question, answer)


def _answered(
    call: int, question: QuestionRecord | None, answer: LabelRecord | AttemptRecord
) -> d.AskedQuestion:
    reason = {} if question is None else question.reason
    row = _asked(call, question, answer, reason)
    if isinstance(answer, AttemptRecord):
        failure = answer.failure
        return d.AskedQuestion(
            **row, outcome=str(failure.kind), message=failure.message, oracle_time=failure.wall_time
        )
    predicted = None if question is None else question.prediction.get("forces")
    errors = None
    if predicted is not None and predicted.shape == answer.label.forces.shape:
        errors = np.linalg.norm(predicted - answer.label.forces, axis=1)
        errors = errors if np.isfinite(errors).all() else None
    learned = _NOT_LEARNED.get(answer.kind, "known, not yet learned")
    if answer.sequence is not None:
        learned = f"learned as label {answer.sequence}"
    return d.AskedQuestion(**row, errors=errors, oracle_time=answer.label.wall_time, learned=learned)


def _asked(
    call: int, question: QuestionRecord | None, answer: LabelRecord | AttemptRecord, reason: dict[str, Any]
) -> dict[str, Any]:
    """What is known of a call from its question alone."""
    bounds = None if question is None else question.prediction.get("forces_bound")
    atom = reason.get("atom")
    if (atom is None or atom < 0) and bounds is not None and len(bounds):
        atom = int(np.argmax(bounds))
    known = atom is not None and bounds is not None and 0 <= atom < len(bounds)
    kind = question.kind if question is not None else answer.kind if isinstance(answer, LabelRecord) else ""
    return {
        "call": call,
        "kind": kind,
        "reason": str(reason.get("text") or ""),
        "walker": reason.get("walker"),
        "time": reason.get("time"),
        "temperature": reason.get("temperature"),
        "atom": atom,
        "symbol": str(reason.get("element") or ""),
        "bound": float(bounds[atom]) if known and bounds is not None and atom is not None else None,
        "limit": reason.get("limit") if reason.get("cause") == "uncertain" else None,
        "bounds": bounds,
        "structure_hash": "" if question is None else question.structure_hash,
    }


def _portraits(store: Store, questions: Sequence[d.AskedQuestion]) -> tuple[d.Portrait, ...]:
    """The structures with the largest bounds among those answered, each once."""
    portraits: dict[str, d.Portrait] = {}
    known = [q for q in questions if q.bounds is not None and q.errors is not None and q.structure_hash]
    for q in sorted(known, key=lambda q: -float(np.nanmax(q.bounds)) if q.bounds is not None else 0.0):
        if len(portraits) == PORTRAITS:
            break
        if q.structure_hash not in portraits and q.bounds is not None:
            structure = store.structure(q.structure_hash)
            portraits[q.structure_hash] = d.Portrait(
                q.call, f"call {q.call}, {q.kind}", structure, q.bounds, q.errors
            )
    return tuple(portraits.values())

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from report_synthetic import NUMBERS, POSITIONS

from thalweg.errors import StoreError
from thalweg.label import Failure, FailureKind, Label
from thalweg.report import ReportData, collect, write_report
from thalweg.report.summary_file import parse_summary
from thalweg.store import HANDED, SqliteStore, TaskState
from thalweg.structure import Structure

CONFIG = {
    "system": {"paths": ["/somewhere/malonaldehyde.xyz"]},
    "oracle": {"name": "tblite", "method": "GFN2-xTB"},
    "target": {"force_error": 0.15, "confidence": 0.95},
}
SUMMARY = {
    "system": "malonaldehyde.xyz",
    "oracle": "GFN2-xTB",
    "oracle_calls": 6,
    "audit_calls": 2,
    "failed_calls": 1,
    "iterations": 3,
    "n_labels": 5,
    "n_features": 120,
    "target": {"force_error": 0.15, "confidence": 0.95},
    "audit": None,
    "calibration": {"factor": {"C": 1.5}, "coverage": 0.94},
    "stop": {"reason": "budget", "message": "budget spent: all 6 calls are used", "certified": {}},
    "md_steps": 1000,
    "timing": {"wall": 3.0, "oracle": 1.0, "explore": 1.0, "fit": 0.5, "other": 0.5},
    "model_path": "model",
}


def structure(shift: float) -> Structure:
    positions = np.array(POSITIONS)
    positions[0, 0] += shift
    return Structure(np.array(NUMBERS), positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def label(force: float) -> Label:
    return Label(-1.0, np.full((9, 3), force), oracle="gfn2", wall_time=0.01)


def write_run(folder: Path) -> None:
    """One seed, one query that failed once, two audits."""
    with SqliteStore.open(folder) as store:
        store.start_run(CONFIG)
        seed = structure(0.0)
        first = store.add_question(seed, "seed", iteration=0, reason={"text": "a start"})
        store.commit_label(seed, label(0.1), kind="seed", iteration=0, question_id=first)
        reason = {"walker": 2, "time": 13.4, "temperature": 450.0, "atom": 4, "element": "O"}
        reason |= {"cause": "uncertain", "value": 0.41, "limit": 0.2, "text": "O4 uncertain"}
        said = {"forces": np.zeros((9, 3)), "forces_bound": np.linspace(0.1, 0.41, 9)}
        query = store.add_question(structure(0.1), "query", iteration=1, reason=reason, prediction=said)
        failure = Failure(FailureKind.TIMED_OUT, "60 s were not enough", wall_time=60.0)
        store.record_failure(query, 0, failure)
        store.commit_label(structure(0.1), label(0.2), kind="query", iteration=1, question_id=query)
        for k in (2, 3):
            audit = store.add_question(
                structure(0.1 * k), "audit", iteration=k, reason={"walker": 0, "time": 20.0}, prediction=said
            )
            store.commit_label(structure(0.1 * k), label(0.05), kind="audit", iteration=k, question_id=audit)
        waiting = store.add_question(structure(0.9), "query", iteration=3)
        store.set_state(waiting, TaskState.WAITING)
        store.append_event(1, "query", "walker 2, 13.4 ps, 450 K: O4 uncertain")
        store.start_run(CONFIG, {"settings": ["target.force_error: 0.2 -> 0.15 eV/Å"]})


def read(folder: Path) -> ReportData:
    with SqliteStore.read(folder) as store:
        return collect(store, folder)


def test_every_call_becomes_a_row(tmp_path: Path) -> None:
    write_run(tmp_path)
    data = read(tmp_path)
    assert [q.kind for q in data.questions] == ["seed", "query", "query", "audit", "audit"]
    assert [q.call for q in data.questions] == [1, 2, 3, 4, 5]
    failed, query = data.questions[1:3]
    assert (failed.outcome, failed.message, failed.oracle_time) == ("timed_out", "60 s were not enough", 60.0)
    assert failed.errors is None
    assert (query.walker, query.time, query.temperature) == (2, 13.4, 450.0)
    assert (query.symbol, query.atom, query.limit) == ("O", 4, 0.2)
    assert query.bound == pytest.approx(np.linspace(0.1, 0.41, 9)[4])
    assert query.error_max == pytest.approx(0.2 * np.sqrt(3))
    assert data.questions[0].errors is None
    assert data.questions[3].atom == 8
    assert data.pending == 1


def test_what_the_run_is_called_and_asked_for(tmp_path: Path) -> None:
    write_run(tmp_path)
    data = read(tmp_path)
    assert (data.title, data.system, data.oracle) == ("malonaldehyde", "malonaldehyde.xyz", "GFN2-xTB")
    assert (data.summary.force_error, data.summary.confidence) == (0.15, 0.95)
    assert [words for _, words in data.config_changes] == ["target.force_error: 0.2 -> 0.15 eV/Å"]
    assert [line for _, line in data.events] == ["walker 2, 13.4 ps, 450 K: O4 uncertain"]
    assert data.audit_series is not None
    np.testing.assert_array_equal(data.audit_series.fraction, [1.0])
    assert len(data.portraits) == 3


def test_the_summary_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    summary = read(tmp_path).summary
    assert (summary.oracle_calls, summary.failed_calls, summary.n_features) == (6, 1, 120)
    assert summary.stop_reason == "budget"
    assert summary.timing["explore"] == 1.0
    text = write_report(tmp_path).read_text()
    assert "budget spent: all 6 calls are used" in text


def test_the_report_of_a_run_under_way(tmp_path: Path) -> None:
    write_run(tmp_path)
    with SqliteStore.open(tmp_path) as store:
        path = write_report(tmp_path)
        first = path.read_text()
        store.append_event(3, "info", "a later line")
        assert "a later line" in write_report(tmp_path).read_text()
    assert path == tmp_path / "report.html"
    assert "a later line" not in first
    assert "O4 uncertain" in first
    assert [p.name for p in tmp_path.glob("*.part")] == []


def test_the_report_of_a_run_just_begun(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path):
        pass
    assert "just started" in write_report(tmp_path).read_text()


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        write_report(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_damaged_summary_is_named(tmp_path: Path, text: str) -> None:
    write_run(tmp_path)
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(StoreError, match=r"summary\.json"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_what_was_handed_in_is_shown_waiting_and_then_among_the_calls(tmp_path: Path) -> None:
    write_run(tmp_path)
    assert "Waiting to be labelled" not in write_report(tmp_path).read_text()
    words = "handed in from halted.extxyz: O4 uncertain, 0.41 eV/Å"
    odd = structure(1.5)
    with SqliteStore.open(tmp_path) as store:
        number = store.add_question(odd, HANDED, iteration=3, reason={"text": words, "atom": 4})
    assert read(tmp_path).handed_waiting == (words,)
    page = write_report(tmp_path).read_text()
    assert "Waiting to be labelled (1)" in page
    assert words in page
    with SqliteStore.open(tmp_path) as store:
        said = {"forces": np.zeros((9, 3)), "forces_bound": np.full(9, 0.3)}
        store.add_question(odd, HANDED, iteration=3, prediction=said)
        store.commit_label(odd, label(0.3), kind=HANDED, iteration=3, question_id=number)
    last = read(tmp_path).questions[-1]
    assert (last.kind, last.reason, last.bound) == (HANDED, words, 0.3)
    page = write_report(tmp_path).read_text()
    assert "Waiting to be labelled" not in page
    assert 'data-kind="handed"' in page
    assert "1 handed in" in page


def test_rows_of_what_was_walked_are_taken_from_any_version() -> None:
    whole = {"start": 1, "formula": "Cu", "temperature": 300.0, "walked_ps": 1.0, "audits": 2, "atoms": 0}
    numbers = parse_summary({"walked": [{**whole, "of_the_future": 1}, {"start": 2}]})
    assert [(row.start, row.audits, row.within) for row in numbers.walked] == [(1, 2, None), (2, 0, None)]
    assert parse_summary({}).walked == ()

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from html import escape, unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from thalweg.report.data import (
    AskedQuestion,
    ForecastNumbers,
    Portrait,
    ReportData,
    RunNumbers,
    WalkedRow,
    per_atom,
)
from thalweg.report.html import SECTIONS, duration, page
from thalweg.structure import Structure
from thalweg.units import GPa

VOID = {"meta", "link", "br", "input", "img", "hr", "circle", "path"}
HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


class Reader(HTMLParser):
    """Checks nesting, and keeps identifiers, sources, scripts and the table's rows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.scripts: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [v for k, v in attrs if k == "id" and v]
        self.loads += [v for k, v in attrs if k in {"src", "href", "xlink:href", "srcset"} and v]
        self.handlers += [k for k in values if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def empty(**changes: object) -> ReportData:
    data = ReportData(
        title="x",
        system="x.xyz",
        oracle="EMT",
        folder="runs/x",
        started="",
        updated="",
        version="0",
        summary=RunNumbers(),
    )
    return dataclasses.replace(data, **changes)  # type: ignore[arg-type]


def test_every_section_is_there_in_order_and_linked(data: ReportData) -> None:
    reader = read(page(data))
    keys = [key for key, _ in SECTIONS]
    assert [i for i in reader.ids if i in keys] == keys
    assert {f"#{key}" for key in keys} <= set(reader.loads)
    assert len(reader.ids) == len(set(reader.ids))


def test_nothing_is_loaded_from_elsewhere(data: ReportData) -> None:
    text = page(data)
    reader = read(text)
    assert reader.loads
    assert all(load.startswith(("#", "data:")) for load in reader.loads)
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest|import\s*\(", text)


def test_hostile_names_stay_text(data: ReportData) -> None:
    before = read(page(data))
    question = dataclasses.replace(data.questions[20], reason=HOSTILE, learned=HOSTILE, symbol=HOSTILE)
    failed = AskedQuestion(call=999, kind=HOSTILE, outcome=HOSTILE, message=HOSTILE, walker=0, symbol=HOSTILE)
    portrait = dataclasses.replace(data.portraits[0], title=HOSTILE)
    hostile = dataclasses.replace(
        data,
        title=HOSTILE,
        system=HOSTILE,
        oracle=HOSTILE,
        folder=HOSTILE,
        questions=(*data.questions, question, failed),
        portraits=(portrait, *data.portraits[1:]),
        config=HOSTILE,
        config_changes=((HOSTILE, HOSTILE),),
        events=((HOSTILE, HOSTILE),),
        summary=dataclasses.replace(
            data.summary,
            stop_message=HOSTILE,
            model_path=HOSTILE,
            timing={HOSTILE: 1.0, "wall": 1.0},
            advice=(HOSTILE,),
            forecast=ForecastNumbers(HOSTILE, 0.1, ((10, 0.09, 0.08, 0.1),)),
        ),
    )
    text = page(hostile)
    after = read(text)
    assert after.tags.count("script") == before.tags.count("script")
    assert "img" not in after.tags
    assert after.handlers == []
    assert HOSTILE not in text
    assert text.count(escape(HOSTILE)) > 10


def test_a_run_without_labels_gives_a_whole_page() -> None:
    text = page(empty())
    reader = read(text)
    assert {key for key, _ in SECTIONS} <= set(reader.ids)
    assert "just started" in text
    assert "<figure" not in text
    assert "No potential has been fitted yet" in text


def test_a_run_with_failures_alone(data: ReportData) -> None:
    failed = tuple(q for q in data.questions if q.failed)
    text = page(dataclasses.replace(data, questions=failed, portraits=(), walkers=(), audit_series=None))
    read(text)
    assert "SCF not converged in 250 steps" in text
    assert "No answer has been compared" in text


def test_the_numbers_are_those_of_the_data(data: ReportData) -> None:
    text = page(data)
    bounds, errors = per_atom(data.answered)
    assert f"{100 * (errors <= bounds).mean():.1f} % of {len(bounds)} atoms" in text
    assert "95 % of atoms met at 300–500 K have a force error below 0.15 eV/Å" in text
    assert "the audit of 29 structures found 97.6 % (at least 96.1 %)" in text
    for q in data.questions:
        row = re.search(rf'<tr id="call-{q.call}".*?</tr>', text)
        assert row is not None
        shown = re.findall(r'<td class="n" data-v="([^"]*)">', row.group())
        assert shown[0] == str(q.call)
        assert shown[6] == ("" if q.error_max is None else f"{q.error_max:.9g}")
        assert shown[7] == ("" if q.error_rms is None else f"{q.error_rms:.9g}")


def test_every_answer_is_a_dot_of_the_learning_curve(data: ReportData) -> None:
    text = page(data)
    section = text.split('id="learning"')[1].split("</section>")[0]
    wide = section.split("only-narrow")[0]
    calls = [int(c) for c in re.findall(r'data-c="(\d+)"', wide)]
    assert sorted(calls) == [q.call for q in data.answered]


def test_the_scenes_hold_the_structures(data: ReportData) -> None:
    reader = read(page(data))
    scenes = next(json.loads(s) for s in reader.scripts if s.startswith("["))
    assert [s["call"] for s in scenes] == [p.call for p in data.portraits]
    positions = np.array(scenes[0]["xyz"])
    expected = data.portraits[0].structure.positions
    np.testing.assert_allclose(positions - positions[0], expected - expected[0], atol=2e-3)
    np.testing.assert_allclose(scenes[0]["bounds"], data.portraits[0].bounds, rtol=5e-3)


def test_a_bound_that_is_not_finite_is_no_obstacle(data: ReportData) -> None:
    bounds = np.full(9, np.nan)
    portrait = Portrait(1, "call 1", data.portraits[0].structure, bounds, None)
    question = dataclasses.replace(data.questions[20], bounds=bounds, bound=float("nan"))
    text = page(dataclasses.replace(data, portraits=(portrait,), questions=(*data.questions[:20], question)))
    read(text)
    assert '"bounds":[null' in text


def test_a_crystal_has_its_cell_and_bonds_that_leave_it(data: ReportData) -> None:
    cell = np.full((3, 3), 2.715) - 2.715 * np.eye(3)
    silicon = Structure(
        np.array([14, 14]), np.array([[0.0, 0, 0], [1.3575] * 3]), cell, np.ones(3, dtype=bool)
    )
    portrait = Portrait(3, "call 3", silicon, np.array([0.1, 0.2]), None)
    reader = read(page(dataclasses.replace(data, portraits=(portrait,))))
    scene = next(json.loads(s) for s in reader.scripts if s.startswith("["))[0]
    assert len(scene["edges"]) == 12
    assert len(scene["bonds"]) == 8
    lengths = np.linalg.norm(np.array(scene["bonds"])[:, 1:], axis=1)
    np.testing.assert_allclose(lengths, 0.5 * 2.3513, atol=2e-3)


def test_the_page_stays_small_with_many_calls() -> None:
    from report_synthetic import run

    assert len(page(run(n_calls=1500)).encode()) < 3_000_000


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "0.5 s"), (143, "2 min 23 s"), (7260, "2 h 1 min")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("summary", "state", "words"),
    [
        ({"stop_reason": "", "certificate": {}}, "running", "Not certified yet that 95 %"),
        ({"stop_reason": "budget", "certificate": {}}, "open", "Not certified that 95 %"),
        ({"stop_reason": "", "certificate": {}, "audit": None}, "running", "Nothing is certified yet"),
    ],
)
def test_the_verdict_claims_no_more_than_is_certified(
    data: ReportData, summary: dict[str, object], state: str, words: str
) -> None:
    changed = dataclasses.replace(data, summary=dataclasses.replace(data.summary, **summary))  # type: ignore[arg-type]
    text = page(changed)
    assert f'class="verdict {state}"' in text
    assert words in text
    assert "✓ certified" not in text
    assert "✓ certified" in page(data)


WALKED = (
    WalkedRow(1, "Cu6", 300.0, 10.0, 12, 72, 1.0, bounds_held=0.972),
    WalkedRow(1, "Cu6", 600.0, 10.0, 8, 48, 0.9, dissociated=3),
    WalkedRow(2, "Cu4<", 600.0, 5.0, 0, 0, blind_audits=2),
)


def with_rows(data: ReportData, *rows: WalkedRow) -> ReportData:
    return dataclasses.replace(data, summary=dataclasses.replace(data.summary, walked=rows))


def test_what_was_walked_and_audited_is_a_table(data: ReportData) -> None:
    section = page(with_rows(data, *WALKED)).split('id="audit"')[1].split("</section>")[0]
    assert "What was walked and audited" in section
    cells = [re.sub("<[^>]*>", "|", row).replace("||", "|") for row in section.split("<tr>")[2:]]
    assert cells[0].startswith("|1|Cu6|300|10|12|72|100.0 %|97.2 %|0")
    assert cells[1].startswith("|1|Cu6|600|10|8|48|90.0 %||3")
    assert cells[2].startswith("|2|Cu4&lt;|600|5|0 (and 2 without evidence)|0|nothing is claimed||0")
    assert "cell flowed" not in section
    flowed = dataclasses.replace(WALKED[0], flowed=1)
    assert "cell flowed" in page(with_rows(data, flowed))
    assert "What was walked and audited" not in page(with_rows(data))


def test_the_claim_speaks_of_what_was_audited_only(data: ReportData) -> None:
    assert "met at 300–600 K from 1 of 2 starts have" in page(with_rows(data, *WALKED))
    assert "met at 300–600 K have" in page(with_rows(data, *WALKED[:2]))
    assert "met at 300 K from all 2 starts" in page(
        with_rows(data, WALKED[0], dataclasses.replace(WALKED[0], start=2))
    )


def test_what_the_certificate_says_of_the_stress_is_part_of_the_claim(data: ReportData) -> None:
    numbers = {**data.summary.certificate, "stress_error": 0.5 * GPa, "stress_lower_bound": 0.93}
    numbers["stress_rmse"] = 0.08 * GPa
    changed = dataclasses.replace(data, summary=dataclasses.replace(data.summary, certificate=numbers))
    assert "at least 93.0 % of stress components within 0.5 GPa (RMSE 0.08 GPa)" in page(changed)
    assert "stress components" not in page(data)


def test_the_python_snippet_names_what_exists(data: ReportData) -> None:
    section = page(data).split('id="use"')[1]
    snippet = unescape(section.split("<code>")[1].split("</code>")[0])
    compile(snippet, "snippet", "exec")
    imports = re.findall(r"^from (thalweg\S*) import (\w+)$", snippet, flags=re.MULTILINE)
    assert len(imports) == 2
    for module, name in imports:
        assert hasattr(importlib.import_module(module), name)


def test_a_forecast_is_drawn_beyond_the_last_call(data: ReportData) -> None:
    forecast = ForecastNumbers(
        "after 100 more calls 0.02", 0.04, ((10, 0.035, 0.03, 0.04), (100, 0.02, 0.01, 0.03))
    )
    with_it = dataclasses.replace(data, summary=dataclasses.replace(data.summary, forecast=forecast))
    section = page(with_it).split('id="learning"')[1].split("</section>")[0]
    assert "line forecast" in section
    assert "forecast of the force RMSE" in section
    assert "after 100 more calls 0.02" in section
    assert "forecast" not in page(data).split('id="learning"')[1].split("</section>")[0]


def test_advice_stands_at_the_top(data: ReportData) -> None:
    advice = dataclasses.replace(data.summary, advice=("lower explore.temperature to 450 K",))
    text = page(dataclasses.replace(data, summary=advice))
    assert text.index("lower explore.temperature to 450 K") < text.index('id="learning"')
    assert "Advice:" not in page(data)

"""The page's tables: every question with its answer, failures, and settings changed at resumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from thalweg.report.data import (
    AUDIT,
    HANDED,
    PROBE,
    PROPERTY,
    QUERY,
    REFERENCE,
    RELAX,
    SEED,
    AskedQuestion,
    ReportData,
    WalkedRow,
)

MAX_ROWS = 4000
"""Questions listed in the page, the last ones; a browser still sorts that many at once."""

Column = tuple[str, str, bool]
"""Name, unit, whether it holds numbers."""

COLUMNS: tuple[Column, ...] = (
    ("call", "", True),
    ("kind", "", False),
    ("walker", "", True),
    ("time", "ps", True),
    ("thermostat", "K", True),
    ("atom", "", False),
    ("bound", "eV/Å", True),
    ("limit", "eV/Å", True),
    ("reason", "", False),
    ("max error", "eV/Å", True),
    ("rms error", "eV/Å", True),
    ("oracle", "s", True),
    ("outcome", "", False),
)


def number(value: float | None, digits: int = 3) -> str:
    """A number cell: its shown text rounded, its full value kept for sorting; empty for None."""
    if value is None:
        return '<td class="n" data-v=""></td>'
    return f'<td class="n" data-v="{value:.9g}">{value:.{digits}g}</td>'


def _words(text: str, css: str = "words") -> str:
    return f'<td class="{css}">{escape(text)}</td>'


def _row(q: AskedQuestion) -> str:
    atom = f"{q.symbol}{q.atom}" if q.atom is not None else ""
    state = " failed" if q.failed else ""
    outcome = f"{q.outcome.replace('_', ' ')}: {q.message}" if q.failed else q.learned
    cells = (
        number(q.call, 9)
        + _words(q.kind, "kind")
        + number(q.walker, 9)
        + number(q.time, 4)
        + number(q.temperature, 4)
        + _words(atom, "atom")
        + number(q.bound)
        + number(q.limit)
        + _words(q.reason, "words why")
        + number(q.error_max)
        + number(q.error_rms)
        + number(q.oracle_time)
        + _words(outcome)
    )
    return f'<tr id="call-{q.call}" class="{escape(q.kind)}{state}">{cells}</tr>'


def _header(columns: Sequence[Column]) -> str:
    cells = []
    for name, unit, numeric in columns:
        css = ' class="n"' if numeric else ""
        small = f"<small>{escape(unit)}</small>" if unit else ""
        cells.append(
            f'<th scope="col"{css}><button type="button"><span>{escape(name)}</span>{small}</button></th>'
        )
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def query_table(data: ReportData) -> str:
    """Every question, sortable by any column and filtered by kind and words."""
    rows = data.questions[-MAX_ROWS:]
    if not rows:
        return '<p class="none">No question has been answered yet.</p>'
    others = (kind for kind in (REFERENCE, RELAX, HANDED, PROPERTY, PROBE) if data.of_kind(kind))
    kinds = ("all", SEED, QUERY, AUDIT, *others, "failed")
    buttons = "".join(
        f'<button type="button" data-kind="{k}" aria-pressed="{str(k == "all").lower()}">{k}</button>'
        for k in kinds
    )
    left = len(data.questions) - len(rows)
    note = f" The first {left} are left out here; they are in the run's database." if left else ""
    return (
        '<div class="tools"><input id="search" type="search" placeholder="Filter: O4, walker, uncertain …" '
        'aria-label="Filter the questions by words">'
        f'<span class="toggle" role="group" aria-label="Kind of question">{buttons}</span>'
        f'<span class="count" id="count" aria-live="polite">{len(rows)} of {len(rows)}</span></div>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Questions put to the oracle">'
        f'<table id="queries-table">{_header(COLUMNS)}<tbody>{"".join(map(_row, rows))}</tbody></table></div>'
        f'<p class="count">{len(data.questions)} answers.{note}</p>'
    )


def waiting_table(data: ReportData) -> str:
    """What was handed in and has no answer yet; empty without any."""
    if not data.handed_waiting:
        return ""
    rows = [(text,) for text in data.handed_waiting]
    return (
        f"<h3>Waiting to be labelled ({len(rows)})</h3>{plain_table(('reason',), rows)}"
        '<p class="count">The next <code>thalweg run</code> labels these before its walkers continue.</p>'
    )


def plain_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A small table of words."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in header)
    body = "".join("<tr>" + "".join(_words(cell, "") for cell in row) + "</tr>" for row in rows)
    return f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def walked_table(data: ReportData) -> str:
    """What was walked, audited and dissociated, start by start and temperature by temperature; empty without any."""
    rows = data.summary.walked
    if not rows:
        return ""
    header = [
        "start",
        "formula",
        "thermostat / K",
        "walked / ps",
        "audits",
        "atoms",
        "within the target",
        "bounds held",
        "dissociated",
    ]
    flowed = any(row.flowed for row in rows)
    table = plain_table(
        [*header, "cell flowed"] if flowed else header, [_walked(row, flowed) for row in rows]
    )
    return (
        f"<h3>What was walked and audited</h3>{table}"
        '<p class="count">The certificate speaks of what was audited, and of nothing else.</p>'
    )


def _walked(row: WalkedRow, flowed: bool) -> tuple[str, ...]:
    within = "nothing is claimed" if row.within is None else f"{100 * row.within:.1f} %"
    blind = f" (and {row.blind_audits} without evidence)" if row.blind_audits else ""
    cells = (
        str(row.start),
        row.formula,
        f"{row.temperature:.0f}",
        f"{row.walked_ps:.4g}",
        f"{row.audits}{blind}",
        str(row.atoms),
        within,
        "" if row.bounds_held is None else f"{100 * row.bounds_held:.1f} %",
        str(row.dissociated),
    )
    return (*cells, str(row.flowed)) if flowed else cells


def failure_table(data: ReportData) -> str:
    """Failures by kind, each with its first message and its calls."""
    failures = data.failures
    if not failures:
        return '<p class="none">Every call gave a label.</p>' if data.questions else ""
    rows = []
    for kind, n in Counter(q.outcome for q in failures).most_common():
        of_kind = [q for q in failures if q.outcome == kind]
        calls = ", ".join(str(q.call) for q in of_kind[:12]) + (" …" if n > 12 else "")
        rows.append((kind.replace("_", " "), str(n), calls, of_kind[0].message))
    return plain_table(("failure", "count", "calls", "first message"), rows)

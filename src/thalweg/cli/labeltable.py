"""What `thalweg labels` shows and does."""

from __future__ import annotations

import dataclasses
import getpass
import re
import socket
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from thalweg.cli.failures import OK, STORE
from thalweg.cli.output import print_json, say, terminal
from thalweg.errors import InputError
from thalweg.report.labelrows import LabelRow, label_rows
from thalweg.store import QuestionRecord, SqliteStore, WithdrawalRecord

_NUMBER = re.compile(r"(q?)([0-9]{1,18})")


def show(folder: Path, *, kind: str | None, worst: int | None, as_json: bool) -> int:
    """Print labels, waiting questions and damaged labels; returns the exit code, STORE where one is damaged."""
    with SqliteStore.read(folder) as store:
        sound, damaged = store.sound_labels()
        questions = store.questions()
        waiting = [question for question in questions if not question.state.is_finished()]
        withdrawals = store.withdrawals()
        say(store.notices)
    rows = label_rows(sound, questions)
    kinds = sorted({row.kind for row in rows})
    if kind is not None and kind not in kinds:
        raise InputError(
            f"--kind {kind}: the run has no such labels; it has {', '.join(kinds) or 'none at all'}"
        )
    rows = [row for row in rows if kind in (None, row.kind)]
    if worst is not None:
        rows = sorted(rows, key=lambda row: -row.unlike)[:worst]
    if as_json:
        print_json(
            {
                "labels": [dataclasses.asdict(row) for row in rows],
                "waiting": [_waiting(question) for question in waiting],
                "withdrawn": [dataclasses.asdict(record) for record in withdrawals],
                "damaged": [dataclasses.asdict(one) for one in damaged],
            }
        )
        return STORE if damaged else OK
    _print(rows, waiting, withdrawals, ranked=worst is not None)
    for one in damaged:
        typer.echo(f"thalweg: {one.what}", err=True)
    return STORE if damaged else OK


def take_out(folder: Path, numbers: str, *, why: str, ask_again: bool, as_json: bool) -> None:
    """Withdraw labels and questions, all of them or none."""
    wanted = _parsed(numbers)
    who = _who()
    with SqliteStore.open(folder, create=False) as store:
        with store.transaction():
            records = [
                (store.withdraw_question if is_question else store.withdraw_label)(
                    number, who=who, why=why, ask_again=ask_again
                )
                for is_question, number in wanted
            ]
        anew = bool(store.withdrawn_since_checkpoint())
    if as_json:
        print_json({"withdrawn": [dataclasses.asdict(record) for record in records], "learn_anew": anew})
        return
    for record in records:
        typer.echo(f"withdrawn: {_in_words(record)}")
    if anew:
        typer.echo("the next `thalweg run` relearns the model without what was withdrawn")


def _parsed(numbers: str) -> list[tuple[bool, int]]:
    """(is it a question, its number) of each; InputError for what is no number."""
    found = []
    for word in numbers.split(","):
        match = _NUMBER.fullmatch(word.strip().lower())
        if match is None:
            raise InputError(
                f"--withdraw {numbers}: expected numbers of labels, or of questions with a q, such as 3,12,q7; "
                f"got {word.strip()!r}"
            )
        found.append((bool(match[1]), int(match[2])))
    return list(dict.fromkeys(found))


def _who() -> str:
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):  # no user of this number is known to the system
        return f"somebody on {socket.gethostname()}"


def _in_words(record: WithdrawalRecord) -> str:
    what = (
        f"question q{record.question_id}" if record.label_number is None else f"label {record.label_number}"
    )
    after = "it may be asked again" if record.ask_again else "its structure is not asked about again"
    return f"{what} ({record.kind}, iteration {record.iteration}); {after}"


def _waiting(question: QuestionRecord) -> dict[str, Any]:
    return {
        "question": f"q{question.id}",
        "kind": question.kind,
        "state": str(question.state),
        "reason": str(question.reason.get("text", "")),
    }


def _print(
    rows: list[LabelRow],
    waiting: list[QuestionRecord],
    withdrawals: list[WithdrawalRecord],
    *,
    ranked: bool,
) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    words = ("structure", "kind", "oracle")
    headings = ("number", "structure", "kind", "iter.", "eV/atom", "eV/Å", "error", "place", "oracle")
    for heading in (*headings, *(["unlike"] if ranked else [])):
        table.add_column(heading, justify="left" if heading in words else "right", no_wrap=True)
    for row in rows:
        cells = [str(row.number), row.formula, row.kind, str(row.iteration), f"{row.energy_per_atom:.4f}"]
        cells += [f"{row.largest_force:.3f}", "-" if row.error is None else f"{row.error:.3f}"]
        cells += ["-" if row.place is None else str(row.place), row.oracle_name]
        table.add_row(*cells, *([f"{row.unlike:.1f}"] if ranked else []))
    terminal().print(table)
    for question in waiting:
        about = _waiting(question)
        typer.echo(f"waiting: {about['question']} ({about['kind']}) {about['reason']}")
    for record in withdrawals:
        typer.echo(f"withdrawn: {_in_words(record)}" + (f": {record.why}" if record.why else ""))

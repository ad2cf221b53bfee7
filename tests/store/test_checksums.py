"""Single bits turned anywhere in the file: what is read is what was written, or StoreError says that it is not."""

import dataclasses

import numpy as np
import pytest
from store_toys import label, structure

from thalweg.errors import StoreError
from thalweg.label import Failure, FailureKind
from thalweg.store import SqliteStore, connecting
from thalweg.store.database import Database
from thalweg.store.encoding import structure_from_columns
from thalweg.store.evidence import DATABASE_NAME
from thalweg.store.questions import QuestionTables


@pytest.fixture
def written(tmp_path):
    """A store with something in every table; its bytes, and all that is read from them."""
    with SqliteStore.open(tmp_path) as store:
        store.start_run({"seed": 1}, structures=[structure(0), structure(1)])
        store.set_meta("reference_energies", {"8": -100.25, "1": -13.5})
        for k in range(6):
            said = {"forces": np.full((3, 3), 0.1 * k), "energy": np.array(0.5)}
            number = store.add_question(structure(k), "query", iteration=k, reason={"k": k}, prediction=said)
            store.record_failure(number, 0, Failure(FailureKind.CRASHED, "boom", "log"))
            store.commit_label(structure(k), label(k), kind="query", iteration=k, question_id=number)
            store.append_event(k, "learned", f"line {k}")
            store.append_metrics(k, {"rmse": 0.1 * k})
            store.save_checkpoint(k, {"k": k}, {"big": np.arange(50.0)})
        store.withdraw_label(6, who="me", why="wrong")
    path = tmp_path / DATABASE_NAME
    return path, path.read_bytes(), all_that_is_read(path)


def all_that_is_read(path):
    """Everything, as text; notices are part of it."""
    with SqliteStore.read(path.parent) as store:
        labels = [
            (
                r.structure.content_hash,
                r.label.energy,
                r.label.forces.tolist(),
                r.label.noise,
                r.sequence,
                r.number,
            )
            for r in store.all_labels()
        ]
        questions = [
            (
                q.id,
                q.structure_hash,
                q.kind,
                q.reason,
                q.state,
                {n: a.tolist() for n, a in q.prediction.items()},
            )
            for q in store.questions()
        ]
        hashes = [q.structure_hash for q in store.questions()]
        checkpoint = store.last_checkpoint()
        return repr(
            (
                labels,
                [store.find_label(name, label(0).oracle) is None for name in hashes],
                questions,
                [store.structure(name).content_hash for name in hashes],
                dataclasses.astuple(checkpoint)[:2],
                {name: array.tolist() for name, array in checkpoint.arrays.items()},
                store.events(),
                store.metrics(),
                store.attempts(),
                store.runs(),
                store.meta("reference_energies"),
                store.withdrawals(),
                store.counts(),
                store.notices,
            )
        )


def outcomes(path, data, told, positions):
    """How many turned bits change nothing, are noticed, and are read as if they were whole."""
    same = noticed = unnoticed = 0
    for position in positions:
        turned = bytearray(data)
        turned[position // 8] ^= 1 << (position % 8)
        path.write_bytes(turned)
        try:
            found = all_that_is_read(path)
        except StoreError:
            noticed += 1
            continue
        if found == told:
            same += 1
        elif "damaged" in found:
            noticed += 1
        else:
            unnoticed += 1
    return same, noticed, unnoticed


def test_no_turned_bit_is_read_as_if_it_were_whole(written):
    path, data, told = written
    same, noticed, unnoticed = outcomes(path, data, told, range(5, 8 * len(data), 4447))
    assert unnoticed == 0
    assert noticed > 20
    assert same > 20


def test_without_the_checks_some_would_be(written, monkeypatch):
    path, data, told = written
    positions = range(5, 8 * len(data), 4447)
    monkeypatch.setattr(
        Database, "_whole", lambda self, table, values: dict(zip(table.columns, values, strict=False))
    )
    monkeypatch.setattr(
        QuestionTables, "_checked", lambda self, name, columns: structure_from_columns(*columns)
    )
    monkeypatch.setattr(connecting, "check_whole", lambda connection, path: None)
    try:
        _, _, unnoticed = outcomes(path, data, told, positions)
    except Exception:
        unnoticed = 1
    assert unnoticed > 0

"""Stores that an older Thalweg wrote."""

import sqlite3
import time

import pytest
from store_toys import ORACLE, label, structure

from thalweg.errors import StoreError
from thalweg.store import SqliteStore
from thalweg.store.encoding import structure_columns, to_blob
from thalweg.store.evidence import DATABASE_NAME
from thalweg.store.migrations import MIGRATIONS, SCHEMA_VERSION, migrate, version_of


@pytest.fixture
def first_version(tmp_path):
    """A run of schema 1: three labels, two of them learned, the later one first in the table."""
    connection = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    migrate(connection, MIGRATIONS[:1])
    for k, place in ((1, 2), (0, 1), (2, None)):
        one = label(k)
        name = structure(k).content_hash
        connection.execute(
            "INSERT INTO structures VALUES (?, ?, ?, ?, ?)", (name, *structure_columns(structure(k))[:4])
        )
        question = (k + 1, name, "query", k, "{}", None, "done", 1.0)
        connection.execute("INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", question)
        connection.execute(
            "INSERT INTO labels VALUES (?, ?, ?, ?, NULL, ?, ?, 'query', ?, ?, ?, ?)",
            (name, ORACLE, one.energy, to_blob(one.forces), to_blob([0, 0, 0]), 0.5, k, k + 1, place, 2.0),
        )
    connection.execute("INSERT INTO attempts VALUES (1, 0, 'crashed', 'boom', 'log', ?, 0.1, 3.0)", (ORACLE,))
    empty = b"PK\x05\x06" + bytes(18)
    connection.execute(
        "INSERT INTO checkpoints VALUES (4, '{\"k\":4}', ?, 3, 2, 0, 0, ?)", (empty, time.time())
    )
    connection.execute("INSERT INTO meta VALUES ('audits_made', '7')")
    connection.execute("INSERT INTO runs VALUES (1, '{\"seed\":1}', '{}', 1.0)")
    connection.close()
    return tmp_path


def check(store):
    assert [record.label.energy for record in store.labels_in_order()] == [label(0).energy, label(1).energy]
    assert [record.number for record in store.all_labels()] == [1, 2, 3]
    assert store.last_checkpoint().state == {"k": 4}
    assert store.attempts(1)[0].failure.message == "boom"
    assert store.meta("audits_made") == 7
    assert store.runs()[0].structures is None
    assert store.start_structures() is None
    assert store.withdrawals() == []
    assert store.notices == []


def test_an_older_store_is_brought_up_to_date_with_all_that_is_in_it(first_version):
    with SqliteStore.open(first_version) as store:
        assert version_of(store._connection) == SCHEMA_VERSION
        check(store)
        store._execute("UPDATE labels SET energy = 0.0 WHERE id = 1")
        with pytest.raises(StoreError, match="label 1 is damaged"):
            store.labels_in_order()


def test_an_older_store_can_be_read_without_being_changed(first_version):
    before = (first_version / DATABASE_NAME).read_bytes()
    with SqliteStore.read(first_version) as store:
        check(store)
        with pytest.raises(StoreError, match="read-only"):
            store.append_event(0, "info", "text")
    assert (first_version / DATABASE_NAME).read_bytes() == before

"""A folder that shows that a run has been in it is not begun anew where its database is gone."""

import json
import shutil
import sqlite3

import pytest
from store_toys import label, structure

from thalweg.errors import StoreError
from thalweg.store import EmptyStoreError, SqliteStore
from thalweg.store.evidence import DATABASE_NAME

REMAINS = {
    "summary": ("summary.json", json.dumps({"n_labels": 3})),
    "model": ("model/potential.json", "{}"),
    "log": ("thalweg.log", "2026-11-28 18:00:00 label 1 learned\n"),
    "write-ahead log": (f"{DATABASE_NAME}-wal", "x" * 32),
}
UNRELATED = {
    "nothing": ("notes.txt", "mine"),
    "a summary of no label": ("summary.json", json.dumps({"n_labels": 0})),
    "a summary of something else": ("summary.json", json.dumps({"steps": 5})),
    "a traceback": ("thalweg.log", "2026-11-28T18:00:00+00:00 unexpected error\nTraceback ...\n"),
    "an empty write-ahead log": (f"{DATABASE_NAME}-wal", ""),
}


def lay(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def missing(folder):
    pass


def without_a_byte(folder):
    (folder / DATABASE_NAME).touch()


def without_a_table(folder):
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert (folder / DATABASE_NAME).stat().st_size > 0


# SQLite finds by itself whether a log belongs to a file with a page in it
CASES = [
    (database, remains)
    for database in (missing, without_a_byte, without_a_table)
    for remains in REMAINS
    if (database, remains) != (without_a_table, "write-ahead log")
]


@pytest.mark.parametrize(("database", "remains"), CASES)
def test_an_empty_database_beside_remains_of_a_run_is_refused(tmp_path, database, remains):
    database(tmp_path)
    name, text = REMAINS[remains]
    lay(tmp_path, name, text)
    for opening in (SqliteStore.open, SqliteStore.read):
        with pytest.raises(StoreError, match=rf"(?s){name}.*Restore thalweg\.db from a copy.*--run"):
            opening(tmp_path)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("other", UNRELATED)
@pytest.mark.parametrize("database", [missing, without_a_byte, without_a_table])
def test_where_no_label_was_made_a_run_begins(tmp_path, database, other):
    database(tmp_path)
    lay(tmp_path, *UNRELATED[other])
    with SqliteStore.open(tmp_path) as store:
        assert store.all_labels() == []


@pytest.mark.parametrize("database", [without_a_byte, without_a_table])
def test_a_run_that_has_only_just_begun_holds_nothing_yet(tmp_path, database):
    database(tmp_path)
    with pytest.raises(EmptyStoreError, match="just started"):
        SqliteStore.read(tmp_path)


def test_a_database_copied_without_its_log_is_refused_where_the_summary_tells_of_more(tmp_path):
    run, copy = tmp_path / "run", tmp_path / "copy"
    copy.mkdir()
    with SqliteStore.open(run) as store:
        for k in range(3):
            store.commit_label(structure(k), label(k), kind="seed", iteration=0)
        shutil.copyfile(run / DATABASE_NAME, copy / DATABASE_NAME)
    lay(copy, *REMAINS["summary"])
    with pytest.raises(StoreError, match=r"holds 0 labels, but summary\.json counts 3.*thalweg\.db-wal"):
        SqliteStore.open(copy)
    with SqliteStore.read(copy) as store:
        assert "counts 3" in store.notices[0]
    lay(run, *REMAINS["summary"])
    with SqliteStore.open(run) as store:  # the control: whole, and one that was withdrawn counts
        store.withdraw_label(2, who="me", why="")
    with SqliteStore.open(run) as store:
        assert len(store.all_labels()) == 2


def test_after_a_clean_end_the_database_stands_alone(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        for k in range(3):
            store.commit_label(structure(k), label(k), kind="seed", iteration=0)
        assert (tmp_path / "run" / f"{DATABASE_NAME}-wal").stat().st_size > 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [DATABASE_NAME, "thalweg.lock"]
    (tmp_path / "copy").mkdir()
    shutil.copyfile(tmp_path / "run" / DATABASE_NAME, tmp_path / "copy" / DATABASE_NAME)
    with SqliteStore.read(tmp_path / "copy") as store:
        assert len(store.all_labels()) == 3


def test_a_copy_taken_while_a_run_writes_stands_alone(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        store.commit_label(structure(0), label(0), kind="seed", iteration=0)
        with SqliteStore.read(tmp_path / "run") as reader:
            reader.copy_to(tmp_path / "copy" / DATABASE_NAME)
        store.commit_label(structure(1), label(1), kind="seed", iteration=0)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [DATABASE_NAME]
    with SqliteStore.open(tmp_path / "copy") as store:
        assert [record.label.energy for record in store.all_labels()] == [label(0).energy]

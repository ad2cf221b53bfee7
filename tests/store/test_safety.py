"""What may happen to a run folder: kill -9, a full disk, two writers, damage, other versions, read-only."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from store_toys import label, structure

from thalweg.errors import StoreError
from thalweg.store import SqliteStore
from thalweg.store.connecting import on_network_disk
from thalweg.store.evidence import DATABASE_NAME
from thalweg.store.lock import LOCK_NAME
from thalweg.store.migrations import MIGRATIONS, SCHEMA_VERSION, migrate, version_of

WRITER = """
import sys
import numpy as np
from store_toys import label, structure
from thalweg.store import SqliteStore
with SqliteStore.open(sys.argv[1]) as store:
    start = len(store.all_labels())
    print("open", flush=True)
    for k in range(start, 100000):
        with store.transaction():
            number = store.add_question(structure(k), "query", iteration=k)
            store.commit_label(structure(k), label(k), kind="query", iteration=k, question_id=number)
            store.save_checkpoint(k, {"k": k}, {"big": np.full(20000, float(k))})
        print(k, flush=True)
"""


def start_writer(folder):
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-c", WRITER, str(folder)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )


def test_kill_9_in_the_middle_of_writing_loses_nothing(tmp_path):
    draw = np.random.default_rng(0)
    for _ in range(10):
        with start_writer(tmp_path) as writer:
            assert writer.stdout.readline() == "open\n"
            time.sleep(draw.uniform(0.0, 0.05))
            writer.send_signal(signal.SIGKILL)
            committed = [int(line) for line in writer.stdout.read().split()]
        with SqliteStore.open(tmp_path) as store:
            assert store._value("PRAGMA integrity_check") == "ok"
            records = store.labels_in_order()
            checkpoint = store.last_checkpoint()
            questions = store.questions()
        assert [record.iteration for record in records] == list(range(len(records)))
        assert len(records) > max(committed, default=-1)
        assert len(questions) == len(records)
        for k, record in enumerate(records):
            assert record.label.energy == label(k).energy
        if checkpoint is not None:
            assert checkpoint.iteration == len(records) - 1
            assert (checkpoint.arrays["big"] == checkpoint.state["k"]).all()
    assert len(records) > 10


def test_a_full_disk_is_said_and_leaves_whole_transactions(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        store.commit_label(structure(0), label(0), kind="seed", iteration=0)
        pages = store._value("PRAGMA page_count")
        store._execute(f"PRAGMA max_page_count = {pages + 4}")

        def answer():
            with store.transaction():
                store.commit_label(structure(1), label(1), kind="query", iteration=1)
                store.save_checkpoint(1, {}, {"big": np.zeros(100_000)})

        with pytest.raises(StoreError, match="disk is full; free some space"):
            answer()
        assert len(store.all_labels()) == 1
        assert store.last_checkpoint() is None
        store._execute(f"PRAGMA max_page_count = {pages + 10_000}")
        store.save_checkpoint(1, {}, {"big": np.zeros(100_000)})
        assert store._value("PRAGMA integrity_check") == "ok"


def test_two_writers_in_one_folder_are_kept_apart(tmp_path):
    with start_writer(tmp_path) as writer:
        writer.stdout.readline()
        with pytest.raises(StoreError, match=rf"in use by process {writer.pid} on .*another folder"):
            SqliteStore.open(tmp_path)
        writer.kill()
    with SqliteStore.open(tmp_path) as store:
        assert store.writable


def test_the_lock_speaks_without_a_name_too(tmp_path):
    with SqliteStore.open(tmp_path):
        (tmp_path / LOCK_NAME).write_text("")
        with pytest.raises(StoreError, match="in use by another process"):
            SqliteStore.open(tmp_path)


def fill(folder, n=60):
    with SqliteStore.open(folder) as store, store.transaction():
        for k in range(n):
            store.commit_label(structure(k), label(k), kind="query", iteration=k)
    return folder / DATABASE_NAME


def test_damage_is_found_at_opening(tmp_path):
    path = fill(tmp_path)
    data = bytearray(path.read_bytes())
    data[4096:-4096:7] = b"\x5a" * len(data[4096:-4096:7])
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged.*restore it from a copy"):
        SqliteStore.open(tmp_path)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path):
    (tmp_path / DATABASE_NAME).write_bytes(b"this is text, not a database " * 100)
    for opening in (SqliteStore.open, SqliteStore.read):
        with pytest.raises(StoreError, match="not a database"):
            opening(tmp_path)


def test_a_foreign_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / DATABASE_NAME) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="not one that Thalweg wrote"):
        SqliteStore.open(tmp_path)
    with sqlite3.connect(tmp_path / DATABASE_NAME) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    connection.close()


def test_a_newer_schema_is_refused_with_the_cure(tmp_path):
    path = fill(tmp_path, 1)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for opening in (SqliteStore.open, SqliteStore.read):
        with pytest.raises(StoreError, match=r"newer Thalweg.*pip install --upgrade thalweg"):
            opening(tmp_path)


def test_migrations_run_once_each_and_whole(tmp_path):
    fill(tmp_path, 1)
    connection = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)

    def add_column(db):
        db.execute("ALTER TABLE labels ADD COLUMN cost REAL")

    def fail(db):
        db.execute("ALTER TABLE labels ADD COLUMN half REAL")
        raise RuntimeError("power cut")

    def columns():
        return {row[1] for row in connection.execute("PRAGMA table_info(labels)")}

    with pytest.raises(RuntimeError, match="power cut"):
        migrate(connection, (*MIGRATIONS, add_column, fail))
    assert version_of(connection) == SCHEMA_VERSION + 1
    assert "cost" in columns()
    assert "half" not in columns()
    assert migrate(connection, (*MIGRATIONS, add_column)) == SCHEMA_VERSION + 1
    assert connection.execute("SELECT count(*) FROM labels").fetchone() == (1,)
    connection.close()


def test_no_run_folder_is_a_clear_error(tmp_path):
    with pytest.raises(StoreError, match="no run folder"):
        SqliteStore.read(tmp_path / "none")
    with pytest.raises(StoreError, match="no run folder"):
        SqliteStore.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the run folder"):
        SqliteStore.open(tmp_path / "file" / "run")


def test_a_read_only_folder_is_a_clear_error_for_the_writer(tmp_path):
    fill(tmp_path, 1)
    (tmp_path / LOCK_NAME).unlink()
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user writes everywhere")
        with pytest.raises(StoreError, match="Give write permission"):
            SqliteStore.open(tmp_path)
    finally:
        tmp_path.chmod(0o755)


def test_a_copy_taken_from_a_killed_run_can_be_read_where_nothing_may_be_written(tmp_path):
    run, copy = tmp_path / "run", tmp_path / "copy"
    with SqliteStore.open(run) as store:
        store.commit_label(structure(0), label(0), kind="seed", iteration=0)
        copy.mkdir()
        for name in (DATABASE_NAME, DATABASE_NAME + "-wal"):
            shutil.copyfile(run / name, copy / name)
    copy.chmod(0o555)
    try:
        with SqliteStore.read(copy) as store:
            assert len(store.labels_in_order()) == 1
    finally:
        copy.chmod(0o755)


def test_network_disks_are_told_by_the_table_of_mounts(tmp_path):
    local = "/dev/sda1 / ext4 rw 0 0\n"
    assert not on_network_disk(tmp_path, local)
    assert on_network_disk(tmp_path, local + f"server:/x {tmp_path.resolve()} nfs4 rw 0 0\n")
    assert not on_network_disk(tmp_path, local + f"server:/x {tmp_path.resolve()}/deeper nfs4 rw 0 0\n")


def test_on_a_network_disk_the_classic_journal_takes_over(tmp_path, monkeypatch):
    monkeypatch.setattr("thalweg.store.connecting.on_network_disk", lambda folder: True)
    with SqliteStore.open(tmp_path) as store:
        assert store._value("PRAGMA journal_mode") == "delete"
        assert store._value("PRAGMA synchronous") == 2
        assert store.commit_label(structure(0), label(0), kind="seed", iteration=0) == 1

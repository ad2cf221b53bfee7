"""The database file under other names, and one that is moved, removed or replaced while it is open."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from store_toys import label, structure

from thalweg.cli.runstate import Activity, read_state
from thalweg.errors import StoreError
from thalweg.store import SqliteStore
from thalweg.store.evidence import DATABASE_NAME
from thalweg.store.file import DatabaseFile, identity_of, process_holding
from thalweg.store.lock import LOCK_NAME

HOLD = """
import sys
from thalweg.store import SqliteStore
with SqliteStore.open(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def begin(folder, n=1):
    with SqliteStore.open(folder) as store:
        for k in range(n):
            store.commit_label(structure(k), label(k), kind="seed", iteration=0)
    return folder


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the store in `tmp_path`/run open."""
    begin(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()


def linked(folder, names):
    """A folder with hard links to these files, as `cp -al` makes them."""
    other = folder.with_name("linked")
    other.mkdir()
    for name in names:
        if (folder / name).exists():
            os.link(folder / name, other / name)
    return other


EVERY_NAME = [DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", LOCK_NAME]


@pytest.mark.parametrize("names", [EVERY_NAME, [DATABASE_NAME]], ids=["all files", "the database alone"])
def test_hard_links_are_one_lock(tmp_path, holder, names):
    other = linked(tmp_path / "run", names)
    named = rf"process {holder.pid}\b"
    tells = process_holding(identity_of(other / DATABASE_NAME)) is not None  # some file systems do not
    with pytest.raises(StoreError, match="in use by " + (named if tells else f"({named}|another process)")):
        SqliteStore.open(other)
    assert not tells or read_state(other).activity is Activity.RUNNING
    assert not tells or read_state(other).holder["pid"] == holder.pid
    holder.stdin.close()
    holder.wait()
    assert read_state(other).activity is Activity.INTERRUPTED
    with SqliteStore.open(other) as store:  # the control: the way is free
        assert len(store.all_labels()) == 1


def test_a_symbolic_link_to_the_folder_is_one_lock(tmp_path, holder):
    (tmp_path / "other").symlink_to(tmp_path / "run")
    with pytest.raises(StoreError, match=f"in use by process {holder.pid} on"):
        SqliteStore.open(tmp_path / "other")


def test_a_symbolic_link_to_the_file_is_one_lock(tmp_path, holder):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / DATABASE_NAME).symlink_to(tmp_path / "run" / DATABASE_NAME)
    with pytest.raises(StoreError, match=rf"in use by (process {holder.pid}\b|another process)"):
        SqliteStore.open(tmp_path / "other")


def test_two_names_in_one_process_are_one_lock_and_leave_the_first_as_it_was(tmp_path):
    begin(tmp_path / "run")
    other = linked(tmp_path / "run", [DATABASE_NAME])
    with SqliteStore.open(tmp_path / "run") as store:
        with pytest.raises(StoreError, match="in use by this process, as"):
            SqliteStore.open(other)
        store.commit_label(structure(1), label(1), kind="seed", iteration=0)
    with SqliteStore.open(other) as store:
        assert len(store.all_labels()) == 2


def remove(folder):
    (folder / DATABASE_NAME).unlink()


def replace(folder):
    begin(folder.with_name("strange"), 5)
    shutil.copyfile(folder.with_name("strange") / DATABASE_NAME, folder / "new")
    (folder / "new").replace(folder / DATABASE_NAME)


def empty_anew(folder):
    (folder / DATABASE_NAME).unlink()
    (folder / DATABASE_NAME).touch()


@pytest.mark.parametrize("what", [remove, replace, empty_anew])
def test_a_database_that_is_gone_is_noticed_at_once_and_what_it_held_is_saved(tmp_path, what):
    run = tmp_path / "run"
    with SqliteStore.open(run) as store:
        store.commit_label(structure(0), label(0), kind="seed", iteration=0)
        what(run)
        with pytest.raises(StoreError, match=r"was (removed|replaced).*All its labels are in") as raised:
            store.commit_label(structure(1), label(1), kind="seed", iteration=0)
        rescued = run / f"{DATABASE_NAME}.rescued"
        assert str(rescued) in str(raised.value)
        with pytest.raises(StoreError, match=r"was (removed|replaced)"):
            store.append_event(0, "info", "still")
    assert not (run / f"{DATABASE_NAME}.rescued-2").exists()
    (tmp_path / "again").mkdir()
    rescued.rename(tmp_path / "again" / DATABASE_NAME)
    with SqliteStore.open(tmp_path / "again") as store:
        assert [record.label.energy for record in store.all_labels()] == [label(0).energy]


def test_a_label_that_arrived_while_the_file_was_gone_is_saved_too(tmp_path):
    run = tmp_path / "run"

    def answer(store):
        with store.transaction():
            store.commit_label(structure(0), label(0), kind="seed", iteration=0)
            remove(run)

    with SqliteStore.open(run) as store, pytest.raises(StoreError, match="was removed"):
        answer(store)
    (tmp_path / "again").mkdir()
    (run / f"{DATABASE_NAME}.rescued").rename(tmp_path / "again" / DATABASE_NAME)
    with SqliteStore.open(tmp_path / "again") as store:
        assert len(store.all_labels()) == 1


def test_what_took_the_place_of_the_database_is_left_whole(tmp_path):
    run = tmp_path / "run"
    with SqliteStore.open(run) as store:
        store.commit_label(structure(9), label(9), kind="seed", iteration=0)
        replace(run)
        with pytest.raises(StoreError, match="was replaced"):
            store.append_event(0, "info", "text")
    with SqliteStore.open(run) as store:
        assert [record.label.energy for record in store.all_labels()] == [label(k).energy for k in range(5)]


def test_a_folder_that_was_moved_is_found_again(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        store.commit_label(structure(0), label(0), kind="seed", iteration=0)
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        with pytest.raises(StoreError, match=rf"was moved to {re.escape(str(tmp_path / 'elsewhere'))}"):
            store.append_event(0, "info", "text")
    with SqliteStore.open(tmp_path / "elsewhere") as store:
        assert len(store.all_labels()) == 1


def test_a_folder_that_was_removed_leaves_its_labels_beside(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        store.commit_label(structure(0), label(0), kind="seed", iteration=0)
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(StoreError, match=r"continue with --run .*run\.rescued"):
            store.append_event(0, "info", "text")
    with SqliteStore.open(tmp_path / "run.rescued") as store:
        assert len(store.all_labels()) == 1


def test_a_file_knows_where_it_is(tmp_path):
    path = tmp_path / "file"
    file = DatabaseFile(path)
    assert file.is_in_place()
    assert file.found_at() == path
    assert identity_of(path) == file.identity
    path.rename(tmp_path / "other")
    assert not file.is_in_place()
    assert file.found_at() == tmp_path / "other"
    (tmp_path / "other").unlink()
    assert file.found_at() is None
    file.release()
    assert Path(tmp_path).is_dir()

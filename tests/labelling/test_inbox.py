"""Outcomes that wait for the store: to the last bit, once, and whole or not at all."""

import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from road import argon, asked, labeller_on

from thalweg.errors import StoreError
from thalweg.label import Failure, FailureKind, Label, LabelNoise
from thalweg.labelling import inbox as module
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.inbox import Inbox, Ticket
from thalweg.labelling.scratch import Scratch
from thalweg.store import SqliteStore

TICKET = Ticket(7, argon().content_hash, 1)


def a_label(energy=-1.25):
    rng = np.random.default_rng(0)
    noise = LabelNoise(1e-3, 2e-3, 3e-3)
    return Label(energy, rng.normal(size=(4, 3)), rng.normal(size=6), noise, "oracle", 0.5)


def test_a_label_comes_back_to_the_last_bit(tmp_path):
    inbox = Inbox(tmp_path / "arrived")
    inbox.put(TICKET, a_label())
    ((ticket, found),) = inbox.outcomes()
    assert ticket == TICKET
    assert (found.energy, found.noise, found.oracle, found.wall_time) == (
        -1.25,
        LabelNoise(1e-3, 2e-3, 3e-3),
        "oracle",
        0.5,
    )
    assert np.array_equal(found.forces, a_label().forces)
    assert np.array_equal(found.stress, a_label().stress)
    assert inbox.get(TICKET).energy == found.energy
    inbox.drop(TICKET)
    assert inbox.get(TICKET) is None
    assert list(inbox.outcomes()) == []


def test_a_failure_comes_back(tmp_path):
    inbox = Inbox(tmp_path)
    failure = Failure(FailureKind.TIMED_OUT, "too slow", "log\nof it", "oracle", 9.0)
    inbox.put(TICKET, failure)
    assert inbox.get(TICKET) == failure


def test_the_first_outcome_under_a_ticket_stays(tmp_path):
    inbox = Inbox(tmp_path)
    inbox.put(TICKET, a_label(1.0))
    inbox.put(TICKET, Failure(FailureKind.TIMED_OUT, "late"))
    assert inbox.get(TICKET).energy == 1.0


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_what_is_not_whole_is_no_outcome(tmp_path, keep):
    inbox = Inbox(tmp_path)
    inbox.put(TICKET, a_label())
    path = tmp_path / TICKET.name
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    assert list(inbox.outcomes()) == []
    assert not path.exists()


def test_outcomes_of_many_threads_are_all_there(tmp_path):
    inbox = Inbox(tmp_path)
    tickets = [Ticket(n, argon(n).content_hash, k) for n in range(8) for k in range(2)]
    threads = [threading.Thread(target=inbox.put, args=(one, a_label())) for one in tickets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ticket for ticket, _ in inbox.outcomes()] == tickets


def test_workers_that_are_left_are_waited_for_and_named(tmp_path, monkeypatch):
    inbox = Inbox(tmp_path)
    held = inbox.claim()  # shared, as a worker would hold it
    monkeypatch.setattr(module, "LONGEST_LEFT_OVER", 0.1)
    with pytest.raises(StoreError, match="workers of an earlier run"):
        inbox.claim()
    monkeypatch.setattr(module, "LONGEST_LEFT_OVER", 30.0)
    timer = threading.Timer(0.2, os.close, (held,))
    timer.start()
    claimed = inbox.claim()
    other = os.open(tmp_path / "workers.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(claimed)
    os.close(other)


def test_what_was_left_behind_is_taken_in_before_anything_is_forgotten(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        number = store.add_question(argon(), "query", iteration=3)
        Inbox.of(store.folder).put(Ticket(number, argon().content_hash, 0), a_label())
        Inbox.of(store.folder).put(Ticket(number + 1, argon(1).content_hash, 0), a_label())  # of nobody
        with Arrivals(store):
            store.rewind()
            (record,) = store.all_labels()
        assert record.structure.content_hash == argon().content_hash
        assert (record.kind, record.iteration, record.question_id) == ("query", 3, number)
        assert not (store.folder / "arrived").exists()


def test_an_answer_in_the_inbox_counts_before_the_failure_of_its_worker(tmp_path):
    from concurrent.futures import Future

    from thalweg.labelling.executors.serial import SerialExecutor

    class Ending(SerialExecutor):
        """The worker has left its answer, and died before it could give it."""

        runs_here = True

        def submit(self, fn, /, *args, **kwargs):
            (call,) = args
            Inbox(tmp_path / "run" / "arrived").put(*fn(call))
            future: Future = Future()
            future.set_exception(TimeoutError("no answer within the time limit"))
            return future

    from road import Rogue

    with labeller_on(tmp_path, Rogue(), Ending()) as (labeller, store):
        (reply,) = labeller.ask([asked()])
        assert reply.label is not None
        assert (reply.calls, reply.failures) == (1, ())
        assert store.attempts() == []


# --- scratch ----------------------------------------------------------------------------------------------------


def test_scratch_of_a_killed_run_is_removed_at_the_next_start(tmp_path):
    left = Scratch(tmp_path / "run", place=tmp_path / "scratch").fresh()
    (left / "wavefunction").write_bytes(b"x")
    other = Scratch(tmp_path / "other", place=tmp_path / "scratch").fresh()
    again = Scratch(tmp_path / "run", place=tmp_path / "scratch")
    assert not left.exists()
    assert other.exists()
    assert again.fresh() == left


def test_folders_are_made_while_others_are_removed(tmp_path):
    scratch = Scratch(tmp_path / "run", place=tmp_path)

    def use():
        for _ in range(300):
            scratch.release(scratch.fresh())

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(use) for _ in range(4)]:
            future.result()
    assert not scratch._root.exists()


def test_a_link_in_place_of_the_scratch_folder_is_refused(tmp_path):
    from thalweg.errors import SetupError

    scratch = Scratch(tmp_path / "run", place=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    scratch._root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SetupError, match="scratch"):
        scratch.fresh()

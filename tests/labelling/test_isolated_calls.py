"""Whatever an oracle does, its call is a label or a typed failure, and the run is as it was before."""

import os
import random
import signal
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from road import Rogue, argon, asked, labeller_on

from thalweg.errors import SetupError
from thalweg.label import FailureKind, Label
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.executors.process import WorkerPool
from thalweg.labelling.executors.serial import SerialExecutor
from thalweg.labelling.inbox import Ticket
from thalweg.labelling.source import OracleSource, hold
from thalweg.store import SqliteStore

EVERYWHERE = {
    "exits": FailureKind.CRASHED,
    "raises": FailureKind.CRASHED,
    "returns_nothing": FailureKind.IMPLAUSIBLE,
    "returns_a_tuple": FailureKind.IMPLAUSIBLE,
    "returns_another_oracles_label": FailureKind.IMPLAUSIBLE,
    "moves_the_atoms": FailureKind.IMPLAUSIBLE,
    "returns_too_few_forces": FailureKind.IMPLAUSIBLE,
    "returns_nan": FailureKind.IMPLAUSIBLE,
}
"""What an oracle may do, and what that is called; wrong shapes are exceptions of the Label itself."""


def workers(oracle, n=1, **settings):
    return WorkerPool(n, initializer=hold, initargs=(OracleSource.of(oracle),), **settings)


@pytest.mark.parametrize("does", [*EVERYWHERE, "returns_flat_forces", "returns_transposed_forces"])
def test_in_this_process_it_is_a_typed_failure(tmp_path, does):
    with labeller_on(tmp_path, Rogue(does=does)) as (labeller, store):
        (reply,) = labeller.ask([asked()])
        assert reply.label is None
        if does in EVERYWHERE:
            assert {failure.kind for failure in reply.failures} == {EVERYWHERE[does]}
        for failure in reply.failures:
            assert 0 < len(failure.message) < 2000
            assert len(failure.log) < 20_000
            (failure.message + failure.log).encode()  # may be written anywhere
        assert store.all_labels() == []
        (sound,) = labeller.ask([asked(1)]) if not does else (None,)
        assert sound is None


@pytest.mark.parametrize(
    ("does", "kind", "words"),
    [
        ("exits", FailureKind.CRASHED, "SystemExit"),
        ("dies", FailureKind.CRASHED, "exit code 0"),
        ("segfaults", FailureKind.CRASHED, "signal 11"),
        ("hangs", FailureKind.TIMED_OUT, "time limit"),
    ],
)
def test_in_a_worker_it_is_a_typed_failure_and_leaves_nothing_behind(
    tmp_path, monkeypatch, does, kind, words
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    oracle = Rogue(does=does)
    with labeller_on(tmp_path, oracle, workers(oracle, time_limit=2.0 if does == "hangs" else 300.0)) as (
        labeller,
        _,
    ):
        (reply,) = labeller.ask([asked()])
        assert reply.label is None
        assert reply.failures[0].kind is kind
        assert words in reply.failures[0].message
        assert not list((tmp_path / "tmp").glob("*/*"))
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("where", ["here", "worker"])
def test_a_call_leaves_the_run_as_it_was(tmp_path, monkeypatch, capfd, where):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    np.random.seed(3)
    random.seed(3)
    before = np.random.get_state()[1].tolist(), random.getstate()
    oracle = Rogue(does="litters")
    with labeller_on(tmp_path, oracle, workers(oracle) if where == "worker" else None) as (labeller, _):
        (reply,) = labeller.ask([asked()])
    assert isinstance(reply.label, Label)
    assert Path.cwd() == tmp_path
    assert not (tmp_path / "wavefunction").exists()
    assert capfd.readouterr() == ("", "")
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert np.geterr()["divide"] == "warn"


@pytest.mark.parametrize("where", ["here", "workers", "threads"])
def test_no_call_finds_what_another_has_left(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    oracle = Rogue(does="reads_what_was_left")
    pools = {
        "here": SerialExecutor,
        "workers": lambda: workers(oracle, 2),
        "threads": lambda: ThreadPoolExecutor(3),
    }
    with labeller_on(tmp_path, oracle, pools[where]()) as (labeller, _):
        replies = labeller.ask([asked(k) for k in range(8)], width=4)
    true = [Rogue().label(argon(k)).energy for k in range(8)]
    assert [reply.label.energy for reply in replies] == true
    assert len(set(true)) == 8
    assert not (tmp_path / "job.out").exists()


def test_global_random_numbers_give_the_same_label_whatever_came_before(tmp_path):
    oracle = Rogue(does="adds_global_noise")
    energies = []
    for number, order in enumerate(([0, 1, 2], [2, 1, 0])):
        with labeller_on(tmp_path / str(number), oracle) as (labeller, _):
            replies = labeller.ask([asked(k) for k in order])
        energies.append([reply.label.energy for reply in replies])
    assert energies[0] == energies[1][::-1]
    assert energies[0] != [Rogue().label(argon(k)).energy for k in range(3)]


def test_files_of_a_failed_call_are_kept_within_the_size_stated(tmp_path):
    class Failing(Rogue):
        def _litters(self, structure, label):
            Path("log.txt").write_text("what went wrong")
            Path("wavefunction").write_bytes(b"x" * 3_000_000)
            raise RuntimeError("no")

    with labeller_on(tmp_path, Failing(does="litters"), keep=1.0) as (labeller, store):
        (reply,) = labeller.ask([asked()])
        assert reply.calls == 3
    kept = sorted(path.relative_to(store.folder).as_posix() for path in store.folder.rglob("log.txt"))
    assert kept == [f"failed/question{reply.question_id}-attempt{k}/log.txt" for k in range(3)]
    assert not list(store.folder.rglob("wavefunction"))
    with labeller_on(tmp_path, Failing(does="litters"), keep=0.0) as (labeller, store):
        (again,) = labeller.ask([asked(1)])
    assert not list((store.folder / "failed").glob(f"question{again.question_id}-*"))


# --- executors that are not ours --------------------------------------------------------------------------------


def test_a_late_answer_is_a_failure_and_is_dropped(tmp_path):
    class Slow(Rogue):
        def label(self, structure, attempt=0):
            import time

            time.sleep(1.0 if structure.content_hash == argon(0).content_hash else 0.0)
            return super().label(structure, attempt)

    pool = ThreadPoolExecutor(8)
    with labeller_on(tmp_path, Slow(), pool, time_limit=0.2) as (labeller, store):
        (late,) = labeller.ask([asked(0)])
        assert late.label is None
        assert {failure.kind for failure in late.failures} == {FailureKind.TIMED_OUT}
        pool.shutdown(wait=True)  # by now the answers have come
        labeller.keep()
        assert store.all_labels() == []


def test_a_broken_pool_of_the_standard_library_is_a_failure_and_then_an_error(tmp_path):
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with labeller_on(tmp_path, Rogue(does="dies"), pool) as (labeller, store):
        with pytest.raises(SetupError, match="accepts no more calls"):
            labeller.ask([asked()])
        (attempt,) = store.attempts()  # the call that broke it is known, and counts
    assert attempt.failure.kind is FailureKind.CRASHED


def test_an_executor_that_gives_back_nonsense_is_a_failure(tmp_path):
    class Nonsense(SerialExecutor):
        def submit(self, fn, /, *args, **kwargs):
            return super().submit(str, "nonsense")

    with labeller_on(tmp_path, Rogue(), Nonsense()) as (labeller, _):
        (reply,) = labeller.ask([asked()])
    assert "gave back str" in reply.failures[0].message


def test_ctrl_c_after_the_answer_loses_nothing(tmp_path, monkeypatch):
    taken = Arrivals.arrived

    def interrupted(self, ticket, outcome):
        os.kill(os.getpid(), signal.SIGINT)
        taken(self, ticket, outcome)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(Arrivals, "arrived", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt), labeller_on(tmp_path, Rogue()) as (labeller, _):
            labeller.put(asked())
    finally:
        signal.signal(signal.SIGINT, before)
    with SqliteStore.open(tmp_path / "run") as store:
        (record,) = store.all_labels()
        assert record.structure.content_hash == argon().content_hash


class Fickle(SerialExecutor):
    """An executor whose futures are what `makes` makes of the task."""

    def __init__(self, makes):
        self.makes, self.runs_here = makes, False

    def submit(self, fn, /, *args, **kwargs):
        return self.makes(super().submit(fn, *args, **kwargs))


def cancelled(task):
    future = Future()
    future.cancel()
    return future


def of_another_question(task):
    future = Future()
    ticket = Ticket(99, "another", 0)
    future.set_result((ticket, Label(0.0, np.zeros((1, 3)), wall_time=1.0)))
    return future


def delivered_twice(task):
    class Twice(Future):
        def add_done_callback(self, fn):
            super().add_done_callback(fn)
            super().add_done_callback(fn)

    future = Twice()
    future.set_result(task.result())
    return future


@pytest.mark.parametrize(
    ("makes", "words"),
    [(cancelled, "the call was cancelled"), (of_another_question, "the answer of another call")],
)
def test_a_task_that_its_executor_spoils_is_a_failure(tmp_path, makes, words):
    with labeller_on(tmp_path, Rogue(), Fickle(makes)) as (labeller, _):
        (reply,) = labeller.ask([asked()])
    assert reply.label is None
    assert all(words in failure.message for failure in reply.failures)


@pytest.mark.parametrize("does", ["", "exits"])
def test_an_answer_that_is_delivered_twice_counts_once(tmp_path, does, caplog):
    with labeller_on(tmp_path, Rogue(does=does), Fickle(delivered_twice)) as (labeller, store):
        (reply,) = labeller.ask([asked()])
        assert reply.calls == len(store.attempts()) + len(store.all_labels()) == (3 if does else 1)
    assert caplog.records == []


def test_an_executor_that_gives_no_future_is_named(tmp_path):
    with (
        pytest.raises(SetupError, match="returned tuple, expected a concurrent"),
        labeller_on(tmp_path, Rogue(), Fickle(lambda task: task.result())) as (labeller, _),
    ):
        labeller.ask([asked()])


def test_an_executor_that_exits_does_not_end_the_program(tmp_path):
    def exits(task):
        raise SystemExit(0)

    with (
        pytest.raises(SetupError, match="SystemExit: 0"),
        labeller_on(tmp_path, Rogue(), Fickle(exits)) as (labeller, _),
    ):
        labeller.ask([asked()])


def test_the_answer_of_another_call_is_not_taken_for_this_ones(tmp_path):
    class Swapping(SerialExecutor):
        """Gives back what the call before gave."""

        last = None

        def submit(self, fn, /, *args, **kwargs):
            mine = super().submit(fn, *args, **kwargs)
            given, self.last = self.last or mine, mine
            return given

    with labeller_on(tmp_path, Rogue(), Swapping()) as (labeller, store):
        replies = labeller.ask([asked(k) for k in range(3)])
        assert replies[0].label.energy == Rogue().label(argon(0)).energy
        assert "the answer of another call" in replies[1].failures[0].message
        for record in store.all_labels():
            assert record.label.energy == Rogue().label(record.structure).energy

"""Every executor keeps the contract; worker processes besides survive what calls do to them."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from thalweg.errors import InputError, SetupError
from thalweg.labelling.executors import process
from thalweg.labelling.executors.process import WorkerDied, WorkerPool
from thalweg.labelling.executors.registry import ExecutorSettings, executor_names, make_executor
from thalweg.labelling.executors.serial import SerialExecutor
from thalweg.labelling.source import OracleSource
from thalweg.testing.executors import ExecutorContract

SOURCE = OracleSource.of({"name": "lennard-jones"})


class TestSerial(ExecutorContract):
    def make(self):
        return SerialExecutor()


class TestProcess(ExecutorContract):
    def make(self):
        return WorkerPool(2)


class TestThreads(ExecutorContract):
    def make(self):
        return ThreadPoolExecutor(2)


class TestProcessesOfTheStandardLibrary(ExecutorContract):
    def make(self):
        return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


def slow_threads(workers):
    """A factory, as a user would write it."""
    return ThreadPoolExecutor(workers)


class TestFactory(ExecutorContract):
    def make(self):
        factory = f"{__name__}.slow_threads"
        return make_executor(ExecutorSettings("futures", factory=factory, options={"workers": 2}), SOURCE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ExecutorSettings("threads"), "executor.kind: expected one of"),
        (ExecutorSettings("futures", factory="nowhere.make"), "executor.factory: expected the import path"),
        (ExecutorSettings("futures", factory="os.getcwd"), "returned str, expected a concurrent"),
        (ExecutorSettings("futures", factory="os.stat"), "os.stat failed"),
    ],
)
def test_an_executor_that_cannot_be_had_is_refused_with_the_cure(settings, words):
    with pytest.raises((InputError, SetupError), match=words):
        make_executor(settings, SOURCE)


def test_the_configuration_knows_every_executor():
    from typing import get_args

    from thalweg.config.schema import ExecutorKind

    assert set(get_args(ExecutorKind)) == set(executor_names())


# --- worker processes -------------------------------------------------------------------------------------------


def test_a_task_past_its_limit_is_ended_and_its_worker_replaced():
    with WorkerPool(1, time_limit=3.0) as pool:
        first = pool.submit(os.getpid).result(timeout=600)
        assert isinstance(pool.submit(time.sleep, 60).exception(timeout=600), TimeoutError)
        assert pool.submit(os.getpid).result(timeout=600) != first


def test_a_worker_that_dies_amid_a_task_harms_no_other():
    with WorkerPool(1) as pool:
        error = pool.submit(os._exit, 42).exception(timeout=600)
        assert isinstance(error, WorkerDied)
        assert "exit code 42" in str(error)
        assert pool.submit(len, "ab").result(timeout=600) == 2


def test_a_worker_killed_while_it_starts_is_started_again(monkeypatch):
    starts = []

    class Shot(process._Worker):
        def _get_ready(self, *args):
            starts.append(self.process.pid)
            if len(starts) == 1:
                os.kill(self.process.pid, signal.SIGKILL)
            super()._get_ready(*args)

    monkeypatch.setattr(process, "_Worker", Shot)
    with WorkerPool(1) as pool:
        assert pool.submit(len, "ab").result(timeout=600) == 2
    assert len(starts) == 2


def test_a_worker_that_never_starts_is_a_setup_error():
    with WorkerPool(1, initializer=os._exit, initargs=(3,)) as pool:
        error = pool.submit(time.sleep, 0).exception(timeout=600)
    assert isinstance(error, SetupError)
    assert "exit code 3" in str(error)


def test_what_the_initializer_raises_is_raised_by_the_task():
    with WorkerPool(1, initializer=int, initargs=("x",)) as pool:
        assert isinstance(pool.submit(time.sleep, 0).exception(timeout=600), ValueError)


def test_workers_run_on_one_thread_and_apart_from_the_terminal():
    with WorkerPool(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result(timeout=600) == "1"
        assert pool.submit(os.getpgrp).result(timeout=600) != os.getpgrp()


def test_closing_gives_a_task_that_is_about_to_end_its_time_and_cuts_off_a_long_one():
    pool = WorkerPool(2)
    for _ in range(2):
        pool.submit(time.sleep, 0).result(timeout=600)
    short, long = pool.submit(time.sleep, 0.3), pool.submit(time.sleep, 60)
    time.sleep(0.1)
    pool.shutdown(cancel_futures=True)
    assert short.result(timeout=0) is None
    assert isinstance(long.exception(timeout=0), SetupError)


def start_program(folder):
    """A program in a session of its own, which outlives its parent; and the call never ends."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    (Path(folder) / "pid").write_text(str(child.pid))
    time.sleep(300)


def is_running(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition, seconds=600.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_programs_that_a_call_has_started_end_with_it(tmp_path):
    with WorkerPool(1, time_limit=3.0) as pool:
        future = pool.submit(start_program, str(tmp_path))
        wait_for((tmp_path / "pid").exists)
        wait_for(lambda: (tmp_path / "pid").read_text() != "")
        pid = int((tmp_path / "pid").read_text())
        assert is_running(pid)
        assert isinstance(future.exception(timeout=600), TimeoutError)
        wait_for(lambda: not is_running(pid))


def test_workers_and_their_programs_end_when_their_parent_is_killed(tmp_path):
    child = os.fork()
    if child == 0:
        WorkerPool(1).submit(start_program, str(tmp_path))
        time.sleep(300)
        os._exit(1)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    pid = int((tmp_path / "pid").read_text())
    assert is_running(pid)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_for(lambda: not is_running(pid))


def test_an_executor_is_a_standard_one():
    assert issubclass(WorkerPool, Executor)
    assert isinstance(SerialExecutor().submit(len, "a"), Future)


def fork_and_die():
    """As a calculator with a pool of its own that is killed: the child holds what it was forked with."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def start_a_daemon(note, then):
    """Start a program whose parents are gone, in a session of its own; note its number."""
    command = f"setsid sh -c 'sleep 600 & echo $! > {note}'"
    subprocess.run(["sh", "-c", command], check=True)
    wait_for(lambda: Path(note).exists() and Path(note).read_text().strip())
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if then == "hang":
        time.sleep(600)


def test_a_worker_that_dies_is_seen_although_a_process_that_it_forked_lives_on():
    with WorkerPool(1) as pool:
        error = pool.submit(fork_and_die).exception(timeout=50)
    assert isinstance(error, WorkerDied)
    assert "signal 9" in str(error)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("then", ["return", "die", "hang"])
def test_a_daemon_that_a_call_has_started_ends_with_its_worker(tmp_path, then):
    note = tmp_path / "pid"
    with WorkerPool(1, time_limit=20.0 if then != "hang" else 3.0) as pool:
        pool.submit(start_a_daemon, str(note), then).exception(timeout=60)
        daemon = int(note.read_text())
        if then == "return":  # it may serve the next call
            assert is_running(daemon)
    wait_for(lambda: not is_running(daemon))

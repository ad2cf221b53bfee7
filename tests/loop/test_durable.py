"""Two workers, and signals at many moments: no answer that the oracle has given is lost, and none is paid for twice.

The oracle keeps a ledger of its own, with full sync: a line for each answer, just before it gives it. What stands there
and not in the store is lost; what stands there twice was paid for twice.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase.calculators import emt
from runs import cluster, make_config, same_model

from thalweg.cli.failures import sigterm_interrupts
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.labeller import Labeller
from thalweg.loop.runner import run
from thalweg.store import SqliteStore

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Ledgered(emt.EMT):
    """EMT that takes its time and writes down what it answers."""

    def __init__(self, ledger, seconds=0.0, **options):
        super().__init__(**options)
        self.ledger, self.seconds = ledger, seconds

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        """Compute, wait, then write the positions' bytes down, durably."""
        super().calculate(atoms, properties, system_changes)
        time.sleep(self.seconds)
        handle = os.open(self.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, self.atoms.positions.astype("<f8").tobytes().hex().encode() + b"\n")
        os.fsync(handle)
        os.close(handle)


def configured(folder: Path, seconds: float, workers: int = 2):
    options = {"ledger": str(folder / "ledger.txt"), "seconds": seconds}
    return make_config(
        cluster(folder),
        oracle={"name": "ase", "calculator": f"{__name__}.Ledgered", "options": options},
        budget={"oracle_calls": 60},
        explore={"walkers": 3},
        executor={"kind": "process", "workers": workers},
    )


def answered(folder: Path) -> Counter[str]:
    path = folder / "ledger.txt"
    return Counter(path.read_text().split() if path.exists() else [])


def durable(folder: Path) -> set[str]:
    """Structures whose label is in the store, once what has arrived is taken in."""
    with SqliteStore.open(folder / "run") as store, Arrivals(store):
        return {record.structure.positions.astype("<f8").tobytes().hex() for record in store.all_labels()}


def struck(config, folder: Path, seconds: float | None, number: int = 0) -> bool:
    """Run in a child that gets a signal after `seconds`; returns whether it came to its end all the same."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with sigterm_interrupts():
                run(config, folder / "run")
            code = 0
        except KeyboardInterrupt:
            code = 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, number)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in ((0,) if seconds is None else (0, 2, -signal.SIGKILL))
    return code == 0


def strike(tmp_path: Path, moments: int, signals=SIGNALS) -> None:
    """Strike until so many moments have hit a running process, each time with the next signal."""
    rng, total = np.random.default_rng(5), 0
    for attempt in range(100):
        calm, folder = tmp_path / f"calm{attempt}", tmp_path / f"struck{attempt}"
        calm.mkdir()
        folder.mkdir()
        config, done = configured(folder, seconds=0.04), False
        while not done:
            number = signals[total % len(signals)]
            done = struck(config, folder, float(rng.uniform(0.1, 1.2)) if total < moments else None, number)
            total += not done
            ledger = answered(folder)
            assert max(ledger.values(), default=0) <= 1
            assert set(ledger) <= durable(folder) if (folder / "run" / "thalweg.db").exists() else not ledger
        struck(configured(calm, 0.0), calm, None)
        assert answered(folder) == answered(calm)
        assert same_model(calm / "run" / "model", folder / "run" / "model")
        if total >= moments:
            return
    pytest.fail(f"only {total} of {moments} signals hit a running process")


def test_signals_lose_no_answer_and_pay_none_twice(tmp_path):
    strike(tmp_path, 8)


@pytest.mark.endurance
def test_sixty_signals_lose_no_answer_and_pay_none_twice(tmp_path):
    strike(tmp_path, 60)


def test_an_answer_that_came_while_the_run_did_something_else_is_in_the_store_after_a_kill(
    tmp_path, monkeypatch
):
    config = configured(tmp_path, seconds=0.02)
    child = os.fork()
    if child == 0:
        receive = Labeller.receive

        def busy(labeller):
            """What workers answer of the seeds nobody receives."""
            if len(labeller.under_way) == 2:
                time.sleep(60)
            return receive(labeller)

        monkeypatch.setattr(Labeller, "receive", busy)
        try:
            run(config, tmp_path / "run")
        finally:
            os._exit(1)
    wait_for(lambda: len(answered(tmp_path)) >= 3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    given = set(answered(tmp_path))
    assert given <= durable(tmp_path)
    run(config, tmp_path / "run")
    assert max(answered(tmp_path).values()) == 1


def wait_for(condition, seconds=600.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_a_finished_run_makes_no_call_at_all(tmp_path):
    config = configured(tmp_path, seconds=0.0)
    first = run(config, tmp_path / "run")
    before = answered(tmp_path)
    again = run(config, tmp_path / "run")
    assert answered(tmp_path) == before
    assert again.oracle_calls == first.oracle_calls == sum(before.values())
    assert again.verdict == first.verdict

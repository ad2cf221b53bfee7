import os
import time
from concurrent.futures import wait

import numpy as np
import pytest

from thalweg.errors import InputError, OracleError, SetupError
from thalweg.label import FailureKind, Label
from thalweg.labelling.executors.process import WorkerPool
from thalweg.labelling.labeller import Labeller
from thalweg.oracles.faulty import FaultyOracle
from thalweg.structure import Structure

INNER = {"name": "lennard-jones"}


def argon(seed):
    positions = 4.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    positions += 0.1 * np.random.default_rng(seed).standard_normal((4, 3))
    return Structure(np.full(4, 18), positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def faulty(**rates):
    return {"name": "faulty", "inner": INNER, "rates": rates, "hang_time": 60.0}


def kinds(attempts):
    return [failure.kind for failure in attempts.failures]


def attempts_at(spec, structure):
    """All that came of one structure, in this process."""
    with Labeller.local(spec) as labeller:
        return labeller.submit(structure).result()


def test_a_sound_oracle_answers_at_the_first_attempt():
    attempts = attempts_at(INNER, argon(0))
    assert isinstance(attempts.label, Label)
    assert (attempts.calls, attempts.failures) == (1, ())


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("unconverged", FailureKind.UNCONVERGED),
        ("crash", FailureKind.CRASHED),
        ("nan", FailureKind.IMPLAUSIBLE),
        ("instant", FailureKind.IMPLAUSIBLE),
        ("absurd", FailureKind.IMPLAUSIBLE),
    ],
)
def test_each_fault_has_its_name_and_never_becomes_a_label(fault, kind):
    attempts = attempts_at(faulty(**{fault: 1.0}), argon(0))
    assert attempts.label is None
    assert kinds(attempts) == [kind] * 3
    assert all(failure.message for failure in attempts.failures)


def test_the_ladder_ends_at_the_first_label():
    spec = faulty(unconverged=1.0) | {"heals": True}
    attempts = attempts_at(spec, argon(0))
    assert kinds(attempts) == [FailureKind.UNCONVERGED]
    assert attempts.label is not None
    assert attempts.label.energy == attempts_at(INNER, argon(0)).label.energy


def test_an_interrupted_ladder_goes_on_where_it_was():
    with Labeller.local(faulty(crash=1.0)) as labeller:
        assert labeller.submit(argon(0), first_attempt=2).result().calls == 1


def test_a_crash_keeps_its_traceback():
    failure = attempts_at(faulty(crash=1.0), argon(0)).failures[0]
    assert "RuntimeError: crashed on purpose" in failure.message
    assert "faulty.py" in failure.log


def test_a_system_out_of_reach_is_an_error_and_not_a_failure():
    spec = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}
    with Labeller.local(spec) as labeller, pytest.raises(OracleError, match="Ar"):
        labeller.oracle.check_structure(argon(0))


def test_a_time_limit_needs_workers():
    with pytest.raises(InputError, match="workers"):
        Labeller.local(INNER, time_limit=1.0)


def test_workers_survive_hangs_and_deaths_while_others_go_on():
    rates = {"hang": 0.2, "exit": 0.2, "nan": 0.2}
    spec = faulty(**rates)
    oracle = FaultyOracle(inner=INNER, rates=rates)
    structures = [argon(seed) for seed in range(12)]
    expected = [oracle.fault(structure, 0) for structure in structures]
    assert {"hang", "exit", "nan", None} <= set(expected)
    names = {"hang": FailureKind.TIMED_OUT, "exit": FailureKind.CRASHED, "nan": FailureKind.IMPLAUSIBLE}
    with Labeller.local(spec, workers=2, time_limit=0.3, attempts=1) as labeller:
        futures = [labeller.submit(structure) for structure in structures]
        wait(futures, timeout=60)
        answers = [future.result(timeout=0) for future in futures]
    for structure, fault, attempts in zip(structures, expected, answers, strict=True):
        if fault is None:
            here = attempts_at(INNER, structure).label
            assert attempts.label.energy == here.energy
            assert np.array_equal(attempts.label.forces, here.forces)
        else:
            assert kinds(attempts) == [names[fault]]
    crash = next(a for a, fault in zip(answers, expected, strict=True) if fault == "exit")
    assert "exit code 42" in crash.failures[0].message


def test_retries_run_on_workers_too():
    with Labeller.local(faulty(exit=1.0) | {"heals": True}, workers=1) as labeller:
        attempts = labeller.submit(argon(1)).result(timeout=60)
    assert kinds(attempts) == [FailureKind.CRASHED]
    assert attempts.label is not None


def test_closing_cuts_off_what_runs():
    labeller = Labeller.local(faulty(hang=1.0), workers=1)
    future = labeller.submit(argon(0))
    time.sleep(0.2)
    start = time.monotonic()
    labeller.close()
    assert time.monotonic() - start < 20.0
    assert isinstance(future.exception(timeout=10), SetupError)


def test_a_worker_that_cannot_start_is_a_setup_error():
    with WorkerPool(1, initializer=os._exit, initargs=(3,)) as pool:
        error = pool.submit(time.sleep, 0).exception(timeout=60)
    assert isinstance(error, SetupError)
    assert "exit code 3" in str(error)


def test_what_the_initializer_raises_is_raised_by_the_task():
    with Labeller.local(INNER, workers=1) as labeller:
        assert labeller.submit(argon(0)).result(timeout=60).label is not None
    with WorkerPool(1, initializer=int, initargs=("x",)) as pool:
        assert isinstance(pool.submit(time.sleep, 0).exception(timeout=60), ValueError)


def test_workers_run_on_one_thread_and_apart_from_the_terminal():
    with WorkerPool(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result(timeout=60) == "1"
        assert pool.submit(os.getpgrp).result(timeout=60) != os.getpgrp()

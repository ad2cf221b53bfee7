"""What an executor must keep so that calls of an oracle can run on it.

    class TestMine(ExecutorContract):
        def make(self):
            return MyExecutor(workers=2)

and `pytest` holds it to the laws below. Any `concurrent.futures.Executor` should pass.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future

import numpy as np

from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.labelling.call import Call, answer
from thalweg.labelling.inbox import Ticket
from thalweg.labelling.source import OracleSource
from thalweg.structure import Structure

ARGON = OracleSource.of({"name": "lennard-jones"})
BROKEN = OracleSource.of({"name": "faulty", "inner": {"name": "lennard-jones"}, "rates": {"crash": 1.0}})
PATIENCE_S = 600.0
"""s"""


def cluster(seed: int) -> Structure:
    """Four argon atoms, shaken."""
    corners = 4.0 * np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    corners += 0.1 * np.random.default_rng(seed).standard_normal((4, 3))
    return Structure(np.full(4, 18), corners, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def call(seed: int, source: OracleSource = ARGON) -> Call:
    """A call about `cluster(seed)`."""
    structure = cluster(seed)
    return Call(source, structure, Ticket(seed, structure.content_hash, 0))


class ExecutorContract:
    """Laws of an executor; subclass it and give `make`.

    1. `submit` returns a future at once or when the task is done, and never raises what the task does.
    2. A task's answer comes back to the last bit.
    3. A failure comes back as one.
    4. Tasks are independent: any number may be waiting, and each gets its own answer.
    5. `shutdown(cancel_futures=True)` comes back, and leaves no future without an end.
    """

    def make(self) -> Executor:
        """A fresh executor; each test shuts down its own."""
        raise NotImplementedError

    def _outcomes(self, calls: list[Call]) -> list[Outcome]:
        with self.make() as executor:
            futures = [executor.submit(answer, one) for one in calls]
            assert all(isinstance(future, Future) for future in futures)
            return [future.result(timeout=PATIENCE_S) for future in futures]

    def test_an_answer_comes_back_to_the_last_bit(self) -> None:
        """Law 2."""
        (outcome,) = self._outcomes([call(1)])
        here = answer(call(1))
        assert isinstance(outcome, Label)
        assert isinstance(here, Label)
        assert outcome.energy == here.energy
        assert np.array_equal(outcome.forces, here.forces)
        assert outcome.oracle == here.oracle

    def test_a_failure_comes_back_as_one(self) -> None:
        """Laws 1 and 3."""
        broken, sound = self._outcomes([call(1, BROKEN), call(2)])
        assert isinstance(broken, Failure)
        assert broken.kind is FailureKind.CRASHED
        assert "crashed on purpose" in broken.message
        assert isinstance(sound, Label)

    def test_each_task_gets_its_own_answer(self) -> None:
        """Law 4."""
        outcomes = self._outcomes([call(seed) for seed in range(12)])
        energies = [outcome.energy for outcome in outcomes if isinstance(outcome, Label)]
        expected = [outcome.energy for seed in range(12) if isinstance(outcome := answer(call(seed)), Label)]
        assert energies == expected
        assert len(set(energies)) == 12

    def test_what_an_executor_raises_is_the_futures(self) -> None:
        """Law 1: a task that cannot be run at all."""
        with self.make() as executor:
            future = executor.submit(int, "no number")
            assert isinstance(future.exception(timeout=PATIENCE_S), ValueError)

    def test_shutting_down_ends_every_future(self) -> None:
        """Law 5."""
        executor = self.make()
        futures = [executor.submit(time.sleep, 0.05) for _ in range(8)]
        executor.shutdown(wait=True, cancel_futures=True)
        assert all(future.done() for future in futures)

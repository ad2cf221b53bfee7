"""Work shared among threads comes out in order, the same for any number of threads, and stops at an error."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from thalweg.features import AceBasis, Features, design_rows, set_num_threads
from thalweg.features.evaluate import num_threads
from thalweg.features.sharing import in_order
from thalweg.structure import Structure


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slow_for_even(k: int) -> tuple[int, int]:
        time.sleep(0.003 * (k % 2 == 0))
        return k * k, threading.get_ident()

    results = list(in_order(slow_for_even, range(20)))
    assert [square for square, _ in results] == [k * k for k in range(20)]
    workers = {ident for _, ident in results}
    assert (workers == {threading.get_ident()}) == (threads == 1)
    assert len(workers) <= threads


def test_no_more_is_begun_than_threads_are_ahead(threads: int) -> None:
    begun: list[int] = []
    results = in_order(begun.append, range(50))
    next(results)
    assert len(begun) <= threads + 1
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= threads + 1


def test_an_error_reaches_the_caller_after_what_came_before(threads: int) -> None:
    def fails_at_three(k: int) -> int:
        if k == 3:
            raise ValueError("three")
        return k

    results = in_order(fails_at_three, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_design_rows_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    features = Features(AceBasis(("Si",), 4.0, correlation_order=2, max_degree=(4, 4)))
    rng = np.random.default_rng(1)
    structures = [
        Structure(np.full(n, 14), rng.normal(0, 2, (n, 3)), np.zeros((3, 3)), np.zeros(3, bool))
        for n in (2, 9, 4, 30, 3)
    ]
    shared = list(in_order(lambda structure: design_rows(features, structure), structures))
    for rows, structure in zip(shared, structures, strict=True):
        alone = design_rows(features, structure)
        assert np.array_equal(rows.forces, alone.forces)
        assert np.array_equal(rows.energy, alone.energy)
    assert np.abs(shared[3].forces).max() > 1e-3

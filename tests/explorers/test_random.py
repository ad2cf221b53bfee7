"""Counter-based random numbers: known answers, moments, independence of the order of drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from thalweg import _native

FULL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([FULL] * 4, [FULL] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers_of_the_papers_library(counter: list[int], key: list[int], answer: list[int]) -> None:
    """The vectors that Random123 publishes for philox4x32-10."""
    assert _native.philox4x32_10(counter, key) == answer


def test_normals_are_normal() -> None:
    draws = np.concatenate([_native.normals(1, 2, step, 101) for step in range(500)])
    assert kstest(draws, "norm").pvalue > 1e-3
    assert kstest(draws + 0.05, "norm").pvalue < 1e-6  # the control: a shift that the test must see
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.02


def test_normals_depend_on_every_argument_and_on_nothing_else() -> None:
    first = _native.normals(1, 2, 3, 6)
    _native.normals(9, 9, 9, 50)
    assert np.array_equal(first, _native.normals(1, 2, 3, 6))
    assert np.array_equal(first[:5], _native.normals(1, 2, 3, 5))
    for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (1 + 2**32, 2, 3), (1, 2, 3 + 2**32)]:
        assert not np.isin(first, _native.normals(*other, 6)).any()

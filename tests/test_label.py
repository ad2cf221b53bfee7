import json

import numpy as np
import pytest

from thalweg.errors import InputError
from thalweg.label import LOG_LIMIT, MESSAGE_LIMIT, Failure, FailureKind, Label, readable

FORCES = np.array([[0.1, 0.0, -0.2]])


@pytest.mark.parametrize(
    "energy", [-1.5, np.float32(-1.5), np.array(-1.5), np.array([-1.5]), np.array([[-1.5]]), [-1.5]]
)
def test_one_number_is_an_energy_in_whatever_array_it_comes(energy):
    assert Label(energy, FORCES).energy == -1.5


@pytest.mark.parametrize(
    ("energy", "forces", "stress", "words"),
    [
        (np.array([1.0, 2.0]), FORCES, None, "energy must be one number"),
        (None, FORCES, None, "energy must be numbers"),
        ("1.0", FORCES, None, "energy must be numbers"),
        (True, FORCES, None, "energy must be numbers"),
        (1.0 + 0.0j, FORCES, None, "energy must be real"),
        (1.0, FORCES.ravel(), None, "forces must have shape"),
        (1.0, FORCES + 1e-3j, None, "forces must be real"),
        (1.0, FORCES.astype(complex), None, "forces must be real"),
        (1.0, FORCES.astype(object), None, "forces must be numbers"),
        (1.0, FORCES.astype(str), None, "forces must be numbers"),
        (1.0, np.ma.masked_array(FORCES, mask=True), None, "forces has masked elements"),
        (1.0, np.ma.masked_array(FORCES, mask=[[0, 0, 1]]), None, "forces has masked elements"),
        (1.0, [[0.1, 0.2], [0.3]], None, "forces cannot be read as numbers"),
        (1.0, FORCES, np.eye(3), "stress must be 6 Voigt numbers"),
        (1.0, FORCES, np.zeros(6) + 1j, "stress must be real"),
    ],
)
def test_what_is_no_label_is_refused(energy, forces, stress, words):
    with pytest.raises(InputError, match=words):
        Label(energy, forces, stress)


def test_a_masked_array_without_masked_elements_is_taken():
    assert np.array_equal(Label(1.0, np.ma.masked_array(FORCES, mask=False)).forces, FORCES)


def test_texts_of_a_failure_are_bounded_and_keep_both_ends():
    failure = Failure(
        FailureKind.CRASHED, "begin " + "x" * 10**6 + " end", "first\n" + "y" * 10**7 + "\nlast"
    )
    assert len(failure.message) <= MESSAGE_LIMIT
    assert len(failure.log) <= LOG_LIMIT
    assert failure.message.startswith("begin")
    assert failure.message.endswith("end")
    assert failure.log.startswith("first\n")
    assert failure.log.endswith("\nlast")
    assert Failure(failure.kind, failure.message, failure.log) == failure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lone \udc80 surrogate", "lone \ufffd surrogate"),
        ("nul\x00bell\x07", "nul\ufffdbell\ufffd"),
        ("\x1b[31mred\x1b[0m and \x1b]8;;http://x\x07link\x1b]8;;\x07", "red and link"),
        ("turned \u202etxet", "turned \ufffdtxet"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Å, ν and 中 stay", "Å, ν and 中 stay"),
    ],
)
def test_characters_that_no_terminal_takes_are_replaced(text, expected):
    assert readable(text, 100) == expected
    failure = Failure(FailureKind.CRASHED, text, text)
    assert failure.log == expected
    json.dumps(failure.message).encode("utf-8")
    assert failure.message == " ".join(expected.split())


def test_texts_that_are_no_text_become_one():
    assert Failure(FailureKind.CRASHED, ValueError("odd"), None).message == "odd"

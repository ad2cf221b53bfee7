"""Signals wait where an interruption would lose something, and nowhere else."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from thalweg.interrupts import answered, held, let_through


@pytest.fixture(autouse=True)
def ctrl_c():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted(part) -> list[str]:
    """What `part` got done before Ctrl-C ended it."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        part(done)
    return done


def test_ctrl_c_waits_for_the_end_of_the_block():
    def part(done):
        with held():
            press()
            press()
            done.append("the rest")
        done.append("what follows")

    assert interrupted(part) == ["the rest"]


def test_a_part_that_is_let_through_is_interrupted_at_once():
    def part(done):
        with held(), let_through():
            press()
            done.append("the rest")

    assert interrupted(part) == []


def test_what_waited_comes_when_signals_are_let_through():
    def part(done):
        with held():
            press()
            done.append("before")
            with let_through():
                done.append("the rest")

    assert interrupted(part) == ["before"]


def test_after_the_answer_nothing_is_let_through():
    def part(done):
        with held():
            with let_through():
                answered()
                press()
                done.append("taken")
            done.append("kept")

    assert interrupted(part) == ["taken", "kept"]


def test_blocks_within_each_other_end_with_the_outer_one():
    def part(done):
        with held():
            with held():
                press()
            done.append("the rest")

    assert interrupted(part) == ["the rest"]


def test_other_threads_are_left_alone():
    def work():
        with held(), let_through():
            answered()
            done.append(signal.getsignal(signal.SIGINT))

    done: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]

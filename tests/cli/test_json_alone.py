"""With --json stdout holds one JSON document, whatever else prints there."""

from __future__ import annotations

import os
import threading

from thalweg.cli.output import print_json, stdout_kept_for_json


def print_everywhere() -> None:
    print("by Python")
    os.write(1, b"below Python\n")


def test_what_threads_and_programs_print_goes_to_stderr(capfd):
    with stdout_kept_for_json():
        thread = threading.Thread(target=print_everywhere)
        thread.start()
        thread.join()
        os.system("echo a program")
    print_json({"calls": 3})
    out, err = capfd.readouterr()
    assert out.split() == ["{", '"calls":', "3", "}"]
    assert set(err.splitlines()) == {"by Python", "below Python", "a program"}


def test_without_json_stdout_is_left_alone(capfd):
    with stdout_kept_for_json(False):
        print_everywhere()
    assert "below Python" in capfd.readouterr().out

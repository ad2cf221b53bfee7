import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg.isolation import PRINTED, isolated


def test_the_folder_is_fresh_current_and_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with isolated() as folder:
        assert Path.cwd() == folder.resolve()
        assert [path.name for path in folder.iterdir()] == [PRINTED]
        Path("job.out").write_text("1")
    assert not folder.exists()
    assert Path.cwd() == tmp_path
    assert not list(tmp_path.iterdir())


def test_a_given_folder_is_kept_with_what_was_printed(tmp_path, capfd):
    with isolated(tmp_path):
        print("by Python")
        os.write(1, b"below Python\n")
        print("an error", file=sys.stderr)
    assert (tmp_path / PRINTED).read_text() == "by Python\nbelow Python\nan error\n"
    assert capfd.readouterr() == ("", "")
    print("after")  # the control: nothing holds on to the output
    assert capfd.readouterr().out == "after\n"


def test_nothing_printed_leaves_nothing(tmp_path):
    with isolated(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_what_the_code_changes_is_set_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEPT", "before")
    random.seed(5)
    np.random.seed(5)
    expected = random.Random(5).random(), np.random.RandomState(5).random()
    handler = signal.getsignal(signal.SIGINT)
    with isolated() as folder:
        os.chdir("/")
        os.environ["KEPT"] = "after"
        os.environ["NEW"] = "1"
        random.seed(7)
        np.random.seed(7)
        np.seterr(all="raise")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.close()
    assert Path.cwd() == tmp_path
    assert not folder.exists()
    assert os.environ["KEPT"] == "before"
    assert "NEW" not in os.environ
    assert (random.random(), np.random.random()) == expected
    assert np.geterr()["over"] == "warn"
    assert signal.getsignal(signal.SIGINT) is handler


def test_global_random_numbers_follow_the_seed_and_nothing_else():
    drawn = []
    for seed in ("a", "b", "a"):
        np.random.random(3)  # calls in between do not matter
        with isolated(seed=seed):
            drawn.append((random.random(), np.random.random()))
    assert drawn[0] == drawn[2]
    assert drawn[0] != drawn[1]


def test_a_call_inside_another_shares_its_folder():
    with isolated() as outer, isolated() as inner:
        assert inner == outer
    with isolated() as later:
        assert later != outer


def test_everything_is_set_back_after_an_exception(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def leaves():
        with isolated():
            os.chdir("/")
            raise SystemExit(0)

    with pytest.raises(SystemExit):
        leaves()
    assert Path.cwd() == tmp_path

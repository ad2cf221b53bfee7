import os
import stat

import pytest

from thalweg.cli import diagnosis, programs
from thalweg.cli.diagnosis import State
from thalweg.errors import SetupError


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    def make(name, script):
        path = tmp_path / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    return make


def state_of(title):
    program = next(program for program in programs.PROGRAMS if program.title == title)
    return diagnosis._Probe("oracles", title, program.look, program.cure).examine()


def test_a_program_that_answers_is_ok(on_path):
    on_path("pw.x", "#!/bin/sh\necho '     Program PWSCF v.7.2 starts on 1Jan2026'\n exit 1\n")
    finding = state_of("Quantum ESPRESSO")
    assert (finding.state, finding.cure) == (State.OK, "")
    assert "PWSCF v.7.2 answers" in finding.detail


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho 'pw.x: error while loading shared libraries: libmpi.so'\nexit 127\n", "libmpi.so"),
        ("#!/surely/no/such/interpreter\n", "cannot be started"),
        ("#!/bin/sh\nexit 0\n", "(nothing)"),
        ("#!/bin/sh\nsleep 60 & wait\n", "did not answer"),
    ],
)
def test_a_program_that_is_only_there_is_not_ok(on_path, monkeypatch, script, words):
    monkeypatch.setattr(programs, "PATIENCE", 0.5)
    on_path("pw.x", script)
    finding = state_of("Quantum ESPRESSO")
    assert finding.state is State.BROKEN
    assert words in finding.detail
    assert "ase.calculators.espresso.Espresso" in finding.cure


def test_an_absent_program_is_absent(on_path):
    assert state_of("CP2K").state is State.ABSENT
    assert state_of("ORCA").state is State.ABSENT


def test_the_screen_reader_is_not_taken_for_the_program_and_not_started(on_path, tmp_path):
    on_path("orca", f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    finding = state_of("ORCA")
    assert finding.state is State.ABSENT
    assert "screen reader" in finding.detail
    assert not (tmp_path / "started").exists()


def test_what_cannot_be_tried_is_said_to_be_found(on_path):
    on_path("cp2k_shell", "#!/bin/sh\nexit 1\n")
    assert state_of("CP2K").state is State.FOUND


def test_output_without_an_answer_is_quoted_in_short(on_path):
    path = on_path("loud", "#!/bin/sh\nyes | head -c 3000000\necho end\n")
    with pytest.raises(SetupError, match="end") as caught:
        programs.answer_of([str(path)], "version (.*)", str(path))
    assert len(str(caught.value)) < 500

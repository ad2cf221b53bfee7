"""Mistakes in settings are refused at once, not tried again; what may go well at another try is not one."""

import subprocess
import time
from types import SimpleNamespace

import pytest

from thalweg.label import FailureKind
from thalweg.oracles.failing import failure_of
from thalweg.oracles.mistakes import is_mistake

BARS = "%" * 78
READPP = f"""
     Program PWSCF v.6.7MaX starts on 28Nov2026 at 18:20:40

 {BARS}
     Error in routine readpp (2):
     file /usr/share/espresso/pseudo/nowhere.UPF not found
 {BARS}

     stopping ...
"""
NAMELIST = READPP.replace("readpp (2)", "read_namelists (1)").replace(
    "file /usr/share/espresso/pseudo/nowhere.UPF not found", "bad line in namelist &system: ecutwfcc=3"
)
DAVIDSON = READPP.replace("readpp (2)", "cdiaghg (9)").replace(
    "file /usr/share/espresso/pseudo/nowhere.UPF not found", "S matrix not positive definite"
)
ORACLE = SimpleNamespace(display_name="Espresso", fingerprint="abc")


def judged(error, folder=None):
    return failure_of(error, ORACLE, time.perf_counter(), folder)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (READPP, FailureKind.REFUSED, "nowhere.UPF not found"),
        (NAMELIST, FailureKind.REFUSED, "bad line in namelist"),
        (DAVIDSON, FailureKind.CRASHED, "not positive definite"),
    ],
)
def test_what_quantum_espresso_says_of_its_input_is_refused(tmp_path, text, kind, words):
    (tmp_path / "espresso.pwo").write_text(text)
    failure = judged(subprocess.CalledProcessError(1, ["pw.x", "-in", "espresso.pwi"]), tmp_path)
    assert failure.kind is kind
    assert words in failure.message
    assert failure.message.startswith("pw.x: ")


@pytest.mark.parametrize(
    "words",
    [
        "Could not find required PAW dataset file 'Al.LDA'.",
        "No pseudopotential for symbol Al: pseudopotential file Al.psf not found",
        "RuntimeError: No such file: POTCAR",
        "INPUT ERROR: UNRECOGNIZED OR DUPLICATED KEYWORD(S) IN SIMPLE INPUT LINE",
        "basis set could not be found in file BASIS_MOLOPT",
        "unknown keyword FOO in section DFT",
    ],
)
def test_other_programs_words_for_it(words):
    assert is_mistake(words)
    assert judged(RuntimeError(words)).kind is FailureKind.REFUSED


@pytest.mark.parametrize(
    "words",
    [
        "S matrix not positive definite",
        "segmentation fault",
        "charge is wrong: smearing is needed",
        "cannot open scratch file: too many open files",
        "MPI_Abort was called",
        "the potential energy diverged",
        "basis is linearly dependent",
    ],
)
def test_what_may_go_well_another_time(words):
    assert not is_mistake(words)
    assert judged(RuntimeError(words)).kind is FailureKind.CRASHED


def test_an_element_without_options_is_named():
    failure = judged(KeyError("Al"))
    assert failure.kind is FailureKind.REFUSED
    assert "options hold nothing for Al (KeyError: 'Al'); name its pseudopotential" in failure.message
    assert judged(KeyError("forces")).kind is FailureKind.CRASHED

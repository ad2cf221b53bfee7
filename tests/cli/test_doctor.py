import json

import pytest
from typer.testing import CliRunner

from thalweg.cli import diagnosis
from thalweg.cli.app import app
from thalweg.cli.diagnosis import Finding, State, healthy
from thalweg.errors import ThalwegError


def probe(look, core=False):
    return diagnosis._Probe("core", "part", look, "the cure", core=core)


def raising(error):
    def look():
        raise error

    return look


@pytest.mark.parametrize(
    ("look", "state", "detail"),
    [
        (lambda: "seen", State.OK, "seen"),
        (raising(ModuleNotFoundError("x", name="pyscf")), State.ABSENT, "no module pyscf"),
        (raising(ThalwegError("derivatives are off")), State.BROKEN, "derivatives are off"),
        (raising(ValueError("odd")), State.BROKEN, "ValueError: odd"),
    ],
)
def test_what_a_probe_finds(look, state, detail):
    finding = probe(look).examine()
    assert (finding.state, finding.detail) == (state, detail)
    assert (finding.cure == "the cure") is (state is not State.OK)


def test_only_core_parts_decide():
    fine = Finding("core", "kernel", State.OK, "", core=True)
    absent = Finding("oracles", "ORCA", State.ABSENT, "")
    broken = Finding("core", "neighbours", State.BROKEN, "", core=True)
    assert healthy([fine, absent])
    assert not healthy([fine, absent, broken])


def test_absent_program_is_absent():
    assert probe(diagnosis._program("no-such-program-anywhere")).examine().state is State.ABSENT


def test_small_oracles_answer():
    assert "eV" in diagnosis._oracle({"name": "tblite", "method": "GFN2-xTB"})
    assert "eV" in diagnosis._oracle(diagnosis._EMT, copper=True)


def test_kernel_derivatives_are_checked(monkeypatch):
    from thalweg.features import Features

    assert "derivatives agree with finite differences" in diagnosis._kernel_derivatives()
    right = Features.vjp

    def wrong(self, structures, g):
        gradients, strain = right(self, structures, g)
        return 1.001 * gradients, strain

    monkeypatch.setattr(Features, "vjp", wrong)
    with pytest.raises(ThalwegError, match="derivatives are off"):
        diagnosis._kernel_derivatives()


def test_neighbours_are_found():
    assert "simple cubic" in diagnosis._neighbours()


@pytest.mark.parametrize(("look", "code"), [(lambda: "seen", 0), (raising(ValueError("odd")), 4)])
def test_exit_code_and_both_outputs(monkeypatch, look, code):
    monkeypatch.setattr(diagnosis, "_PROBES", (probe(look, core=True),))
    table = CliRunner().invoke(app, ["doctor"])
    assert table.exit_code == code
    assert ("cure: the cure" in table.output) is (code == 4)
    script = CliRunner().invoke(app, ["doctor", "--json"])
    assert script.exit_code == code
    assert json.loads(script.output)["works"] is (code == 0)

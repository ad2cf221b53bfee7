import json
import sys

import pytest
from typer.testing import CliRunner

from thalweg.cli import diagnosis
from thalweg.cli.app import app
from thalweg.cli.diagnosis import Finding, State, healthy
from thalweg.cli.programs import FoundError
from thalweg.errors import ThalwegError
from thalweg.oracles import oracle_names, pyscf_library
from thalweg.oracles.registry import BUILT_IN


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


def test_what_was_found_and_not_called_is_not_ok():
    finding = probe(raising(FoundError("/usr/bin/x"))).examine()
    assert (finding.state, finding.detail, finding.cure) == (State.FOUND, "/usr/bin/x", "")


def test_an_oracle_without_its_package_is_absent_with_the_cure(monkeypatch):
    pyscf_library.library.cache_clear()
    monkeypatch.setitem(sys.modules, "pyscf", None)
    try:
        finding = next(found for found in diagnosis.diagnose() if found.name == "pyscf")
    finally:
        pyscf_library.library.cache_clear()
    assert finding.state is State.ABSENT
    assert finding.cure == "pip install 'thalweg[pyscf]'"


def test_every_oracle_that_is_listed_can_be_named():
    names = [found.name for found in diagnosis.diagnose() if found.group == "oracles"]
    assert set(BUILT_IN) <= set(names)
    for name in names:
        assert name in oracle_names() or name.startswith("ase: ")


def test_small_oracles_answer():
    for name in ("tblite", "ase", "stillinger-weber"):
        assert "eV" in BUILT_IN[name].probe()


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
    for part in ("_CORE", "_OTHERS"):
        monkeypatch.setattr(diagnosis, part, (probe(look, core=True),))
    monkeypatch.setattr(diagnosis, "_oracles", lambda: ())
    table = CliRunner().invoke(app, ["doctor"])
    assert table.exit_code == code
    assert ("cure: the cure" in table.output) is (code == 4)
    script = CliRunner().invoke(app, ["doctor", "--json"])
    assert script.exit_code == code
    assert json.loads(script.output)["works"] is (code == 0)

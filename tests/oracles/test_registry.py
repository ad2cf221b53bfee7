"""Oracles of other packages, through entry points: a tiny distribution is made in a folder and put on the path."""

import json
import subprocess
import sys

import pytest
from ase.build import molecule
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.config import load_config, render_config, validate
from thalweg.errors import InputError, SetupError
from thalweg.label import Label
from thalweg.oracles import make_oracle, oracle_names
from thalweg.oracles.entry import OracleEntry
from thalweg.oracles.registry import BUILT_IN, find_entry
from thalweg.oracles.tblite import TbliteConfig
from thalweg.structure import Structure

SOURCE = '''
from typing import Annotated, Literal

from pydantic import Field

from thalweg.oracles.analytic import MorseOracle
from thalweg.oracles.entry import OracleEntry, OracleSettings
from thalweg.settings.fields import InUnit, quantity


class TrapSettings(OracleSettings):
    """Morse under another name."""

    name: Literal["trap"]
    depth: Annotated[float, quantity("eV", "> 0"), InUnit("eV")] = Field(default=0.5, description="Depth.")


def trap(depth):
    return MorseOracle(well_depth=depth)


def probe():
    import os

    print("loud")
    os.chdir("/")
    return "a call was made"


TRAP = OracleEntry(name="trap", oracle=trap, settings=TrapSettings, summary="a trap", probe=probe)
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution on the path: install(package, source, entry_points)."""

    def make(package, source, points):
        (tmp_path / f"{package}.py").write_text(source)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "\n".join(f"{name} = {value}" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[thalweg.oracles]\n{lines}\n")
        monkeypatch.delitem(sys.modules, package, raising=False)

    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield make
    for name in set(sys.modules) - before:
        if name.startswith("pkg_"):
            del sys.modules[name]


@pytest.fixture
def water(tmp_path):
    molecule("H2O").write(tmp_path / "water.xyz")
    return tmp_path / "water.xyz"


def doctor():
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(result.output)["checks"]
    return {check["name"]: check for check in found if check["group"] == "oracles"}


def test_an_oracle_of_another_package_from_the_configuration_to_a_label(install, water):
    install("pkg_trap", SOURCE, {"trap": "pkg_trap:TRAP"})
    assert "trap" in oracle_names()
    config = validate({"system": str(water), "oracle": {"name": "trap", "depth": "100 meV"}})
    dumped = config.oracle.model_dump()
    assert dumped == {"name": "trap", "depth": 0.1}
    assert json.loads(config.model_dump_json())["oracle"] == dumped
    assert validate(config.model_dump(mode="json")) == config
    oracle = make_oracle(dumped)
    label = oracle.label(Structure.from_atoms(molecule("H2O")))
    assert isinstance(label, Label)
    assert label.energy == pytest.approx(
        make_oracle({"name": "morse", "well_depth": 0.1}).label(Structure.from_atoms(molecule("H2O"))).energy
    )


def test_its_settings_are_explained_and_checked_like_our_own(install, water):
    install("pkg_trap", SOURCE, {"trap": "pkg_trap:TRAP"})
    text = render_config(water, "trap", water.parent, "c.yaml")
    assert "  # Depth. [eV]\n  depth: 0.5\n" in text
    (water.parent / "c.yaml").write_text(text)
    assert load_config(water.parent / "c.yaml").oracle.depth == 0.5
    for oracle, words in (
        ({"name": "trap", "deph": 1}, r"oracle\.deph: unknown key; did you mean oracle\.depth\?"),
        ({"name": "trap", "depth": "2 K"}, r"oracle\.depth: expected an energy"),
        ({"name": "trapp"}, "did you mean trap"),
    ):
        with pytest.raises(InputError, match=words):
            validate({"system": str(water), "oracle": oracle})
    with pytest.raises(InputError, match=r"oracle\.deph: .*did you mean 'depth'"):
        make_oracle({"name": "trap", "deph": 1})


def test_doctor_calls_it(install):
    install("pkg_trap", SOURCE, {"trap": "pkg_trap:TRAP"})
    assert (doctor()["trap"]["state"], doctor()["trap"]["detail"]) == ("ok", "a call was made")


def test_doctor_does_not_call_ok_what_has_no_probe(install):
    install("pkg_trap", SOURCE.replace(", probe=probe", ""), {"trap": "pkg_trap:TRAP"})
    assert doctor()["trap"]["state"] == "found, not tried"


@pytest.mark.parametrize(
    ("source", "value", "words"),
    [
        ("import surely_not_there\n", "pkg_bad:TRAP", "No module named 'surely_not_there'"),
        ("raise RuntimeError('no licence')\n", "pkg_bad:TRAP", "no licence"),
        ("import sys; sys.exit(3)\n", "pkg_bad:TRAP", "SystemExit"),
        ("TRAP = 3\n", "pkg_bad:TRAP", "must be an OracleEntry of that name, got int"),
        ("TRUP = 3\n", "pkg_bad:TRAP", "TRAP"),
        (SOURCE.replace('"trap"', '"trip"'), "pkg_bad:TRAP", "got one named 'trip'"),
        (SOURCE.replace('Literal["trap"]', 'Literal["trip"]'), "pkg_bad:TRAP", "must declare"),
        ("this is no Python\n", "pkg_bad", "SyntaxError"),
    ],
)
def test_a_broken_package_breaks_nothing_but_itself(install, water, source, value, words):
    install("pkg_bad", source, {"trap": value})
    validate({"system": str(water), "oracle": "tblite"})
    assert "trap" in oracle_names()
    with pytest.raises(SetupError, match="pkg_bad") as caught:
        validate({"system": str(water), "oracle": "trap"})
    assert words in str(caught.value)
    finding = doctor()["trap"]
    assert finding["state"] in {"broken", "absent"}
    assert words in finding["detail"]


def test_two_packages_of_one_name_are_both_named_and_others_go_on(install, water):
    install("pkg_one", SOURCE, {"trap": "pkg_one:TRAP"})
    install("pkg_two", SOURCE, {"trap": "pkg_two:TRAP", "tblite": "pkg_two:TRAP"})
    with pytest.raises(SetupError, match=r"'trap' is claimed by .*pkg_one.* and by .*pkg_two"):
        make_oracle({"name": "trap"})
    with pytest.raises(SetupError, match=r"'tblite' is claimed by thalweg itself and by .*pkg_two"):
        make_oracle({"name": "tblite"})
    validate({"system": str(water), "oracle": "morse"})
    assert doctor()["trap"]["state"] == "broken"


def test_no_other_package_is_imported_before_it_is_named(install, tmp_path):
    install("pkg_loud", "open('imported', 'w').close()\n" + SOURCE, {"trap": "pkg_loud:TRAP"})
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from thalweg.config import validate; from thalweg.oracles import oracle_names; "
        "validate({'system': 'a.xyz', 'oracle': 'tblite'}); assert 'trap' in oracle_names(); "
        "assert 'pkg_loud' not in sys.modules; "
        "validate({'system': 'a.xyz', 'oracle': 'trap'}); assert 'pkg_loud' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_what_comes_back_must_be_an_oracle(install):
    install(
        "pkg_trap",
        SOURCE.replace("return MorseOracle(well_depth=depth)", "return 3"),
        {"trap": "pkg_trap:TRAP"},
    )
    with pytest.raises(InputError, match="it has no fingerprint, display_name"):
        make_oracle({"name": "trap"})
    install(
        "pkg_trop",
        SOURCE.replace("trap", "trop").replace("MorseOracle(well_depth=depth)", "1 / 0"),
        {"trop": "pkg_trop:TRAP"},
    )
    with pytest.raises(InputError, match="ZeroDivisionError"):
        make_oracle({"name": "trop"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Two Words"}, "lower-case letters"),
        ({"name": 3}, "lower-case letters"),
        ({"oracle": 3}, "must be a class or a function"),
        ({"settings": dict}, "derived from OracleSettings"),
        ({"name": "other"}, r"must declare `name: Literal\['other'\]`"),
    ],
)
def test_an_entry_that_cannot_work_is_refused_when_it_is_made(change, words):
    whole = {"name": "tblite", "oracle": print, "settings": TbliteConfig, "summary": ""}
    with pytest.raises(InputError, match=words):
        OracleEntry(**{**whole, **change})


@pytest.mark.parametrize("name", [None, 3, ["tblite"], {"a": 1}, "", "x" * 10_000])
def test_names_that_are_none_are_refused(name, water):
    with pytest.raises(InputError, match=r"oracle\.?"):
        validate({"system": str(water), "oracle": {"name": name}})
    with pytest.raises(InputError, match="expected one of tblite"):
        make_oracle({"name": name})


def test_every_built_in_has_a_probe_and_can_be_named():
    needed = {"ase": {"calculator": "ase.calculators.emt.EMT"}, "faulty": {"inner": {"name": "morse"}}}
    for name, entry in BUILT_IN.items():
        assert find_entry(name) is entry
        assert entry.probe is not None
        assert entry.summary
        if name != "pyscf":
            make_oracle({"name": name, **needed.get(name, {})})

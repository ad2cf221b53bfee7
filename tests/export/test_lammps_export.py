"""The export to LAMMPS: against LAMMPS itself where one is found, and what it does when things disagree."""

from __future__ import annotations

import dataclasses
import stat

import numpy as np
import pytest
from yace_cases import BASES, fitted_alloy, structures_for, with_random_weights

from small_potentials import random_potential, silicon
from thalweg.errors import InputError, SetupError
from thalweg.export.check.compare import deviation, predicted
from thalweg.export.check.lammps import NOT_FOUND, evaluate_lammps, find_lammps
from thalweg.export.check.yace_file import read_yace
from thalweg.export.lammps import export_lammps
from thalweg.export.yace import write_lammps
from thalweg.features.zbl import ZblCutoffs


@pytest.fixture(params=BASES)
def case(request):
    basis = BASES[request.param]
    return with_random_weights(basis), structures_for(basis.elements)


@pytest.fixture(scope="module")
def lammps():
    found = find_lammps()
    if found is None:
        pytest.skip(NOT_FOUND)
    return found


def in_lammps(lammps, potential, path, structures):
    theirs = evaluate_lammps(lammps, write_lammps(potential, path), structures)
    return deviation(potential, structures, predicted(potential, structures), theirs)


def test_lammps_agrees(lammps, case, tmp_path):
    potential, structures = case
    assert in_lammps(lammps, potential, tmp_path / "my p.yace", structures).largest < 1e-7


def test_lammps_agrees_without_a_repulsion_and_with_one_zbl_style(lammps, tmp_path):
    potential, labelled = fitted_alloy()
    structures = [structure for structure, _ in labelled[:1]]
    uniform = ZblCutoffs(potential.elements, np.full((2, 2), 1.5), np.full((2, 2), 3.0))
    for zbl in (None, uniform):
        changed = dataclasses.replace(potential, zbl=zbl)
        assert in_lammps(lammps, changed, tmp_path / "p.yace", structures).largest < 1e-7


def test_lammps_agrees_on_a_fitted_potential(lammps, tmp_path):
    potential, labelled = fitted_alloy()
    structures = [structure for structure, _ in labelled[:3]]
    found = in_lammps(lammps, potential, tmp_path / "p.yace", structures)
    assert found.largest < 1e-7
    other = dataclasses.replace(potential, weights=potential.weights * (1 + 1e-5))
    assert in_lammps(lammps, other, tmp_path / "q.yace", structures).largest < 1e-7
    theirs = evaluate_lammps(lammps, tmp_path / "q.in", structures)
    assert deviation(potential, structures, predicted(potential, structures), theirs).largest > 1e-6


# --- the checked export ---------------------------------------------------------------------------------


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


PRETENDER = """#!/bin/sh
if [ "$1" = -h ]; then
  printf 'Simulator - 1 Jan 2000\\n\\n* Pair styles:\\n\\nlj/cut pace zbl\\n\\n* Bond styles\\n'
  exit 0
fi
for script; do :; done
folder=$(dirname "$script")
{body}
"""


@pytest.fixture
def pretender(tmp_path, monkeypatch):
    """A program that says it is LAMMPS with ML-PACE, and what it does when it runs."""

    def make(body):
        path = tmp_path / "pretender"
        path.write_text(PRETENDER.format(body=body))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("THALWEG_LMP", str(path))

    return make


@pytest.fixture
def no_lammps(tmp_path, monkeypatch):
    monkeypatch.delenv("THALWEG_LMP", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_export_checks_itself_without_lammps(no_lammps, tmp_path):
    potential = random_potential("Si", train=[silicon()])
    written = export_lammps(potential, tmp_path / "new" / "si.yace", structures=[silicon(3)])
    assert written.reading.largest < 1e-6
    assert written.lammps is None
    assert written.n_structures == 3
    assert names_in(tmp_path / "new") == ["si.in", "si.yace"]
    assert "si.yace Si" in written.commands.read_text()


def test_splines_are_narrowed_until_they_do_not_limit(no_lammps, tmp_path, monkeypatch):
    potential = random_potential("Si", train=[silicon()])
    monkeypatch.setattr("thalweg.export.lammps.SPLINE_BINS", 0.008)
    written = export_lammps(potential, tmp_path / "si.yace", structures=[silicon(3)])
    assert read_yace(written.potential).spline_bins < 0.008
    assert written.reading.largest < 1e-6
    monkeypatch.setattr("thalweg.export.lammps.SPLINE_BINS", 0.2)
    with pytest.raises(RuntimeError, match="nothing was exported"):
        export_lammps(potential, tmp_path / "coarse.yace", structures=[silicon(3)])


def test_a_lammps_that_says_otherwise_stops_the_export(pretender, tmp_path):
    pretender(
        'echo "1 0 0 0 0 0 0" > "$folder/values"\n'
        "n=$(awk '/ atoms/ {print $1}' \"$folder/data\")\n"
        'for k in 1 2 3 4 5 6 7 8 9; do echo header; done > "$folder/dump"\n'
        'seq $n | sed "s/$/ 0.1 0.2 0.3/" >> "$folder/dump"'
    )
    with pytest.raises(SetupError, match=r"LAMMPS \(1 Jan 2000\) deviate.*nothing was exported"):
        export_lammps(random_potential("Si", train=[silicon()]), tmp_path / "out" / "si.yace")
    assert names_in(tmp_path / "out") == []


def test_a_lammps_that_writes_nothing_is_told_from_a_disk_that_cannot(pretender, tmp_path):
    pretender("exit 0")
    with pytest.raises(SetupError, match="gave no readable results"):
        export_lammps(random_potential("Si", train=[silicon()]), tmp_path / "si.yace")


def test_a_lammps_that_fails_is_quoted(pretender, tmp_path):
    pretender("echo ERROR: out of luck; exit 3")
    with pytest.raises(SetupError, match="code 3: ERROR: out of luck"):
        export_lammps(random_potential("Si", train=[silicon()]), tmp_path / "si.yace")


def test_a_named_program_must_be_lammps_with_pace(tmp_path, monkeypatch):
    for name in (str(tmp_path / "absent"), "/bin/echo"):
        monkeypatch.setenv("THALWEG_LMP", name)
        with pytest.raises(SetupError, match="not a LAMMPS with the ML-PACE"):
            find_lammps()


def test_what_deviates_is_a_defect_and_is_not_exported(no_lammps, tmp_path, monkeypatch):
    from thalweg.export import yace

    monkeypatch.setattr(yace, "_zbl_groups", lambda potential: {})
    with pytest.raises(RuntimeError, match="nothing was exported"):
        export_lammps(random_potential("Si", train=[silicon()]), tmp_path / "si.yace")
    assert names_in(tmp_path) == []


def test_the_commands_do_not_replace_the_potential(no_lammps, tmp_path):
    with pytest.raises(InputError, match="of the commands"):
        export_lammps(random_potential("Si", train=[silicon()]), tmp_path / "si.in")

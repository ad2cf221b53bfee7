"""Bounds as LAMMPS acts on them: halts, and what a screened committee says where it is asked whole."""

from __future__ import annotations

import numpy as np
import pytest
from plugin_runs import evaluate, find_installation
from plugin_structures import CASES, moved, salt, skewed_silicon

from small_potentials import random_potential
from thalweg.features.evaluate import Features

CONFIRM = 0.75
"""Share of the limit from which on the whole committee speaks."""


@pytest.fixture(scope="module")
def lammps():
    return find_installation()


@pytest.mark.parametrize("style", ["thalweg", "thalweg screen {limit}"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_dynamics_halt_at_the_bound_and_leave_the_structure(lammps, style, ranks, tmp_path):
    structure = skewed_silicon()
    potential = random_potential("Si", train=[structure], n_members=8)
    limit = round(1.1 * potential.predict(structure).forces_bound.max(), 6)
    run = (
        "compute worst all reduce max f_unc[1]\nvariable worst equal c_worst\n"
        f"fix halt all halt 1 v_worst > {limit} error continue\n"
        "velocity all create 2000 7\nfix nve all nve\ntimestep 0.001\nrun 500\n"
        "write_dump all custom met.dump id x y z f_unc[1] modify sort id format float %.17g"
    )
    style = style.format(limit=limit)
    found = evaluate(lammps, tmp_path, potential, structure, ranks=ranks, style=style, run=run)
    assert "Fix halt condition" in found.text
    rows = (tmp_path / "met.dump").read_text().split("ITEM: ATOMS")[-1].splitlines()[1:]
    table = np.array([row.split() for row in rows], dtype=float)
    bound = potential.predict(moved(structure, table[:, 1:4])).forces_bound
    said = table[:, 4]
    assert said.max() > limit
    whole = said > (CONFIRM * limit if "screen" in style else 0.0)
    np.testing.assert_allclose(said[whole], bound[whole], rtol=1e-8)
    # What the screen let pass without asking is an estimate.
    assert (np.abs(said - bound) > 1e-3 * bound).any() == ("screen" in style)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_in_doubt_get_the_whole_committees_bound(lammps, name, ranks, tmp_path):
    elements, build = CASES[name]
    structure = build()
    potential = random_potential(*elements, train=[structure], n_members=5)
    prediction = potential.predict(structure)
    exact = prediction.forces_bound
    shares = []
    for limit in (1e-3, np.median(exact), 1e3):
        folder = tmp_path / str(limit)
        folder.mkdir()
        found = evaluate(
            lammps,
            folder,
            potential,
            structure,
            ranks=ranks,
            grid=f"{ranks} 1 1",
            style=f"thalweg screen {limit}",
        )
        whole = np.isclose(found.bound, exact, rtol=1e-9)
        assert (whole | (found.bound <= CONFIRM * limit)).all()
        shares.append(whole.mean())
        scale = np.abs(prediction.forces).max()
        np.testing.assert_allclose(found.forces, prediction.forces, rtol=0, atol=1e-9 * scale)
        np.testing.assert_allclose(found.novelty, prediction.novelty, rtol=1e-9, atol=1e-9)
    assert shares[0] == 1.0
    assert 0.0 < shares[1] < 1.0
    assert shares[2] == 0.0


@pytest.mark.parametrize("ranks", [1, 2])
def test_eight_looks_together_are_the_whole_committee(lammps, ranks, tmp_path):
    structure = salt()
    potential = random_potential("Si", "C", train=[structure], n_members=8)
    evaluate(
        lammps,
        tmp_path,
        potential,
        structure,
        ranks=ranks,
        style="thalweg screen 1e6",
        run="fix nve all nve\ntimestep 1e-9\nrun 7",  # at rest, as good as
    )
    frames = (tmp_path / "out.dump").read_text().split("ITEM: ATOMS")[1:]
    assert len(frames) == 8
    said = np.array(
        [[row.split()[7] for row in f.splitlines()[1 : 1 + len(structure)]] for f in frames], float
    )
    species = np.array([potential.elements.index(s) for s in structure.to_atoms().symbols])
    looks = (said - potential.bounds.floors[species]) / potential.bounds.factors[species]
    deviations, _ = Features(potential.basis).vjp([structure], potential.member_deltas[:, species])
    expected = (deviations**2).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose((looks**2).mean(axis=0), expected, rtol=1e-6)
    assert (looks.std(axis=0) > 0.1 * looks.mean(axis=0)).all()  # one alone would not do

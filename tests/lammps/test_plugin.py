"""`pair_style thalweg` against the potential itself: values, ranks, dynamics, and what is refused."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from plugin_runs import evaluate, find_installation, script, write_data
from plugin_structures import CASES, moved, salt, skewed_silicon

from small_potentials import random_potential
from thalweg.export.plugin import export_plugin, plugin_file
from thalweg.structure import Structure

TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def lammps():
    return find_installation()


@pytest.fixture(scope="module", params=CASES)
def case(request):
    elements, build = CASES[request.param]
    structure = build()
    return random_potential(*elements, train=[structure], n_members=5), structure


def assert_agrees(found, prediction, tolerance=TOLERANCE):
    scale = np.abs(prediction.forces).max()
    assert scale > 0.1
    assert found.energy == pytest.approx(prediction.energy, rel=tolerance)
    assert found.total == pytest.approx(prediction.energy, rel=tolerance)
    np.testing.assert_allclose(found.forces, prediction.forces, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(found.bound, prediction.forces_bound, rtol=tolerance)
    np.testing.assert_allclose(found.novelty, prediction.novelty, rtol=tolerance, atol=tolerance)
    if prediction.stress is not None:
        size = np.abs(prediction.stress).max()
        assert size > 1e-3
        np.testing.assert_allclose(found.stress, prediction.stress, rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("ranks", [1, 2])
def test_everything_agrees_with_the_potential(lammps, case, ranks, tmp_path):
    potential, structure = case
    found = evaluate(lammps, tmp_path, potential, structure, ranks=ranks, grid=f"{ranks} 1 1")
    assert f"{ranks} by 1 by 1 MPI processor grid" in found.text
    assert_agrees(found, potential.predict(structure))


def test_a_wrong_potential_would_be_noticed(lammps, tmp_path):
    # The control of the test above.
    structure = skewed_silicon()
    potential = random_potential("Si", train=[structure])
    other = random_potential("Si", train=[structure], seed=1)
    found = evaluate(lammps, tmp_path, potential, structure)
    with pytest.raises(AssertionError):
        assert_agrees(found, other.predict(structure), tolerance=1e-3)


def test_atom_types_may_be_in_any_order(lammps, tmp_path):
    structure = salt()
    potential = random_potential("Si", "C", train=[structure])
    found = evaluate(lammps, tmp_path, potential, structure, elements=("C", "Si"))
    assert_agrees(found, potential.predict(structure))


def test_mixed_precision_and_threads(lammps, tmp_path):
    structure = skewed_silicon()
    potential = random_potential("Si", train=[structure])
    found = evaluate(lammps, tmp_path, potential, structure, style="thalweg precision mixed threads 2")
    prediction = potential.predict(structure)
    assert_agrees(found, prediction, tolerance=1e-4)
    assert np.abs(found.forces - prediction.forces).max() > 0


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_part_of_a_hybrid(lammps, ranks, tmp_path):
    # More members and ghosts than the buffers that `hybrid` makes on its own would hold.
    structure = Structure.from_atoms(salt().to_atoms() * (2, 2, 2))
    potential = random_potential("Si", "C", train=[structure], n_members=8)
    # `pressure ... pair/hybrid` makes every part state its own virial.
    found = evaluate(
        lammps,
        tmp_path,
        potential,
        structure,
        ranks=ranks,
        style="hybrid/overlay thalweg zero 4.0",
        substyle="thalweg",
        more="pair_coeff * * zero\ncompute p all pressure NULL pair/hybrid thalweg",
        run="thermo_style custom step pe c_total pxx pyy pzz pyz pxz pxy c_p[1] c_p[4]\nrun 0\n"
        'print "$(c_p[1]:%.17g) $(c_p[4]:%.17g)" file part',
    )
    prediction = potential.predict(structure)
    assert_agrees(found, prediction)
    assert prediction.stress is not None
    part = [float(word) for word in (tmp_path / "part").read_text().split()]
    whole = -prediction.stress[[0, 5]] * 1.6021765e6
    np.testing.assert_allclose(part, whole, rtol=1e-9)


def test_a_box_divided_by_load(lammps, tmp_path):
    structure = salt()
    potential = random_potential("Si", "C", train=[structure])
    found = evaluate(
        lammps, tmp_path, potential, structure, ranks=2, more="comm_style tiled\nbalance 1.0 rcb"
    )
    assert "rebalanc" in found.text.lower()
    assert_agrees(found, potential.predict(structure))


@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_of_other_styles_are_left_alone(lammps, ranks, tmp_path):
    crystal = skewed_silicon()
    potential = random_potential("Si", train=[crystal])
    atoms = crystal.to_atoms()
    atoms.symbols[::7] = "Ar"  # which here feel nothing and are felt by nobody
    ours = [atom.index for atom in atoms if atom.symbol == "Si"]
    found = evaluate(
        lammps,
        tmp_path,
        potential,
        Structure.from_atoms(atoms),
        ranks=ranks,
        elements=("Si", "Ar"),
        style="hybrid thalweg zero 4.0",
        known=("Si", "NULL"),
        substyle="thalweg",
        more="pair_coeff *2 2 zero",
    )
    prediction = potential.predict(Structure.from_atoms(atoms[ours]))
    assert found.energy == pytest.approx(prediction.energy, rel=TOLERANCE)
    np.testing.assert_allclose(found.forces[ours], prediction.forces, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.bound[ours], prediction.forces_bound, rtol=TOLERANCE)
    assert not found.forces[::7].any()
    assert not found.bound[::7].any()
    assert np.abs(prediction.forces).max() > 0.1


@pytest.mark.parametrize("ranks", [1, 2])
def test_values_follow_atoms_through_dynamics(lammps, ranks, tmp_path):
    # Hot enough for atoms to change ranks and for lists to be built again; values are asked for every 20 steps.
    structure = skewed_silicon(repeat=4)
    potential = random_potential("Si", train=[structure])
    dynamics = (
        "unfix unc\nfix unc all pair 20 thalweg bound 1 novelty 1\n"
        "velocity all create 3000 7\nfix nve all nve\ntimestep 0.0001\n"
        "dump_modify all every 60\nrun 60"
    )
    found = evaluate(lammps, tmp_path, potential, structure, ranks=ranks, grid=f"{ranks} 1 1", run=dynamics)
    after_run = moved(structure, found.positions)
    assert int(re.findall(r"Neighbor list builds = (\d+)", found.text)[-1]) > 0
    # Halves of the box along x, which are the ranks' where there are two.
    inverse = np.linalg.inv(structure.cell)
    before, after = (np.floor(2 * x @ inverse)[:, 0] % 2 for x in (structure.positions, found.positions))
    assert (before != after).any()
    assert_agrees(found, potential.predict(after_run))


REFUSED = {
    "unknown keyword": ({"style": "thalweg speed 9"}, "Unknown pair_style thalweg keyword: speed"),
    "no threads": ({"style": "thalweg threads 0"}, "threads must be at least 1"),
    "no limit": ({"style": "thalweg screen 0"}, "screen needs a bound above 0 eV/A"),
    "precision": ({"style": "thalweg precision half"}, "precision must be double or mixed, got half"),
    "another element": ({"elements": "Ge"}, "p.thalweg has no element Ge; it knows Si"),
    "newton off": ({"first": "units metal\nnewton off"}, "needs newton pair on"),
    "units": ({"first": "units real"}, "needs units metal, got real"),
    "no value": ({"style": "thalweg threads"}, "Illegal pair_style thalweg threads command: missing argument"),
    "values not asked for": (
        {"run": "run 0\nunfix unc\nundump all\nfix unc all pair 1 thalweg bound 0\nrun 0"},
        "cannot extract property bound",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_an_error(lammps, what, tmp_path):
    changes, message = REFUSED[what]
    structure = skewed_silicon()
    write_data(tmp_path / "box.data", structure, ("Si",))
    export_plugin(random_potential("Si", train=[structure]), tmp_path / "p.thalweg")
    done = lammps.start(tmp_path, script(lammps, structure, ("Si",), **changes), 1)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr


def with_hostile_tensors(whole):
    """A right checksum over places far outside the file."""
    body = whole[: whole.rindex(b"end crc32")]
    changed = re.sub(rb"(tensor_start int \d+\n0) \d+", rb"\1 100000000", body)
    assert changed != body
    return changed + b"end crc32 %08x\n" % zlib.crc32(changed)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "other", "hostile"])
def test_a_file_that_is_no_potential_is_an_error(lammps, damage, ranks, tmp_path):
    structure = skewed_silicon()
    write_data(tmp_path / "box.data", structure, ("Si",))
    whole = plugin_file(random_potential("Si", train=[structure]))
    texts = {
        "truncated": whole[:2000],
        "changed": whole.replace(b"0.95", b"0.59"),
        "other": b"# DATE: 2007\n",
        "hostile": with_hostile_tensors(whole),
    }
    if damage in texts:
        (tmp_path / "p.thalweg").write_bytes(texts[damage])
    done = lammps.start(tmp_path, script(lammps, structure, ("Si",)), ranks)
    assert done.returncode != 0
    reasons = {
        "missing": "cannot read",
        "truncated": "last line",
        "changed": "checksum",
        "other": "first line",
        "hostile": "entry 'tensor_start' must rise",
    }
    assert reasons[damage] in done.stdout + done.stderr
    assert "Segmentation" not in done.stdout + done.stderr

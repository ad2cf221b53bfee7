import lzma

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from thalweg.errors import InputError
from thalweg.store import read_labelled, read_scored, read_structures

XYZ = """2
Lattice="5 0 0 0 6 0 0 0 7" Properties=species:S:1:pos:R:3:forces:R:3 energy=-3.5 {extra} pbc="T T T"
Si 0.0 0.0 0.0 0.1 0.2 0.3
Si 2.3 0.1 0.0 -0.1 -0.2 -0.3
"""
TENSOR = "0.1 0.6 0.5 0.6 0.2 0.4 0.5 0.4 0.3"
VOIGT = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def labelled_water():
    atoms = molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=-7.25, forces=np.arange(9.0).reshape(3, 3) / 8)
    return atoms


def test_every_frame_of_an_xyz_file_is_read(tmp_path):
    path = tmp_path / "two.xyz"
    ase.io.write(path, [molecule("H2O"), bulk("Si")])
    water, silicon = read_structures(path)
    assert water.numbers.tolist() == [8, 1, 1]
    assert not water.pbc.any()
    assert silicon.pbc.all()


@pytest.mark.parametrize("name", ["s.cif", "POSCAR", "s.json", "s.traj"])
def test_other_formats_of_ase_are_read(tmp_path, name):
    atoms = bulk("Si", cubic=True)
    ase.io.write(tmp_path / name, atoms)
    (structure,) = read_structures(tmp_path / name)
    assert np.allclose(structure.cell, atoms.cell)
    assert len(structure) == 8


def test_labels_come_from_results_also_compressed(tmp_path):
    plain, packed = tmp_path / "w.xyz", tmp_path / "w.xyz.xz"
    ase.io.write(plain, [labelled_water()] * 3, format="extxyz")
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    for path in (plain, packed):
        labelled = read_labelled(path)
        assert len(labelled) == 3
        structure, label = labelled[0]
        assert len(structure) == 3
        assert label.energy == -7.25
        assert np.array_equal(label.forces, np.arange(9.0).reshape(3, 3) / 8)
        assert label.stress is None


@pytest.mark.parametrize(
    ("extra", "factor"),
    [(f'stress="{TENSOR}"', 1.0), (f'virial="{TENSOR}"', -1.0 / 210.0), ("", None)],
    ids=["stress", "virial", "neither"],
)
def test_stress_in_voigt_order_with_the_sign_of_ase(tmp_path, extra, factor):
    path = tmp_path / "s.xyz"
    path.write_text(XYZ.format(extra=extra))
    ((_, label),) = read_labelled(path)
    if factor is None:
        assert label.stress is None
    else:
        assert np.allclose(label.stress, factor * np.array(VOIGT), rtol=1e-12)


def test_common_names_of_other_programs_are_known(tmp_path):
    path = tmp_path / "s.xyz"
    path.write_text(
        XYZ.format(extra="").replace("forces:R:3", "REF_forces:R:3").replace("energy", "REF_energy")
    )
    ((_, label),) = read_labelled(path)
    assert label.energy == -3.5
    assert label.forces[0].tolist() == [0.1, 0.2, 0.3]


def test_an_isolated_atom_needs_no_forces(tmp_path):
    path = tmp_path / "h.xyz"
    path.write_text('1\nProperties=species:S:1:pos:R:3 energy=-13.5 pbc="F F F"\nH 0 0 0\n')
    ((_, label),) = read_labelled(path)
    assert (label.energy, label.forces.tolist()) == (-13.5, [[0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.xyz", None, "no such file"),
        ("empty.xyz", "", "the file is empty"),
        ("bad.xyz", "2\ncomment\nH 0 0 zero\nH 0 0 1\n", "ASE cannot read it"),
        ("short.xyz", "5\ncomment\nH 0 0 0\n", "ASE cannot read it"),
        ("unknown.abc", "hello", "ASE knows no format"),
        ("nan.xyz", "1\ncomment\nH 0 0 nan\n", "structure 1: .*NaN"),
        ("half.xyz.xz", "not compressed", "not a whole compressed file"),
    ],
)
def test_unreadable_files_say_what_is_wrong(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        read_structures(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        read_structures(tmp_path)


def test_labels_of_energy_alone_are_read_beside_others(tmp_path):
    path = tmp_path / "mixed.xyz"
    path.write_text(XYZ.format(extra="") + XYZ.format(extra="").replace("forces:R:3", "velo:R:3"))
    (_, whole), (structure, alone) = read_labelled(path)
    assert whole.has_forces
    assert not alone.has_forces
    assert alone.forces.shape == (len(structure), 3)
    assert alone.energy == -3.5


def test_some_nan_among_forces_is_refused(tmp_path):
    path = tmp_path / "nan.xyz"
    path.write_text(XYZ.format(extra="").replace("0.1 0.2 0.3", "nan 0.2 0.3", 1))
    with pytest.raises(InputError, match="NaN"):
        read_labelled(path)


def test_a_file_is_split_by_the_names_in_its_comment_lines(tmp_path):
    path = tmp_path / "split.xyz.xz"
    names = ["train", "test", "train", "other"]
    text = "".join(XYZ.format(extra=f"split={name} tag={k}") for k, name in enumerate(names))
    path.write_bytes(lzma.compress(text.encode()))
    assert len(read_labelled(path)) == 4
    assert len(read_labelled(path, "train")) == 2
    assert len(read_labelled(path, "test, other")) == 2
    with pytest.raises(InputError, match=r"split=valid.*there are: other, test, train"):
        read_labelled(path, "valid")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("energy=-3.5", "", "has no energy"),
        ("energy=-3.5", "energy=nan", "NaN"),
    ],
)
def test_incomplete_labels_say_what_is_missing(tmp_path, old, new, words):
    path = tmp_path / "s.xyz"
    path.write_text(XYZ.format(extra="").replace(old, new))
    assert len(read_structures(path)) == 1
    with pytest.raises(InputError, match=f"structure 1: .*{words}"):
        read_labelled(path)


def test_scores_of_atoms_are_read_where_a_file_has_them(tmp_path):
    atoms = molecule("H2O")
    ase.io.write(tmp_path / "plain.xyz", atoms)
    (plain,) = read_scored(tmp_path / "plain.xyz")
    assert (plain.bound, plain.novelty) == (None, None)
    atoms.arrays["bound"], atoms.arrays["novelty"] = np.array([0.4, 0.1, 0.2]), np.array([3.0, 1.0, 1.0])
    atoms.info["why"] = "O0 uncertain, 0.40 eV/Å"
    ase.io.write(tmp_path / "scored.xyz", atoms, format="extxyz")
    (scored,) = read_scored(tmp_path / "scored.xyz")
    assert scored.bound.tolist() == [0.4, 0.1, 0.2]
    assert scored.novelty.tolist() == [3.0, 1.0, 1.0]
    assert scored.info["why"] == "O0 uncertain, 0.40 eV/Å"
    atoms.arrays["bound"] = np.array([0.4, np.nan, 0.2])
    ase.io.write(tmp_path / "bad.xyz", atoms, format="extxyz")
    with pytest.raises(InputError, match=r"bad\.xyz, structure 1: its column 'bound'"):
        read_scored(tmp_path / "bad.xyz")

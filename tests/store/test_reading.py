import gzip
import lzma
import os

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from thalweg.errors import InputError
from thalweg.store import read_labelled, read_moving, read_scored, read_structures

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
    with pytest.raises(InputError, match=rf"structure 1: .*{words}"):
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


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("energy=abc", "its energy is abc, not a number"),
        ("energy=1.0D+02", r"write 1.0E\+02 for 1.0D\+02"),
        ("energy=****", "is the calculation complete"),
        ("energy=T", "its energy is True; expected one number"),
        ("energy", "its energy is True; expected one number"),
        ('energy="1 2"', "expected one number"),
        ("energy=1e300", r"1e\+300 eV, expected one within"),
        ("energy=-inf", "NaN or infinity"),
        ('energy=1 stress="1e9 0 0 0 0 0 0 0 0"', "its stress reach 1e"),
        ('energy=1 virial="1e9 0 0 0 0 0 0 0 0"', "its stress reach 1e"),
        ('energy=1 REF_stress="a b c d e f"', "its stress"),
    ],
)
def test_labels_that_are_no_numbers_name_file_structure_and_cure(tmp_path, extra, words):
    path = tmp_path / "s.xyz"
    frame = XYZ.replace(" energy=-3.5", "")
    path.write_text(XYZ.format(extra="") + frame.format(extra=extra))
    with pytest.raises(InputError, match=words) as caught:
        read_labelled(path)
    assert str(caught.value).startswith(f"{path}, structure 2: ")


@pytest.mark.parametrize(
    ("column", "row", "words"),
    [
        ("dft_forces:S:3", "a b c", "its forces are not numbers"),
        ("dft_forces:L:3", "T F T", "its forces are not numbers"),
        ("dft_forces:R:2", "1 2", r"shape \(2, 2\), expected \(2, 3\)"),
        ("dft_forces:R:1", "1", r"shape \(2,\), expected \(2, 3\)"),
        ("dft_forces:R:3", "1 nan 2", "NaN or infinity among the forces"),
        ("dft_forces:R:3", "1 1e9 2", r"its forces reach 1e\+09 eV/Å"),
    ],
)
def test_forces_that_are_none(tmp_path, column, row, words):
    path = tmp_path / "s.xyz"
    path.write_text(f"2\nProperties=species:S:1:pos:R:3:{column} energy=1\nSi 0 0 0 {row}\nSi 2 0 0 {row}\n")
    with pytest.raises(InputError, match=words):
        read_labelled(path)


def test_an_energy_in_an_array_of_one_element_is_taken(tmp_path):
    atoms = labelled_water()
    atoms.calc = None
    atoms.info["energy"] = np.array([-7.25])
    path = tmp_path / "w.json"
    ase.io.write(path, atoms)
    atoms.arrays["forces"] = np.zeros((3, 3))
    ase.io.write(tmp_path / "w.xyz", atoms, columns=["symbols", "positions", "forces"])
    assert read_labelled(tmp_path / "w.xyz")[0][1].energy == -7.25


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "count.xyz",
            b"99999999999999\n\nH 0 0 0\n",
            "structure 1: its first line says 99999999999999 atoms",
        ),
        ("second.xyz", b"1\n\nH 0 0 0\n-2\n\n", "structure 2: its first line says -2 atoms"),
        ("latin.xyz", "1\nÅ\nH 0 0 0\n".encode("latin-1"), "no text in UTF-8"),
        ("bomb.xyz.xz", lzma.compress(b"1\n" + b"0" * 30_000_000), "more than 100 times its size"),
        ("cut.xyz.xz", lzma.compress(b"1\n\nH 0 0 0\n")[:-4], "not a whole compressed file"),
        ("empty.xyz.xz", lzma.compress(b""), "the compressed file is empty"),
        ("unknown.xyz", b"1\nProperties=species:S:1:pos:R:3\nQq 0 0 0\n", "'Qq' is not a chemical element"),
        ("x.xyz", b"1\nProperties=species:S:1:pos:R:3\nX 0 0 0\n", "not a chemical element"),
    ],
)
def test_hostile_files_are_refused_at_once(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_structures(tmp_path / name)


def test_compressed_streams_after_each_other_are_one_file(tmp_path):
    frame = b"1\n\nH 0 0 0\n"
    (tmp_path / "two.xyz.gz").write_bytes(gzip.compress(frame) + gzip.compress(frame))
    assert len(read_structures(tmp_path / "two.xyz.gz")) == 2


def test_a_pipe_is_no_file_and_an_at_sign_no_index(tmp_path):
    os.mkfifo(tmp_path / "pipe.xyz")
    with pytest.raises(InputError, match="a pipe or a device"):
        read_structures(tmp_path / "pipe.xyz")
    (tmp_path / "a@b.xyz").write_text("1\n\nH 0 0 0\n")
    assert len(read_structures(tmp_path / "a@b.xyz")) == 1


def test_velocities_beyond_any_atoms(tmp_path):
    atoms = molecule("H2O")
    atoms.set_velocities(np.full((3, 3), 0.1))
    ase.io.write(tmp_path / "w.xyz", atoms)
    assert read_moving(tmp_path / "w.xyz")[1] == pytest.approx(0.1)
    atoms.set_velocities(np.full((3, 3), 1e4))
    ase.io.write(tmp_path / "w.xyz", atoms)
    with pytest.raises(InputError, match=r"structure 1: its atom 0 .* expected at most 20"):
        read_moving(tmp_path / "w.xyz")

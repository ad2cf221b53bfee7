import gzip
import lzma
import os
import re

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule

from thalweg.errors import InputError
from thalweg.store import read_moving, read_scored, read_structures


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


POSCAR = "{title}\n1\n3 0 0\n0 3 0\n0 0 3\n{counts}\nDirect\n0 0 0\n.5 .5 .5\n"


@pytest.mark.parametrize(
    ("title", "counts", "words"),
    [
        ("of VASP 4", "2", "its title is 'of VASP 4'; write their symbols in a line before"),
        ("CO on Pt(111)", "1 1", "elements are not named"),
        ("Cu", "1 1", "does not name its elements"),
        ("by hand", "1 1", "does not name its elements"),
        ("by hand", "Cu O\n1 1", None),
        ("of VASP 5", "Cu_pv O_h\n1 1", None),
        ("Cu O", "1 1", None),
        ("Cu O", "1 1 ! copper and oxygen", None),
    ],
)
@pytest.mark.parametrize("name", ["POSCAR", "CONTCAR", "x.poscar", "x.vasp"])
def test_elements_of_a_poscar_are_not_guessed(tmp_path, name, title, counts, words):
    (tmp_path / name).write_text(POSCAR.format(title=title, counts=counts))
    if words is None:
        assert read_structures(tmp_path / name)[0].numbers.tolist() == [29, 8]
        return
    with pytest.raises(InputError, match=re.escape(words)):
        read_structures(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        read_structures(tmp_path)


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
        ("x.xyz", b"1\nProperties=species:S:1:pos:R:3\nX 0 0 0\n", "not of a chemical element"),
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


def test_the_structure_in_which_a_file_breaks_off_is_named(tmp_path):
    (tmp_path / "x.xyz").write_text("1\n\nCu 0 0 0\n3\n\nCu 0 0 0\n")
    with pytest.raises(InputError, match=r"x\.xyz, structure 2: .*Frame has 1 atoms, expected 3"):
        read_structures(tmp_path / "x.xyz")

"""Labels from files: which are taken, from which names, how many; and what is refused, in which words."""

import lzma

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from thalweg.errors import InputError
from thalweg.store import read_labelled, read_labelled_file, read_structures

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


def test_labels_of_energy_alone_are_read_beside_others(tmp_path):
    path = tmp_path / "mixed.xyz"
    path.write_text(XYZ.format(extra="") + XYZ.format(extra="").replace("forces:R:3", "velo:R:3"))
    (_, whole), (structure, alone) = read_labelled(path)
    assert whole.has_forces
    assert not alone.has_forces
    assert alone.forces.shape == (len(structure), 3)
    assert alone.energy == -3.5


@pytest.mark.parametrize("quantity", ["forces", "stress"])
def test_nan_drops_the_quantity_of_that_structure_and_is_counted(tmp_path, quantity):
    path = tmp_path / "nan.xyz"
    whole = XYZ.format(extra=f'stress="{TENSOR}"')
    spoilt = {"forces": ("0.1 0.2 0.3", "nan 0.2 0.3"), "stress": ('"0.1', '"nan')}[quantity]
    path.write_text(whole + whole.replace(*spoilt, 1) + whole)
    file = read_labelled_file(path)
    assert [label.has_forces for _, label in file] == [True, quantity != "forces", True]
    assert [label.stress is not None for _, label in file] == [True, quantity != "stress", True]
    assert {len(file), *(file.taken.names[kind][kind] for kind in ("energy", "forces", "stress"))} == {3, 2}
    assert file.taken.absent == {quantity: (2,)}
    assert file.taken.omissions == [f"{quantity} with NaN in them, not taken: 1 (structure 2)"]


def test_a_structure_whose_energy_is_nan_is_left_out_and_counted(tmp_path):
    path = tmp_path / "nan.xyz"
    path.write_text(XYZ.format(extra="") * 2 + XYZ.format(extra="").replace("-3.5", "nan"))
    file = read_labelled_file(path)
    assert (len(file), file.numbers) == (2, (1, 2))
    assert file.taken.left_out == {"energy is NaN": (3,)}


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


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("energy=abc", "its energy is abc, no number"),
        ("energy=1.0D+02", r"write 1.0E\+02 for 1.0D\+02"),
        ("energy=****", "is the calculation complete"),
        ("energy=T", "its energy is True; expected one number"),
        ("energy", "its energy is True; expected one number"),
        ('energy="1 2"', "expected one number"),
        ("energy=1e300", r"1e\+300 eV, expected one within"),
        ("energy=-inf", "NaN or infinity"),
        ('energy=1 stress="1e9 0 0 0 0 0 0 0 0"', "its stress reach 1e"),
        ('energy=1 virial="1e9 0 0 0 0 0 0 0 0"', "its stress reach 1e"),
        ('energy=1 virial="a b c d e f"', 'its virial is "a b c d e f"'),
        ('energy=1 stress="1 2 3"', 'its stress is "1 2 3"; expected nine numbers'),
        ('energy=1 virials="a b c d e f"', "its stress"),
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
        ("dft_forces:S:3", "a b c", "its forces are no numbers"),
        ("dft_forces:L:3", "T F T", "its forces are no numbers"),
        ("dft_forces:R:2", "1 2", r"shape \(2, 2\), expected \(2, 3\)"),
        ("dft_forces:R:1", "1", r"shape \(2,\), expected \(2, 3\)"),
        ("dft_forces:R:3", "1 inf 2", "infinity among the forces"),
        ("dft_forces:R:3", "1 1e9 2", r"its forces reach 1e\+09 eV/Å"),
    ],
)
def test_forces_that_are_none(tmp_path, column, row, words):
    path = tmp_path / "s.xyz"
    path.write_text(
        f"2\nProperties=species:S:1:pos:R:3:{column} dft_energy=1\nSi 0 0 0 {row}\nSi 2 0 0 {row}\n"
    )
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


def test_forces_that_a_constraint_has_put_to_zero_are_refused(tmp_path):
    path = tmp_path / "held.xyz"
    atoms = labelled_water()
    atoms.set_constraint(FixAtoms([1, 2]))
    ase.io.write(path, atoms, format="extxyz")
    assert read_labelled(path)[0][1].forces[1, 2] == 0.625  # ASE writes those of the calculation
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.info["REF_energy"] = -7.25
    ase.io.write(path, atoms, format="extxyz")
    with pytest.raises(
        InputError, match=r"structure 1: its forces are exactly zero on all 2 held atoms.*=False"
    ):
        read_labelled(path)
    del atoms.constraints
    ase.io.write(path, atoms, format="extxyz")
    assert len(read_labelled(path)) == 1

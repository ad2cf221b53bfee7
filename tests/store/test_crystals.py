"""Sites of files that are not one atom of one element, and very skewed cells."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms, FixScaled

from odd_files import cif, disordered
from thalweg.errors import InputError, InputWarning
from thalweg.store import read_labelled, read_moving, read_structures


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            cif("Cu1 Cu 0 0 0 0.75", "Au1 Au 0 0 0 0.25", "O1 O 0 0 0.5 1"),
            r"atom 0 \(counted from 0\) Cu 0.75, Au 0.25",
        ),
        (cif("Cu1 Cu 0 0 0 1", "O1 O 0 0 0.5 0.9"), r"atom 1 \(counted from 0\) O 0.9"),
        (cif("Cu1 Cu 0 0 0 0.5(1)"), "Cu 0.5"),
        (disordered("1", "2"), r"alternatives of a disorder .*: Cu0 \(1\), Cu1 \(2\)"),
        (disordered(".", "-1"), r"alternatives of a disorder .*: Cu1 \(-1\)"),
        (cif("Cu1 Cu 0 0 0 1", "Q1 X 0 0 0.5 1"), r"not of a chemical element .*atom 1 \(counted from 0\)"),
    ],
)
def test_partial_and_alternative_sites_are_refused(tmp_path, text, words):
    (tmp_path / "x.cif").write_text(text)
    with pytest.raises(InputError, match=rf"x\.cif, structure 1: .*{words}"):
        read_structures(tmp_path / "x.cif")


@pytest.mark.parametrize(
    "text",
    [
        cif("Cu1 Cu 0 0 0 1.0", "O1 O 0 0 0.5 0.9999"),
        cif("Cu1 Cu 0 0 0 ?", "O1 O 0 0 0.5 ."),
        cif("Cu1 Cu 0 0 0 1.000(2)", "O1 O 0 0 0.5 1"),
        disordered("1", "."),
        disordered(".", "."),
    ],
)
def test_whole_sites_are_read(tmp_path, text):
    (tmp_path / "x.cif").write_text(text)
    (structure,) = read_structures(tmp_path / "x.cif")
    assert len(structure) == 2


GRAPHITE = "_symmetry_Int_Tables_number 194"


@pytest.mark.parametrize(("digits", "n"), [(3, None), (8, 2)])
def test_copies_by_a_rounded_symmetry_are_no_atoms(tmp_path, digits, n):
    thirds = {"third": f"{1 / 3:.{digits}f}", "twothirds": f"{int(10**digits * 2 / 3) / 10**digits}"}
    text = cif(f"C1 C {thirds['third']} {thirds['twothirds']} 0.25 1").replace("3.8", "24.0")
    text = text.replace("gamma 90", "gamma 120").replace("_symmetry_space_group_name_H-M 'P 1'", GRAPHITE)
    (tmp_path / "x.cif").write_text(text)
    if n is not None:
        assert len(read_structures(tmp_path / "x.cif")[0]) == n
        return
    with pytest.raises(InputError, match=r"the same position, less than 0\.1 Å apart .* more digits"):
        read_structures(tmp_path / "x.cif")


def test_occupancies_go_along_into_other_formats(tmp_path):
    (tmp_path / "x.cif").write_text(cif("Cu1 Cu 0 0 0 0.75"))
    atoms = ase.io.read(tmp_path / "x.cif")
    for name in ("x.traj", "x.xyz"):
        atoms.write(tmp_path / name)
        with pytest.raises(InputError, match="not one whole atom"):
            read_structures(tmp_path / name)


def test_a_column_of_occupancies(tmp_path):
    atoms = bulk("Cu", cubic=True)
    for values, refused in (([1, 1, 0.5, 1], True), ([1, 1, 1, 1], False), ([0, 0, 0, 0], False)):
        atoms.arrays["occupancy"] = np.array(values, dtype=float)
        atoms.write(tmp_path / "x.xyz", format="extxyz")
        if refused:
            with pytest.raises(InputError, match=r"atom 2 \(counted from 0\) Cu 0.5"):
                read_structures(tmp_path / "x.xyz")
        else:
            assert len(read_structures(tmp_path / "x.xyz")) == 1


@pytest.mark.parametrize("word", ["Xx", "Du", "C(sp3)", "H_ow", "Zn2+", "Q"])
def test_words_that_are_no_element_are_named_with_their_atom(tmp_path, word):
    frame = "2\nProperties=species:S:1:pos:R:3\nO 0 0 0\n{} 0 0 2\n"
    (tmp_path / "x.xyz").write_text(frame.format("H") + frame.format(word))
    with pytest.raises(InputError) as caught:
        read_structures(tmp_path / "x.xyz")
    assert f"structure 2, atom 1 (counted from 0): {word!r} is not a chemical element" in str(caught.value)


SKEW = np.array([[1, 0, 0], [40, 1, 0], [3, -17, 1]])


def skewed():
    atoms = bulk("Cu", cubic=True)
    atoms.set_velocities(np.random.default_rng(0).normal(size=(4, 3)))
    atoms.set_cell(SKEW @ np.array(atoms.cell))
    return atoms


def test_very_skewed_cells_are_reduced_and_counted(tmp_path):
    plain, tilted = bulk("Cu", cubic=True), skewed()
    tilted.positions += [[3, -2, 1], [0, 0, 0], [0, 5, 0], [0, 0, 0]] @ np.array(tilted.cell)
    ase.io.write(tmp_path / "x.xyz", [plain, tilted, tilted])
    with pytest.warns(InputWarning, match=r"x\.xyz: very skewed cells \(structure 2 and 1 more\)") as caught:
        structures = read_structures(tmp_path / "x.xyz")
    assert len(caught) == 1
    for structure in structures:
        assert np.abs(structure.cell) == pytest.approx(np.abs(np.array(plain.cell)), abs=1e-6)
        assert structure.positions == pytest.approx(plain.positions, abs=1e-5)


def test_labels_and_velocities_of_a_skewed_cell_stay(tmp_path):
    atoms = skewed()
    atoms.info |= {
        "REF_energy": -3.0,
        "REF_stress": np.arange(9.0).reshape(3, 3) + np.arange(9.0).reshape(3, 3).T,
    }
    atoms.arrays["REF_forces"] = np.arange(12.0).reshape(4, 3)
    atoms.write(tmp_path / "x.xyz", format="extxyz")
    with pytest.warns(InputWarning, match="very skewed"):
        ((_, label),) = read_labelled(tmp_path / "x.xyz")
    assert label.forces == pytest.approx(atoms.arrays["REF_forces"])
    assert label.stress == pytest.approx([0, 8, 16, 12, 8, 4])
    with pytest.warns(InputWarning, match="very skewed"):
        _, velocities = read_moving(tmp_path / "x.xyz")
    assert velocities == pytest.approx(atoms.get_velocities())


def test_what_is_fixed_along_the_old_vectors_is_not_reduced(tmp_path):
    atoms = skewed()
    atoms.set_constraint(FixAtoms([0]))
    atoms.write(tmp_path / "x.traj")
    with pytest.warns(InputWarning, match="very skewed"):
        assert len(read_structures(tmp_path / "x.traj")) == 1
    atoms.set_constraint(FixScaled([1], mask=[True, False, False]))
    atoms.write(tmp_path / "x.traj")
    with pytest.raises(InputError, match=r"structure 1: its cell is very skewed .*selective dynamics"):
        read_structures(tmp_path / "x.traj")

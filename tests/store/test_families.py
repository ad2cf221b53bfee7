"""Labels of one level of theory: a reference goes before bare names, and what is ambiguous is refused."""

import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from thalweg.errors import InputError
from thalweg.store import read_labelled, read_labelled_file

POSITIONS = ["0.0 0.0 0.0", "1.2 0.1 0.0"]


def frame(info="", atoms=2, **columns):
    """One structure of extended XYZ; `columns` are forces of this name, all atoms alike."""
    names = "".join(f":{name}:R:3" for name in columns)
    rows = [f"C {place}" + "".join(f" {x} 0 0" for x in columns.values()) for place in POSITIONS[:atoms]]
    return "\n".join([str(atoms), f'Properties=species:S:1:pos:R:3{names} {info} pbc="F F F"', *rows, ""])


@pytest.fixture
def read(tmp_path):
    def read(*frames, **options):
        path = tmp_path / "labels.xyz"
        path.write_text("".join(frames))
        return read_labelled_file(path, **options)

    return read


def first(file):
    label = file[0][1]
    return label.energy, label.forces[0, 0]


def test_what_was_taken_is_said_by_name_and_number(read):
    whole = frame("REF_energy=-1 charge=-1", REF_forces=0.5)
    file = read(whole, whole, frame("REF_energy=-2 charge=0"))
    assert file.taken.words == (
        "energies 3 from REF_energy; forces 2 from REF_forces; stress none; charge -1 in 2, 0 in 1"
    )
    assert any(
        "in more than one state (charge -1 in 2; charge 0 in 1)" in line for line in file.taken.warnings
    )
    assert file.taken.to_json()["forces"] == {"REF_forces": 2}
    neutral = read(frame("energy=-1 charge=0", forces=0.5))
    assert (neutral.taken.warnings, neutral.taken.omissions) == ([], [])
    assert neutral.taken.words == "energies 1 from energy; forces 1 from forces; stress none"


@pytest.mark.parametrize("prefix", ["REF_", "ref_", "DFT_", "dft_", "qm_"])
def test_a_reference_goes_before_bare_names(read, prefix):
    file = read(frame(f"{prefix}energy=-5 energy=-1", **{f"{prefix}forces": 0.5, "forces": 0.9}))
    assert first(file) == (-5.0, 0.5)
    assert file.taken.omissions == ["not taken: forces (1), energy (1)"]


def test_predictions_of_other_models_are_not_taken_unless_asked_for(read):
    text = frame("energy=-5 MACE_energy=-1", forces=0.5, MACE_forces=0.9)
    assert first(read(text)) == (-5.0, 0.5)
    assert first(read(text, labels="MACE")) == (-1.0, 0.9)
    with pytest.raises(InputError, match=r"surely a label: .*MACE_energy \(1\).*--labels MACE"):
        read(frame("MACE_energy=-1", MACE_forces=0.9))


AMBIGUOUS = {
    "two references": (frame("REF_energy=-5 DFT_energy=-1", REF_forces=0.5, DFT_forces=0.9), "REF", "DFT"),
    "energy of one, forces of the other": (frame("REF_energy=-5", forces=0.5), "REF", None),
    "bare energy, forces of a reference": (frame("energy=-5", dft_force=0.5), "bare", None),
    "predictions whole, reference energy alone": (
        frame("REF_energy=-5 energy=-1", forces=0.9),
        "REF",
        "bare",
    ),
    "the second structure has bare names": (
        frame("REF_energy=-5", REF_forces=0.5) + frame("energy=-1", forces=0.9),
        "REF",
        "bare",
    ),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_is_ambiguous_is_refused_with_the_option_that_decides(read, name):
    text, option, other = AMBIGUOUS[name]
    with pytest.raises(InputError) as caught:
        read(text)
    assert f"--labels {option}" in str(caught.value)
    file = read(text, labels=option)
    energy, force = first(file)
    assert energy == -5.0
    assert len(file) == 1
    assert force == 0.5 or not file[0][1].has_forces
    if other is not None:
        assert f"--labels {other}" in str(caught.value)
        assert first(read(text, labels=other)) == (-1.0, 0.9)


def test_structures_without_the_labels_asked_for_are_left_out_and_counted(read):
    file = read(frame("REF_energy=-5", REF_forces=0.5), frame("energy=-1", forces=0.9), labels="ref")
    assert (len(file), file.numbers) == (1, (1,))
    assert file.taken.left_out == {"no energy under these names": (2,)}
    with pytest.raises(InputError, match=r"no labels called 'PBE'; there are: .*--labels REF"):
        read(frame("REF_energy=-5", REF_forces=0.5), labels="PBE")


def test_the_energy_is_the_one_that_the_forces_belong_to(read):
    smeared = frame("energy=-1 free_energy=-1.5", forces=0.5)
    file = read(smeared)
    assert first(file) == (-1.5, 0.5)
    assert file.taken.names["energy"] == {"free_energy": 1}
    alike = read(frame("energy=-1 free_energy=-1", forces=0.5), frame("energy=-2", forces=0.5))
    assert alike.taken.names["energy"] == {"energy": 2}
    assert alike.taken.warnings == []
    mixed = read(smeared, frame("energy=-2", forces=0.5))
    assert any("1 from free_energy, 1 from energy" in line for line in mixed.taken.warnings)
    assert first(read(frame("REF_energy=-1 REF_free_energy=-1.5", REF_forces=0.5))) == (-1.5, 0.5)


@pytest.mark.parametrize(
    "flag",
    [
        'converged="not converged"',
        "converged=F",
        "scf_converged=False",
        "SCF_converged=no",
        "is_converged=0",
        "REF_converged=F",
        "unconverged=T",
    ],
)
def test_labels_that_say_that_they_have_not_converged_are_left_out(read, flag):
    file = read(frame("energy=-1", forces=0.5), frame(f"energy=-9 {flag}", forces=0.5))
    assert (len(file), file.taken.left_out) == (1, {"unconverged": (2,)})
    with pytest.raises(
        InputError, match=r"structure 1: .*\(unconverged\), and no labelled structure is left"
    ):
        read(frame(f"energy=-9 {flag}", forces=0.5))


@pytest.mark.parametrize(
    "flag", ["converged=T", "scf_converged=1", "ionic_converged=F", "relax_converged=F", "unconverged=F"]
)
def test_converged_labels_and_steps_of_a_relaxation_are_taken(read, flag):
    file = read(frame(f"energy=-1 {flag}", forces=0.5))
    assert (len(file), file.taken.left_out) == (1, {})


def test_results_that_ase_parsed_and_bare_names_are_never_mixed(tmp_path):
    atoms = molecule("CO")
    path = tmp_path / "labels.traj"

    def written(calculated, info):
        one = atoms.copy()
        one.calc = SinglePointCalculator(one, **calculated)
        one.info.update(info)
        ase.io.write(path, one)
        return path

    forces = np.array([[0, 0, 0.25], [0, 0, -0.25]])
    file = read_labelled_file(written({"energy": -3.0, "forces": forces}, {"energy": -3.0}))
    assert (file[0][1].energy, file[0][1].forces[0, 2]) == (-3.0, 0.25)
    with pytest.raises(InputError, match=r"two that differ of energy.*--labels calculator.*--labels bare"):
        read_labelled(written({"energy": -3.0, "forces": forces}, {"energy": -1.0}))
    ((_, label),) = read_labelled(path, labels="bare")
    assert (label.energy, label.has_forces) == (-1.0, False)
    with pytest.raises(InputError, match=r"it has energy, but stress under another name"):
        read_labelled(written({"energy": -3.0}, {"stress": np.zeros(6)}))


def test_a_database_keeps_what_it_says_of_a_label_in_pairs_of_its_own(tmp_path):
    path = tmp_path / "labels.json"
    with ase.db.connect(path) as database:
        for n in range(3):
            atoms = molecule("CO")
            atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((2, 3)))
            database.write(atoms, REF_energy=-5.0 - n, scf_converged=n != 1, split="ab"[n // 2])
    file = read_labelled_file(path, labels="REF")
    assert [label.energy for _, label in file] == [-5.0, -7.0]
    assert file.taken.left_out == {"unconverged": (2,)}
    assert [label.energy for _, label in read_labelled(path, "b", labels="calculator")] == [-1.0]


@pytest.mark.parametrize("name", ["Energy", "energy_dft"])
def test_an_energy_under_an_unknown_name_is_named(read, name):
    with pytest.raises(InputError, match=rf"structure 1: it has no energy; .*; {name} is there"):
        read(frame(f"{name}=-1", forces=0.5))


def test_labels_of_two_oracles_in_one_file_are_said(read):
    one, other = (frame(f"energy=-1 oracle={name}", forces=0.5) for name in ("PBE", "HSE06"))
    (warning,) = read(one, other, other).taken.warnings
    assert "more than one oracle: PBE (1); HSE06 (2)" in warning
    assert read(one, one).taken.warnings == []


def test_others_than_the_test_split(read):
    frames = [frame(f"energy=-{n} split={name}", forces=0.5) for n, name in enumerate(("a", "test", "b"), 1)]
    file = read(*frames, without="test")
    assert ([label.energy for _, label in file], file.numbers) == ([-1.0, -3.0], (1, 3))
    with pytest.raises(InputError, match="split=valid"):
        read(*frames, without="valid")
    with pytest.raises(InputError, match="none is left"):
        read(*frames, without="a,b,test")

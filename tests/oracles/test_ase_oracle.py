import importlib.util

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculationFailed, Calculator, SCFError, all_changes

from thalweg.errors import InputError, OracleError, SetupError
from thalweg.label import Failure, FailureKind, Label
from thalweg.oracles.ase import AseOracle, load_factory
from thalweg.oracles.base import noise_from_net_force
from thalweg.structure import Structure

EMT = "ase.calculators.emt.EMT"


class Scripted(Calculator):
    """Does what its option says; found by the dotted path test_ase_oracle.Scripted."""

    implemented_properties = ("energy", "free_energy", "forces")

    def __init__(self, what="answer"):
        super().__init__()
        self.what = what

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        from pathlib import Path

        (Path(self.directory) / "scf.out").write_text(f"cycle 1\ncell in {self.directory}\n")
        if self.what == "unconverged":
            raise SCFError("not in 100 cycles")
        if self.what == "failed":
            raise CalculationFailed("signal 9")
        if self.what == "bug":
            raise ZeroDivisionError("oops")
        forces = np.full((len(atoms), 3), np.nan if self.what == "nan" else 0.01)
        self.results = {"energy": 1.0, "free_energy": 2.0, "forces": forces}


class EnergyOnly(Calculator):
    implemented_properties = ("energy",)


def copper(seed=0):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=seed)
    return Structure.from_atoms(atoms)


def scripted(what):
    return AseOracle("test_ase_oracle.Scripted", {"what": what})


def test_emt_by_its_dotted_path_gives_what_ase_gives():
    structure = copper()
    label = AseOracle(EMT).label(structure)
    atoms = structure.to_atoms()
    atoms.calc = load_factory(EMT)()
    assert isinstance(label, Label)
    assert label.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
    assert np.allclose(label.forces, atoms.get_forces(), atol=1e-12)
    assert np.allclose(label.stress, atoms.get_stress(), atol=1e-12)
    assert np.abs(label.stress).max() > 1e-4


def test_labels_do_not_depend_on_the_calls_before():
    oracle = AseOracle(EMT)
    first = oracle.label(copper(1))
    oracle.label(copper(2))
    again = oracle.label(copper(1))
    assert again.energy == first.energy
    assert np.array_equal(again.forces, first.forces)


def test_a_kept_calculator_answers_the_same_to_rounding():
    kept, fresh = AseOracle(EMT, reuse=True), AseOracle(EMT)
    for seed in (1, 2, 1):
        assert np.allclose(kept.label(copper(seed)).forces, fresh.label(copper(seed)).forces, atol=1e-10)


def test_the_energy_is_the_one_that_the_forces_belong_to():
    assert scripted("answer").label(copper()).energy == 2.0


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("unconverged", FailureKind.UNCONVERGED),
        ("failed", FailureKind.CRASHED),
        ("bug", FailureKind.CRASHED),
        ("nan", FailureKind.IMPLAUSIBLE),
    ],
)
def test_failures_have_their_kind_and_log(what, kind):
    outcome = scripted(what).label(copper())
    assert isinstance(outcome, Failure)
    assert outcome.kind is kind
    if kind is not FailureKind.IMPLAUSIBLE:
        assert "Traceback" in outcome.log
        assert "--- scf.out" in outcome.log
        assert "cycle 1" in outcome.log


def test_files_go_to_a_scratch_folder_that_is_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(scripted("answer").label(copper()), Label)
    assert list(tmp_path.iterdir()) == []


def test_elements_out_of_reach_are_named():
    with pytest.raises(OracleError, match=r"EMT cannot treat (OH2|H2O|HOH)|EMT cannot treat"):
        AseOracle(EMT).check_structure(Structure.from_atoms(bulk("Si")))
    AseOracle(EMT).check_structure(copper())


def test_isolated_atoms():
    assert AseOracle(EMT).isolated_atom_energy(29) is not None
    assert AseOracle(EMT).isolated_atom_energy(14) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("EMT", "must be a dotted path"),
        ("os.system('x').y", "must be a dotted path"),
        ("ase.calculators.emt.EMTT", r"did you mean ase\.calculators\.emt\.EMT\?"),
        ("ase.calculators.emtt.EMT", "no module 'ase.calculators.emtt'"),
        ("ase.calculators.emt.__name__", "not a calculator class"),
        ("test_ase_oracle.EnergyOnly", "gives no forces"),
    ],
)
def test_wrong_paths_are_explained(path, words):
    with pytest.raises(InputError, match=words):
        AseOracle(path)


def test_wrong_options_are_explained():
    with pytest.raises(InputError, match="cannot be built with options"):
        AseOracle("test_ase_oracle.Scripted", {"nonsense": 1})
    with pytest.raises(InputError, match="noise has keys"):
        AseOracle(EMT, noise={"force": 0.1})


def test_a_missing_dependency_is_a_matter_of_setup(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import surely_not_installed_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.util.find_spec("surely_not_installed_package") is None
    with pytest.raises(SetupError, match="pip install surely_not_installed_package"):
        AseOracle("needs_more.Calculator")


def test_fingerprints_hold_the_options():
    assert scripted("nan").fingerprint != scripted("bug").fingerprint
    assert AseOracle(EMT).fingerprint == AseOracle(EMT).fingerprint


def test_a_net_force_betrays_noise():
    rng = np.random.default_rng(0)
    estimates = [noise_from_net_force(0.1 * rng.standard_normal((20, 3))) for _ in range(400)]
    assert np.sqrt(np.mean(np.square(estimates))) == pytest.approx(0.1, rel=0.1)
    assert noise_from_net_force(np.array([[1.0, 0, 0], [-1.0, 0, 0]])) == 0.0
    label = scripted("answer").label(Structure.from_atoms(molecule("H2O")))
    assert label.noise.forces == pytest.approx(0.01 * np.sqrt(3))

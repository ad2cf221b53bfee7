import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import (
    CalculationFailed,
    Calculator,
    PropertyNotImplementedError,
    SCFError,
    all_changes,
)
from ase.calculators.mixing import SumCalculator

from thalweg.errors import InputError, SetupError
from thalweg.isolation import PRINTED, STARTED_IN
from thalweg.label import Failure, FailureKind, Label
from thalweg.oracles import make_oracle
from thalweg.oracles.ase import AseOracle
from thalweg.oracles.base import canonical_json, isolated_atom, noise_from_net_force
from thalweg.oracles.calculators import absolute, load_factory
from thalweg.structure import Structure

EMT = "ase.calculators.emt.EMT"
SEEN = []


def raising(error):
    def act(calculator, atoms):
        raise error

    return act


def answering(**changes):
    def act(calculator, atoms):
        calculator.results.update(changes)

    return act


def spoiling(name, change):
    def act(calculator, atoms):
        calculator.results[name] = change(calculator.results[name])

    return act


def moving(calculator, atoms):
    atoms.positions[0] += 0.1


def unconverged_program(calculator, atoms):
    Path("out.txt").write_text("     convergence NOT achieved after   9 iterations: stopping\n")
    code = "import sys; sys.exit(3)"
    subprocess.check_call([sys.executable, "-c", code])


def unknown_program(calculator, atoms):
    """Of a program that nobody knows, whose output then cannot be read."""
    Path("own.log").write_text("step 40\nthe density has failed to converge within 40 steps\n")
    float("---")


def quiet_program(calculator, atoms):
    """Ends as if all were well."""
    Path("out.txt").write_text("     convergence NOT achieved after   9 iterations: stopping\n")


def shared_file(calculator, atoms):
    """Works in the current folder, whatever its directory says, and finds what the call before left there."""
    files = {path.name for path in Path().iterdir()} - {PRINTED}
    SEEN.append((files, Path.cwd(), calculator.directory))
    Path("scf.out").write_text("cycle 1\n")


class OddError(Exception):
    def __str__(self):
        raise ValueError("no text")


ACTS = {
    "answer": lambda calculator, atoms: None,
    "unconverged": raising(SCFError("not in 100 cycles")),
    "failed": raising(CalculationFailed("signal 9")),
    "bug": raising(ZeroDivisionError("oops")),
    "exit": raising(SystemExit(0)),
    "cancelled": raising(GeneratorExit()),
    "memory": raising(MemoryError()),
    "odd text": raising(OddError()),
    "long text": raising(RuntimeError("begin " + "not con" * 10**6 + " end")),
    "surrogate": raising(RuntimeError("bad byte \udc80")),
    "element": raising(NotImplementedError("no parameters for Cu")),
    "property": raising(PropertyNotImplementedError("forces")),
    "said": raising(RuntimeError("SCC is NOT converged, maximal SCC iterations exceeded")),
    "conversion": lambda calculator, atoms: float("abc"),
    "no program": lambda calculator, atoms: subprocess.check_call(["surely-no-such-program", "-in", "x"]),
    "no shell program": lambda calculator, atoms: subprocess.run(
        "surely-no-such-program -in x", shell=True, check=True
    ),
    "program": unconverged_program,
    "unknown program": unknown_program,
    "quiet program": quiet_program,
    "no output": lambda calculator, atoms: Path("job.out").read_text(),
    "nan": spoiling("forces", lambda f: np.full_like(f, np.nan)),
    "infinite": answering(free_energy=np.inf),
    "flat": spoiling("forces", np.ravel),
    "turned": spoiling("forces", np.transpose),
    "complex": spoiling("forces", lambda f: f + 1e-3j),
    "complex type": spoiling("forces", lambda f: f.astype(complex)),
    "masked": spoiling("forces", lambda f: np.ma.masked_array(f, mask=True)),
    "objects": spoiling("forces", lambda f: f.astype(object)),
    "ragged": spoiling("forces", lambda f: [[0.0, 0.0], [0.0]]),
    "nothing": spoiling("forces", lambda f: None),
    "text": answering(free_energy="-3.5"),
    "two energies": answering(free_energy=np.array([1.0, 2.0])),
    "one energy": answering(free_energy=np.array([2.0])),
    "one energy deep": answering(free_energy=np.array([[2.0]], dtype=np.float32)),
    "tensor": answering(stress=np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]]) * 1e-3),
    "skew tensor": answering(stress=np.array([[1.0, 6.0, 5.0], [6.5, 2.0, 4.0], [5.0, 4.0, 3.0]]) * 1e-3),
    "nine": answering(stress=np.arange(9.0)),
    "stress nan": answering(stress=np.full(6, np.nan)),
    "moved": moving,
    "flag": lambda calculator, atoms: setattr(calculator, "converged", False),
    "numpy flag": lambda calculator, atoms: setattr(calculator, "converged", np.bool_(False)),
    "flag true": lambda calculator, atoms: setattr(calculator, "converged", True),
    "flag method": lambda calculator, atoms: setattr(calculator, "converged", lambda: False),
    "flag in results": answering(converged=False),
    "flag of the scf": lambda calculator, atoms: setattr(calculator, "scf", Flagged()),
    "shared file": shared_file,
}


class Flagged:
    converged = False


class Scripted(Calculator):
    """Does what its option says; found by the dotted path test_ase_oracle.Scripted."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, what="answer", path=""):
        super().__init__()
        self.what = what

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        (Path(self.directory) / "scf.out").write_text(f"cycle 1\ncell in {self.directory}\n")
        forces = np.full((len(atoms), 3), 0.01)
        self.results = {"energy": 1.0, "free_energy": 2.0, "forces": forces, "stress": np.zeros(6)}
        ACTS[self.what](self, atoms)


class WithPath(Calculator):
    """Asks for its folder in the way of ASE's calculators for programs."""

    implemented_properties = ("energy", "forces")

    def __init__(self, directory=".", **options):
        self.kept = options
        super().__init__()
        self.wanted = None

    @property
    def directory(self):
        return self.wanted

    @directory.setter
    def directory(self, folder):
        self.wanted = folder

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        self.atoms = atoms.copy()
        SEEN.append((self.directory, self.kept))
        self.directory.mkdir(exist_ok=True)
        self.results = {"energy": 1.0, "forces": np.full((len(atoms), 3), 0.01)}


class Fixed(Calculator):
    """Its folder cannot be set, and some of its attributes cannot be read."""

    implemented_properties = ("energy", "forces")
    calculator = property(lambda self: 1 / 0)
    mixer = property(lambda self: 1 / 0)
    scf = property(lambda self: 1 / 0)

    def __init__(self):
        self.parameters, self.results, self.atoms, self.use_cache = {}, {}, None, True

    @property
    def directory(self):
        return "fixed"

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        SEEN.append((self.directory, Path.cwd()))
        self.results = {"energy": 1.0, "forces": np.full((len(atoms), 3), 0.01)}


def scripted_and_emt():
    """A sum, of which only one part says that it did not converge."""
    return SumCalculator([load_factory(EMT)(), Scripted("flag")])


def printing(what="answer"):
    """A factory that does what user code does."""
    print("hello")
    os.chdir("/")
    os.environ["SCRIPTED"] = "1"
    return Scripted(what)


def leaving():
    sys.exit(0)


class WithAnything(Calculator):
    implemented_properties = ("energy", "forces")

    def __init__(self, **options):
        super().__init__()


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
    ("what", "kind", "words"),
    [
        ("unconverged", FailureKind.UNCONVERGED, "not in 100 cycles"),
        ("failed", FailureKind.CRASHED, "signal 9"),
        ("bug", FailureKind.CRASHED, "ZeroDivisionError: oops"),
        ("exit", FailureKind.CRASHED, "SystemExit: 0"),
        ("cancelled", FailureKind.CRASHED, "GeneratorExit"),
        ("memory", FailureKind.CRASHED, "MemoryError"),
        ("odd text", FailureKind.CRASHED, "OddError"),
        ("long text", FailureKind.CRASHED, "RuntimeError: begin"),
        ("surrogate", FailureKind.CRASHED, "bad byte \ufffd"),
        ("element", FailureKind.REFUSED, "no parameters for Cu"),
        ("property", FailureKind.REFUSED, "forces"),
        ("said", FailureKind.UNCONVERGED, "SCC is NOT converged"),
        ("conversion", FailureKind.CRASHED, "could not convert string to float"),
        ("no program", FailureKind.REFUSED, "'surely-no-such-program' cannot be started"),
        ("no shell program", FailureKind.REFUSED, "'surely-no-such-program' cannot be started"),
        ("program", FailureKind.UNCONVERGED, "convergence NOT achieved after 9 iterations"),
        (
            "unknown program",
            FailureKind.UNCONVERGED,
            "Scripted: the density has failed to converge within 40 steps",
        ),
        ("quiet program", FailureKind.UNCONVERGED, "convergence NOT achieved after 9 iterations"),
        ("no output", FailureKind.CRASHED, "job.out"),
        ("nan", FailureKind.IMPLAUSIBLE, "not finite"),
        ("infinite", FailureKind.IMPLAUSIBLE, "not finite"),
        ("flat", FailureKind.IMPLAUSIBLE, "forces of 4 atoms must have shape (4, 3), got (12,)"),
        ("turned", FailureKind.IMPLAUSIBLE, "forces of 4 atoms must have shape (4, 3), got (3, 4)"),
        ("complex", FailureKind.IMPLAUSIBLE, "forces must be real"),
        ("complex type", FailureKind.IMPLAUSIBLE, "forces must be real"),
        ("masked", FailureKind.IMPLAUSIBLE, "masked"),
        ("objects", FailureKind.IMPLAUSIBLE, "must be numbers"),
        ("ragged", FailureKind.IMPLAUSIBLE, "cannot be read as numbers"),
        ("nothing", FailureKind.IMPLAUSIBLE, "forces must be numbers"),
        ("text", FailureKind.IMPLAUSIBLE, "must be numbers"),
        ("two energies", FailureKind.IMPLAUSIBLE, "energy must be one number"),
        ("skew tensor", FailureKind.IMPLAUSIBLE, "not symmetric"),
        ("nine", FailureKind.IMPLAUSIBLE, "stress must be 6 numbers"),
        ("stress nan", FailureKind.IMPLAUSIBLE, "not finite"),
        ("moved", FailureKind.IMPLAUSIBLE, "changed the positions"),
        ("flag", FailureKind.UNCONVERGED, "converged = False"),
        ("numpy flag", FailureKind.UNCONVERGED, "converged = False"),
        ("flag method", FailureKind.UNCONVERGED, "converged = False"),
        ("flag in results", FailureKind.UNCONVERGED, "converged = False"),
        ("flag of the scf", FailureKind.UNCONVERGED, "converged = False"),
    ],
)
def test_whatever_is_not_an_answer_is_a_typed_failure(what, kind, words):
    outcome = scripted(what).label(copper())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, words in outcome.message) == (kind, True), outcome.message
    assert outcome.oracle == scripted(what).fingerprint


def test_what_the_file_says_is_kept():
    assert "--- scf.out\ncycle 1" in scripted("bug").label(copper()).log
    assert "ZeroDivisionError" in scripted("bug").label(copper()).log
    assert "--- out.txt\n     convergence NOT achieved" in scripted("program").label(copper()).log


def test_ctrl_c_is_not_caught(monkeypatch):
    monkeypatch.setitem(ACTS, "bug", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        scripted("bug").label(copper())


@pytest.mark.parametrize("what", ["one energy", "one energy deep", "flag true", "tensor", "answer"])
def test_whatever_is_an_answer_is_taken(what):
    label = scripted(what).label(copper())
    assert isinstance(label, Label)
    assert label.energy == 2.0
    if what == "tensor":
        assert np.allclose(label.stress, 1e-3 * np.arange(1.0, 7.0), atol=0)


def test_a_part_of_a_sum_that_did_not_converge_is_heard():
    outcome = AseOracle("test_ase_oracle.scripted_and_emt").label(copper())
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNCONVERGED


def test_calculators_with_odd_attributes_are_taken():
    SEEN.clear()
    assert isinstance(AseOracle("test_ase_oracle.Fixed").label(copper()), Label)
    assert SEEN[-1][1].name.startswith("thalweg-")


def test_every_call_has_an_empty_folder_of_its_own_as_current_folder():
    SEEN.clear()
    before = Path.cwd()
    for seed in (1, 2):
        assert isinstance(scripted("shared file").label(copper(seed)), Label)
    (files, folder, directory), (_, other, _) = SEEN
    assert files == {"scf.out"}  # written in this call, by Scripted itself
    assert folder != other
    assert Path(directory) == folder
    assert not folder.exists()
    assert Path.cwd() == before


@pytest.mark.parametrize("options", [{}, {"directory": "./mine"}, {"directory": "/tmp/shared"}])
def test_the_folder_is_a_path_and_always_the_call_s_own(options):
    SEEN.clear()
    assert isinstance(AseOracle("test_ase_oracle.WithPath", options).label(copper()), Label)
    (folder, _) = SEEN[-1]
    assert isinstance(folder, Path)
    assert folder.name.startswith("thalweg-")


def test_paths_in_options_start_where_the_command_was_given():
    options = {
        "pseudo": "./pseudo",
        "nested": {"up": ["../a.upf", "plain/b.upf", 3], "home": "~/c"},
        "text": "...and so on",
        "tilde": "~",
        "command": "mpirun -np 2 ./pw.x -in PREFIX.pwi > ../PREFIX.pwo",
    }
    oracle = AseOracle("test_ase_oracle.WithPath", options)
    SEEN.clear()
    oracle.label(copper())
    kept = SEEN[-1][1]
    assert kept["pseudo"] == str(STARTED_IN / "pseudo")
    assert kept["nested"] == {
        "up": [str(STARTED_IN.parent / "a.upf"), "plain/b.upf", 3],
        "home": str(Path.home() / "c"),
    }
    assert kept["text"] == "...and so on"
    assert kept["tilde"] == str(Path.home())
    assert kept["command"] == (
        f"mpirun -np 2 {STARTED_IN / 'pw.x'} -in PREFIX.pwi > {STARTED_IN.parent / 'PREFIX.pwo'}"
    )
    assert '"pseudo":"./pseudo"' in oracle.fingerprint
    assert options["nested"]["home"] == "~/c"


def test_options_without_end_are_refused():
    endless = {}
    endless["again"] = endless
    with pytest.raises(InputError, match="levels deep"):
        absolute(endless)


def test_calculators_cannot_change_options_for_the_next_call():
    oracle = AseOracle("test_ase_oracle.WithPath", {"input_data": {"system": {"ecutwfc": 12}}})
    SEEN.clear()
    oracle.label(copper())
    SEEN[-1][1]["input_data"]["system"]["ecutwfc"] = 99
    oracle.label(copper())
    assert SEEN[-1][1]["input_data"]["system"]["ecutwfc"] == 12


def test_user_code_is_isolated_when_the_calculator_is_made(capfd):
    before = Path.cwd()
    oracle = AseOracle("test_ase_oracle.printing")
    assert isinstance(oracle.label(copper()), Label)
    assert Path.cwd() == before
    assert "SCRIPTED" not in os.environ
    assert capfd.readouterr().out == ""


def test_a_factory_that_leaves_is_a_mistake_and_not_the_end():
    with pytest.raises(InputError, match="SystemExit"):
        AseOracle("test_ase_oracle.leaving")


def test_an_oracle_can_be_pickled_also_with_a_kept_calculator():
    oracle = AseOracle(EMT, {"asap_cutoff": True}, reuse=True, noise={"forces": 0.1}, isolated_atoms=False)
    oracle.label(copper())
    copy = pickle.loads(pickle.dumps(oracle))
    assert copy == oracle
    assert copy.label(copper()).energy == oracle.label(copper()).energy


def test_files_go_to_a_scratch_folder_that_is_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(scripted("answer").label(copper()), Label)
    assert list(tmp_path.iterdir()) == []


def test_elements_out_of_reach_are_refused_by_the_call_and_checks_make_none(monkeypatch):
    outcome = AseOracle(EMT).label(Structure.from_atoms(bulk("Si")))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.REFUSED
    assert "No EMT-potential for Si" in outcome.message
    oracle = AseOracle(EMT)
    monkeypatch.setattr(AseOracle, "label", lambda *_: pytest.fail("a call was made"))
    oracle.check_structure(Structure.from_atoms(bulk("Si")))


def test_lone_atoms_are_asked_like_everything_else():
    assert isinstance(AseOracle(EMT).label(isolated_atom(29)), Label)
    assert isinstance(AseOracle(EMT).label(isolated_atom(14)), Failure)
    assert AseOracle(EMT).gives_isolated_atoms
    assert not make_oracle({"name": "ase", "calculator": EMT, "isolated_atoms": False}).gives_isolated_atoms


def test_options_are_the_numbers_so_there_is_one_rung():
    assert AseOracle(EMT).rungs == 1


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


def test_fingerprints_of_objects_stay_the_same():
    options = {
        "function": ACTS["answer"],
        "kpts": np.array([2, 2, 1]),
        "box": (1, 2),
        "nested": {"x": object()},
    }
    oracles = [
        AseOracle("test_ase_oracle.WithAnything", dict(options, nested={"x": object()})) for _ in range(2)
    ]
    assert oracles[0].fingerprint == oracles[1].fingerprint
    assert '"kpts":[2,2,1]' in oracles[0].fingerprint
    assert "0x" not in oracles[0].fingerprint


def test_settings_that_are_no_plain_data_are_refused_where_they_have_to_travel():
    assert canonical_json({"b": (1, np.float64(2.5)), "a": np.arange(2)}) == '{"a":[0,1],"b":[1,2.5]}'
    with pytest.raises(InputError, match="got object"):
        canonical_json({"options": {"x": object()}})


def test_a_net_force_betrays_noise():
    rng = np.random.default_rng(0)
    estimates = [noise_from_net_force(0.1 * rng.standard_normal((20, 3))) for _ in range(400)]
    assert np.sqrt(np.mean(np.square(estimates))) == pytest.approx(0.1, rel=0.1)
    assert noise_from_net_force(np.array([[1.0, 0, 0], [-1.0, 0, 0]])) == 0.0
    label = scripted("answer").label(Structure.from_atoms(molecule("H2O")))
    assert label.noise.forces == pytest.approx(0.01 * np.sqrt(3))

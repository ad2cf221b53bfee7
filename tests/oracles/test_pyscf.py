import sys

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.units import Bohr, Hartree

from thalweg.errors import InputError, OracleError, SetupError
from thalweg.label import Failure, FailureKind, Label
from thalweg.oracles import make_oracle
from thalweg.oracles.base import isolated_atom
from thalweg.structure import Structure

pytest.importorskip("pyscf")

from thalweg.oracles.pyscf import RUNGS, PyscfOracle


def system(name, seed=None, amplitude=0.05):
    atoms = molecule(name)
    if seed is not None:
        atoms.rattle(amplitude, seed=seed)
    return Structure.from_atoms(atoms)


CASES = [
    ("HF", "H2O", {}),
    ("PBE", "H2O", {}),
    ("MP2", "H2O", {}),
    ("HF", "OH", {"multiplicity": 2}),
    ("B3LYP", "NH2", {"multiplicity": 2}),
    ("MP2", "OH", {"multiplicity": 2}),
    ("PBE", "H2O", {"charge": 1, "multiplicity": 2}),
    ("HF", "H2O", {"density_fit": True}),
    ("SCAN", "N2", {}),
]


@pytest.mark.parametrize(("method", "name", "options"), CASES)
def test_forces_are_the_derivative_of_the_energy(method, name, options):
    oracle = PyscfOracle(method, "sto-3g", conv_tol=1e-10, **options)
    structure, h = system(name, seed=1), 2e-3
    label = oracle.label(structure)
    assert isinstance(label, Label), label
    for atom, axis in ((0, 2), (1, 1)):
        step = np.zeros_like(structure.positions)
        step[atom, axis] = h
        plus, minus = (
            oracle.label(structure.with_positions(structure.positions + s)).energy for s in (step, -step)
        )
        assert label.forces[atom, axis] == pytest.approx(-(plus - minus) / (2 * h), abs=5e-4)
    assert np.abs(label.forces).max() > 0.1
    assert label.stress is None


@pytest.mark.parametrize(("method", "name", "options"), [CASES[0], CASES[1], CASES[2], CASES[4], CASES[6]])
def test_numbers_are_those_of_pyscf_called_directly(method, name, options):
    from pyscf import dft, gto, mp, scf

    structure = system(name, seed=2)
    mol = gto.M(
        atom=list(zip(structure.to_atoms().get_chemical_symbols(), structure.positions / Bohr, strict=True)),
        unit="Bohr",
        basis="6-31g",
        charge=options.get("charge", 0),
        spin=options.get("multiplicity", 1) - 1,
        verbose=0,
    )
    if method in {"HF", "MP2"}:
        field = scf.RHF(mol) if mol.spin == 0 else scf.UHF(mol)
    else:
        field = dft.RKS(mol, xc=method) if mol.spin == 0 else dft.UKS(mol, xc=method)
    field.conv_tol = 1e-11
    field.kernel()
    final = mp.MP2(field).run() if method == "MP2" else field
    gradient = final.nuc_grad_method()
    if method not in {"HF", "MP2"}:
        gradient.grid_response = True
    label = PyscfOracle(method, "6-31g", conv_tol=1e-11, **options).label(structure)
    assert label.energy == pytest.approx(final.e_tot * Hartree, abs=1e-6)
    assert np.allclose(label.forces, -gradient.kernel() * Hartree / Bohr, atol=1e-4)


def test_a_published_energy():
    # H2 at 1.4 bohr, HF/STO-3G: -1.1167 Hartree (Szabo, Ostlund, Modern Quantum Chemistry, table 3.3 ff.)
    atoms = Structure([1, 1], [[0, 0, 0], [0, 0, 1.4 * Bohr]], np.zeros((3, 3)), [False] * 3)
    label = PyscfOracle("HF", "sto-3g").label(atoms)
    assert label.energy / Hartree == pytest.approx(-1.1167, abs=1e-4)


@pytest.mark.parametrize("method", ["HF", "PBE", "MP2"])
def test_the_same_structure_has_the_same_bits_whatever_came_before(method):
    first, other = PyscfOracle(method, "sto-3g"), PyscfOracle(method, "sto-3g")
    alone = first.label(system("H2O", 3))
    for seed in (4, 5):
        other.label(system("H2O", seed))
    later = other.label(system("H2O", 3))
    assert later.energy == alone.energy
    assert np.array_equal(later.forces, alone.forces)
    assert other.label(system("H2O", 4)).energy != alone.energy


@pytest.mark.parametrize(
    ("method", "options"), [("HF", {}), ("PBE", {}), ("MP2", {}), ("B3LYP", {"charge": 1, "multiplicity": 2})]
)
def test_every_rung_of_the_ladder_gives_the_same_answer(method, options):
    oracle = PyscfOracle(method, "sto-3g", **options)
    labels = [oracle.label(system("H2O", 1), attempt) for attempt in range(len(RUNGS) + 1)]
    assert oracle.rungs == len(RUNGS) == 3
    for label in labels:
        assert label.energy == pytest.approx(labels[0].energy, abs=1e-5)
        assert np.abs(label.forces - labels[0].forces).max() < 5 * labels[0].noise.forces + 1e-5


def test_no_convergence_is_an_outcome_and_the_ladder_mends_it():
    oracle = PyscfOracle("HF", "sto-3g", max_cycle=3)
    outcome = oracle.label(system("H2O", 1))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNCONVERGED
    assert "not converged in 3 cycles" in outcome.message
    mended = oracle.label(system("H2O", 1), attempt=2)
    assert isinstance(mended, Label)
    assert mended.energy == pytest.approx(
        PyscfOracle("HF", "sto-3g").label(system("H2O", 1)).energy, abs=1e-6
    )


@pytest.mark.parametrize(("method", "name", "options"), [CASES[0], CASES[1], CASES[2], CASES[3]])
def test_stated_noise_covers_the_measured_error(method, name, options):
    exact = PyscfOracle(method, "sto-3g", conv_tol=1e-13, **options)
    rough = PyscfOracle(method, "sto-3g", conv_tol=1e-6, **options)
    one, other = exact.label(system(name, 1)), rough.label(system(name, 1))
    assert 0 < np.sqrt(np.mean((one.forces - other.forces) ** 2)) <= other.noise.forces
    assert abs(one.energy - other.energy) <= other.noise.energy


def test_isolated_atoms_are_neutral_and_in_their_ground_state():
    from pyscf import gto, scf

    charged = PyscfOracle("HF", "6-31g", charge=1, multiplicity=2)
    for number, symbol, spin in ((1, "H", 1), (6, "C", 2), (7, "N", 3), (8, "O", 2), (10, "Ne", 0)):
        label = charged.label(isolated_atom(number))
        field = scf.UHF(gto.M(atom=f"{symbol} 0 0 0", basis="6-31g", spin=spin, verbose=0)).run()
        assert label.energy == pytest.approx(field.e_tot * Hartree, abs=1e-5)
        assert not label.forces.any()


def test_molecules_are_bound_against_their_atoms():
    for method in ("PBE", "MP2"):
        oracle = PyscfOracle(method, "6-31g*")
        atoms = sum(oracle.label(isolated_atom(number)).energy for number in (8, 1, 1))
        assert -12.0 < oracle.label(system("H2O")).energy - atoms < -7.0


def test_heavy_elements_get_the_core_potential_of_their_basis():
    iodide = Structure([53, 1], [[0, 0, 0], [0, 0, 1.61]], np.zeros((3, 3)), [False] * 3)
    label = PyscfOracle("HF", "def2-SVP").label(iodide)
    # with 28 electrons in the core: some -298 Hartree, not the -6900 of all electrons
    assert -310 < label.energy / Hartree < -290


@pytest.mark.parametrize(
    ("options", "structure", "words"),
    [
        ({}, Structure.from_atoms(bulk("Si")), "molecules only"),
        ({"basis": "cc-pVDZ"}, Structure([53], [[0, 0, 0]], np.zeros((3, 3)), [False] * 3), "has no I"),
        ({}, Structure([118], [[0, 0, 0]], np.zeros((3, 3)), [False] * 3), "has no Og"),
        ({"charge": 1}, system("H2O"), "an odd number, and nothing says its spin"),
        ({"multiplicity": 2}, system("H2O"), "an even number of electrons has multiplicity 1, 3"),
        ({"charge": 10}, system("H2O"), "leaves 0 electrons"),
        ({"multiplicity": 13}, system("H2O"), "multiplicity 13 has 12 unpaired electrons"),
    ],
)
def test_systems_out_of_reach_are_refused_before_any_call(options, structure, words):
    oracle = PyscfOracle("HF", **{"basis": "sto-3g", **options})
    with pytest.raises(OracleError, match=words):
        oracle.check_structure(structure)
    outcome = oracle.label(structure)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.REFUSED
    oracle = PyscfOracle("HF", "sto-3g")
    oracle.check_structure(system("H2O"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "CCSD"}, "HF, MP2 or a functional"),
        ({"method": "PBE-D3BJ"}, "dispersion"),
        ({"basis": "def3-SVP"}, "no basis 'def3-SVP'"),
        ({"charge": 0.5}, "charge: expected a whole number"),
        ({"multiplicity": 0}, "multiplicity"),
        ({"conv_tol": 0.0}, "conv_tol"),
        ({"method": "MP2", "density_fit": True}, "set density_fit: false"),
        ({"grid_level": 12}, "grid_level"),
        ({"metod": "HF"}, "did you mean 'method'"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        make_oracle({"name": "pyscf", **options})


def test_fractional_charges_are_refused_by_the_class_too():
    with pytest.raises(InputError, match="charge must be a whole number"):
        PyscfOracle(charge=0.5)


def test_the_fingerprint_holds_what_moves_a_number():
    import pyscf

    plain = PyscfOracle().fingerprint
    assert pyscf.__version__ in plain
    assert PyscfOracle(max_cycle=500, max_memory=1000).fingerprint == plain
    assert PyscfOracle("pbe", "def2-svp").fingerprint == plain
    for options in (
        {"method": "HF"},
        {"basis": "sto-3g"},
        {"charge": 2},
        {"multiplicity": 3},
        {"conv_tol": 1e-8},
        {"density_fit": True},
        {"grid_level": 4},
    ):
        assert PyscfOracle(**options).fingerprint != plain


def test_touching_atoms_are_a_failure_and_not_an_exception():
    atoms = molecule("H2O")
    atoms.positions[1] = atoms.positions[0]
    outcome = PyscfOracle("HF", "sto-3g").label(Structure.from_atoms(atoms))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.CRASHED


def test_nothing_is_printed_or_left_behind(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["thalweg", "--verbose", "9", "-o", "printed.log"])
    PyscfOracle("PBE", "sto-3g").label(system("H2O"))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_without_pyscf_the_line_that_installs_it_is_named(monkeypatch):
    from thalweg.oracles import pyscf_library

    pyscf_library.library.cache_clear()
    monkeypatch.setitem(sys.modules, "pyscf", None)
    try:
        with pytest.raises(SetupError, match=r"pip install 'thalweg\[pyscf\]'"):
            make_oracle({"name": "pyscf", "method": "HF"})
    finally:
        pyscf_library.library.cache_clear()

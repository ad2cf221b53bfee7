import numpy as np
import pytest
from ase.build import bulk, molecule

from thalweg.errors import InputError, OracleError
from thalweg.label import Failure, FailureKind, Label
from thalweg.oracles import make_oracle
from thalweg.oracles.base import isolated_atom
from thalweg.oracles.tblite import RETRIES, TBLiteOracle
from thalweg.structure import Structure


def acetaldehyde(seed=None):
    atoms = molecule("CH3CHO")
    if seed is not None:
        atoms.rattle(0.05, seed=seed)
    return Structure.from_atoms(atoms)


def test_the_published_energy_of_water():
    # ASE example in tblite's documentation: -137.96777625229421 eV
    label = TBLiteOracle().label(Structure.from_atoms(molecule("H2O")))
    assert isinstance(label, Label)
    assert label.energy == pytest.approx(-137.96777625, abs=2e-6)
    assert label.wall_time > 0
    assert label.stress is None


def test_the_same_structure_has_the_same_label_whatever_came_before():
    first, other = TBLiteOracle(), TBLiteOracle()
    alone = first.label(acetaldehyde(3))
    for seed in range(3):
        other.label(acetaldehyde(seed))
    later = other.label(acetaldehyde(3))
    assert later.energy == alone.energy
    assert np.array_equal(later.forces, alone.forces)
    assert other.label(acetaldehyde(4)).energy != alone.energy


@pytest.mark.parametrize("method", ["GFN2-xTB", "GFN1-xTB", "IPEA1-xTB"])
def test_forces_are_the_derivative_of_the_energy(method):
    oracle = TBLiteOracle(method, accuracy=0.01)
    structure, h = acetaldehyde(0), 1e-4
    forces = oracle.label(structure).forces
    for atom, axis in ((0, 0), (3, 1), (5, 2)):
        step = np.zeros_like(structure.positions)
        step[atom, axis] = h
        plus = oracle.label(structure.with_positions(structure.positions + step)).energy
        minus = oracle.label(structure.with_positions(structure.positions - step)).energy
        assert forces[atom, axis] == pytest.approx(-(plus - minus) / (2 * h), abs=2e-5)
    assert np.abs(forces).max() > 1.0


def strained(atoms, strain):
    atoms = atoms.copy()
    atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + strain), scale_atoms=True)
    return Structure.from_atoms(atoms)


def test_stress_of_silicon_has_the_sign_unit_and_order_of_ase():
    atoms = bulk("Si")
    atoms.rattle(0.1, seed=1)
    oracle, h = TBLiteOracle("GFN1-xTB", accuracy=0.1), 5e-4
    stress = oracle.label(Structure.from_atoms(atoms)).stress
    for k, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[a, b] += h / 2
        strain[b, a] += h / 2
        plus, minus = (oracle.label(strained(atoms, sign * strain)).energy for sign in (1, -1))
        assert stress[k] == pytest.approx((plus - minus) / (2 * h) / atoms.get_volume(), abs=1e-4)
    assert np.abs(stress[:3]).max() > 0.05
    assert np.abs(stress[3:]).max() > 0.005


@pytest.mark.parametrize("accuracy", [100.0, 1.0, 0.1])
def test_stated_noise_covers_the_measured_error(accuracy):
    exact, rough = TBLiteOracle(accuracy=1e-4), TBLiteOracle(accuracy=accuracy)
    forces, energies = [], []
    for seed in range(10):
        one, other = exact.label(acetaldehyde(seed)), rough.label(acetaldehyde(seed))
        forces.append(one.forces - other.forces)
        energies.append(one.energy - other.energy)
    assert 0 < np.sqrt(np.mean(np.square(forces))) <= other.noise.forces
    assert 0 < np.sqrt(np.mean(np.square(energies))) <= other.noise.energy


def test_no_convergence_is_an_outcome_and_the_ladder_mends_it():
    oracle = TBLiteOracle(max_iterations=5)
    outcome = oracle.label(acetaldehyde(0))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNCONVERGED
    assert "5" in outcome.message
    mended = oracle.label(acetaldehyde(0), attempt=2)
    sound = TBLiteOracle().label(acetaldehyde(0))
    assert isinstance(mended, Label)
    assert mended.energy == pytest.approx(sound.energy, abs=1e-5)
    assert np.abs(mended.forces - sound.forces).max() < 10 * sound.noise.forces


@pytest.mark.parametrize("attempt", range(1, len(RETRIES) + 1))
def test_retries_converge_to_the_same_answer(attempt):
    first, later = (TBLiteOracle(accuracy=0.01).label(acetaldehyde(1), attempt=n) for n in (0, attempt))
    assert np.abs(first.forces - later.forces).max() < 1e-4


def test_touching_atoms_are_a_failure_and_not_an_exception():
    atoms = molecule("H2O")
    atoms.positions[1] = atoms.positions[0]
    outcome = TBLiteOracle().label(Structure.from_atoms(atoms))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.CRASHED
    assert outcome.message


@pytest.mark.parametrize("method", ["GFN2-xTB", "GFN1-xTB"])
def test_isolated_atoms_of_every_element(method):
    oracle = TBLiteOracle(method)
    labels = [oracle.label(isolated_atom(number)) for number in range(1, 87)]
    assert all(label.energy < 0 and not label.forces.any() for label in labels)
    outcome = oracle.label(isolated_atom(87))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.REFUSED


@pytest.mark.parametrize(("number", "unpaired"), [(1, 1), (7, 3), (8, 2), (26, 4), (10, 0)])
def test_lone_atoms_are_neutral_and_in_their_ground_state(number, unpaired):
    from ase.units import Hartree
    from tblite.interface import Calculator

    reference = Calculator(
        "GFN2-xTB", np.array([number]), np.zeros((1, 3)), charge=0, uhf=unpaired, color=False
    )
    reference.set("verbosity", 0)
    energy = reference.singlepoint().get("energy") * Hartree
    for options in ({}, {"charge": 1, "multiplicity": 2}):
        for attempt in range(4):
            label = TBLiteOracle(**options).label(isolated_atom(number), attempt)
            assert label.energy == pytest.approx(energy, abs=1e-4)


def test_a_charged_cell_of_one_atom_keeps_its_charge():
    cell = Structure.from_atoms(bulk("Na"))
    neutral, charged = (TBLiteOracle("GFN1-xTB", charge=charge).label(cell).energy for charge in (0, 1))
    assert abs(charged - neutral) > 1.0


def test_molecules_are_bound_against_their_atoms():
    oracle = TBLiteOracle()
    atoms = sum(oracle.label(isolated_atom(number)).energy for number in (8, 1, 1))
    assert -20.0 < oracle.label(Structure.from_atoms(molecule("H2O"))).energy - atoms < -5.0


def test_charge_and_multiplicity_change_the_answer():
    water = Structure.from_atoms(molecule("H2O"))
    plain, cation, triplet = (
        TBLiteOracle(**options).label(water).energy
        for options in ({}, {"charge": 1, "multiplicity": 2}, {"multiplicity": 3})
    )
    assert plain < triplet
    assert plain + 5 < cation


def test_systems_out_of_reach_are_named_before_any_call():
    oracle = TBLiteOracle()
    francium = Structure(np.array([87]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
    with pytest.raises(OracleError, match="no parameters for Fr"):
        oracle.check_structure(francium)
    slab = Structure(np.array([14]), np.zeros((1, 3)), 5 * np.eye(3), np.array([True, True, False]))
    with pytest.raises(OracleError, match="vacuum"):
        oracle.check_structure(slab)
    oracle.check_structure(acetaldehyde())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "GFN2"}, "did you mean 'GFN2-xTB'"),
        ({"accuracy": 0.0}, "accuracy: expected a number >= 0.0001 and <= 1000"),
        ({"multiplicity": 0}, "multiplicity"),
        ({"electronic_temperature": -1.0}, "electronic_temperature"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"charge": 1000}, "charge"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        make_oracle({"name": "tblite", **options})


def test_the_fingerprint_holds_what_moves_a_number():
    plain = TBLiteOracle().fingerprint
    assert TBLiteOracle(max_iterations=500).fingerprint == plain
    for options in (
        {"method": "GFN1-xTB"},
        {"charge": 1.0},
        {"accuracy": 0.1},
        {"electronic_temperature": 500.0},
    ):
        assert TBLiteOracle(**options).fingerprint != plain


def test_nothing_is_printed(capfd):
    TBLiteOracle().label(acetaldehyde())
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")

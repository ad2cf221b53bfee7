import importlib.util

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.morse import MorsePotential

from thalweg.errors import InputError, OracleError, SetupError
from thalweg.label import Failure, FailureKind, Label
from thalweg.oracles import make_oracle, oracle_names
from thalweg.oracles.base import Oracle, examine, isolated_atom
from thalweg.oracles.faulty import FAULTS, FaultyOracle
from thalweg.structure import Structure

CASES = [
    ({"name": "lennard-jones"}, bulk("Ar", "fcc", a=5.2, cubic=True)),
    ({"name": "morse"}, bulk("Cu", cubic=True)),
    ({"name": "stillinger-weber"}, bulk("Si", cubic=True)),
    ({"name": "stillinger-weber"}, bulk("Si")),
]


def crooked(atoms):
    atoms = atoms.copy()
    atoms.rattle(0.1, seed=1)
    strain = 0.03 * np.random.default_rng(0).standard_normal((3, 3))
    atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + strain), scale_atoms=True)
    return atoms


@pytest.mark.parametrize(("spec", "atoms"), CASES)
def test_forces_and_stress_are_derivatives_of_the_energy(spec, atoms):
    oracle, atoms, h = make_oracle(spec), crooked(atoms), 1e-5
    label = oracle.label(Structure.from_atoms(atoms))

    def energy(move=None, strain=None):
        moved = atoms.copy()
        if move is not None:
            moved.positions += move
        if strain is not None:
            moved.set_cell(np.array(moved.cell) @ (np.eye(3) + strain), scale_atoms=True)
        return oracle.label(Structure.from_atoms(moved)).energy

    for axis in range(3):
        move = np.zeros((len(atoms), 3))
        move[0, axis] = h
        assert label.forces[0, axis] == pytest.approx(-(energy(move) - energy(-move)) / (2 * h), abs=1e-7)
    for k, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[a, b] += h / 2
        strain[b, a] += h / 2
        slope = (energy(strain=strain) - energy(strain=-strain)) / (2 * h)
        assert label.stress[k] == pytest.approx(slope / atoms.get_volume(), abs=1e-8)
    assert np.abs(label.forces).max() > 1e-2
    assert np.abs(label.stress[3:]).max() > 1e-5
    assert np.allclose(label.forces.sum(axis=0), 0.0, atol=1e-12)


def test_the_published_energy_of_stillinger_weber_silicon():
    # 2 ε per atom at the ideal distance 2^(1/6) σ: -4.3366 eV with ε = 2.1683 eV
    atoms = bulk("Si", cubic=True, a=2.0951 * 2 ** (1 / 6) * 4 / np.sqrt(3))
    label = make_oracle({"name": "stillinger-weber"}).label(Structure.from_atoms(atoms))
    assert label.energy / 8 == pytest.approx(-2 * 2.1683, abs=1e-4)


def test_morse_agrees_with_ase_where_no_switch_acts():
    structure = Structure(
        np.array([29, 29]), np.array([[0.0, 0, 0], [2.4, 0.3, 0]]), np.zeros((3, 3)), np.zeros(3, dtype=bool)
    )
    atoms = structure.to_atoms()
    atoms.calc = MorsePotential(epsilon=0.3429, r0=2.866, rho0=1.3588 * 2.866, rcut1=50.0, rcut2=60.0)
    label = make_oracle({"name": "morse"}).label(structure)
    assert label.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
    assert np.allclose(label.forces, atoms.get_forces(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("spec", [{"name": "lennard-jones"}, {"name": "stillinger-weber"}])
def test_coinciding_atoms_are_a_failure(spec):
    pair = Structure(np.array([14, 14]), np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
    assert isinstance(make_oracle(spec).label(pair), Failure)


def test_stillinger_weber_is_for_silicon():
    oracle = make_oracle({"name": "stillinger-weber"})
    with pytest.raises(OracleError, match="silicon only"):
        oracle.check_structure(Structure.from_atoms(bulk("Cu")))
    assert oracle.label(isolated_atom(14)).energy == 0.0
    assert oracle.label(isolated_atom(29)).kind is FailureKind.REFUSED


def test_examine_passes_what_is_sound_and_stops_what_is_not():
    structure = Structure.from_atoms(bulk("Cu", cubic=True))

    def outcome(forces=0.1, energy=-1.0, stress=0.0, wall_time=0.1, n=4):
        label = Label(energy, np.full((n, 3), forces), np.full(6, stress), wall_time=wall_time)
        return examine(structure, label)

    assert isinstance(outcome(), Label)
    bad = [{"forces": np.nan}, {"energy": np.inf}, {"stress": np.nan}, {"wall_time": 0.0}, {"n": 3}]
    for case in [*bad, {"forces": 1e5}]:
        found = outcome(**case)
        assert isinstance(found, Failure), case
        assert found.message


def test_every_name_makes_an_oracle_or_names_what_installs_it():
    needs = {"ase": {"calculator": "ase.calculators.emt.EMT"}, "faulty": {"inner": {"name": "morse"}}}
    for name in oracle_names():
        spec = {"name": name, **needs.get(name, {})}
        if name == "pyscf" and importlib.util.find_spec("pyscf") is None:
            with pytest.raises(SetupError, match=r"pip install 'thalweg\[pyscf\]'"):
                make_oracle(spec)
            continue
        oracle = make_oracle(spec)
        assert isinstance(oracle, Oracle)
        assert oracle.display_name
        assert oracle.fingerprint


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"name": "tblit"}, "did you mean tblite"),
        ({"name": "tblite", "methd": "x"}, r"oracle\.methd: .*did you mean 'method'"),
        ({"name": "ase"}, r"oracle\.calculator: .*needs it"),
        ({"name": "tblite", "accuracy": "high"}, "accuracy: expected a number"),
        ({"name": "morse", "width": -1.0}, r"width: expected a number > 0 1/Å, got -1"),
        ({"method": "GFN2-xTB"}, "a key 'name'"),
        ({"name": "faulty", "inner": {"name": "morse"}, "rates": {"crsh": 0.1}}, "did you mean 'crash'"),
        ({"name": "faulty", "inner": {"name": "morse"}, "rates": {"crash": 1.5}}, r"rates\.crash"),
    ],
)
def test_mistakes_in_the_config_are_explained(spec, words):
    with pytest.raises(InputError, match=words):
        make_oracle(spec)


def test_faults_are_drawn_at_their_rates_and_reproducibly():
    rates = dict.fromkeys(FAULTS, 0.1)
    oracle = FaultyOracle(inner={"name": "morse"}, rates=rates)
    backwards = FaultyOracle(inner={"name": "morse"}, rates=dict(reversed(rates.items())))
    rng = np.random.default_rng(0)
    structures = [
        Structure(np.array([29]), rng.standard_normal((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
        for _ in range(1000)
    ]
    drawn = [oracle.fault(structure, 0) for structure in structures]
    assert drawn == [backwards.fault(structure, 0) for structure in structures]
    assert drawn != [oracle.fault(structure, 1) for structure in structures]
    for fault in FAULTS:
        assert 70 < drawn.count(fault) < 130

"""A structure's charge and spin on their way to an oracle: there, or refused."""

from __future__ import annotations

import dataclasses
import json

import ase
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from thalweg.errors import OracleError
from thalweg.label import Failure, Label
from thalweg.oracles import make_oracle
from thalweg.oracles.ase import AseOracle
from thalweg.oracles.tblite import TBLiteOracle
from thalweg.structure import Structure

WATER = Structure.from_atoms(molecule("H2O"))
CATION = dataclasses.replace(WATER, charge=1, multiplicity=2)
IRON = dataclasses.replace(Structure.from_atoms(bulk("Fe")), magmoms=np.array([2.2]))


class Listening(Calculator):
    """Its energy is what it was told of the electrons."""

    implemented_properties = ("energy", "forces")

    def __init__(self, **parameters):
        super().__init__()
        self.parameters = parameters

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        told = 100 * atoms.info.get("charge", 0) + atoms.get_initial_charges().sum()
        told += 1e4 * atoms.get_initial_magnetic_moments().sum() + 1e6 * atoms.info.get("spin", 0)
        told += 1e8 * len(atoms.constraints)
        self.results = {"energy": float(told), "forces": np.zeros((len(atoms), 3))}


def energy(oracle, structure) -> float:
    oracle.check_structure(structure)
    outcome = oracle.label(structure)
    assert isinstance(outcome, Label), outcome
    return outcome.energy


def test_tblite_takes_the_charge_of_the_structure():
    own, given = energy(TBLiteOracle(), CATION), energy(TBLiteOracle(charge=1, multiplicity=2), WATER)
    assert own == given
    assert own > energy(TBLiteOracle(), WATER) + 5
    with pytest.raises(OracleError, match="its charge is 1, and the oracle's section says 0"):
        TBLiteOracle(charge=0).check_structure(CATION)
    triplet = dataclasses.replace(Structure.from_atoms(molecule("O2")), magmoms=np.array([1.0, 1.0]))
    said = dataclasses.replace(triplet, magmoms=None, multiplicity=3)
    singlet = dataclasses.replace(said, multiplicity=1)
    assert energy(TBLiteOracle(), triplet) == energy(TBLiteOracle(), said)
    assert energy(TBLiteOracle(), said) != energy(TBLiteOracle(), singlet)


def test_tblite_refuses_before_any_call():
    radical = dataclasses.replace(Structure.from_atoms(molecule("CH3")), magmoms=None)
    with pytest.raises(OracleError, match="an odd number, and nothing says"):
        TBLiteOracle().check_structure(radical)
    assert isinstance(TBLiteOracle().label(radical), Failure)
    with pytest.raises(OracleError, match="no exchange between spins"):
        TBLiteOracle().check_structure(IRON)
    cerium = Structure([58, 17, 17, 17], 3.0 * np.eye(4, 3), np.zeros((3, 3)), [False] * 3)
    TBLiteOracle().check_structure(cerium)  # one 4f electron, in the core: the others are paired


def test_old_fingerprints_still_hold():
    """Labels of a run that an older Thalweg began are found again."""
    settings = json.loads(TBLiteOracle().fingerprint)
    assert settings["charge"] == 0.0
    assert settings["multiplicity"] == 1
    assert "charge" in json.loads(TBLiteOracle(charge=1, multiplicity=2).fingerprint)
    assert TBLiteOracle(charge=2).fingerprint != TBLiteOracle().fingerprint


@pytest.mark.parametrize("charge", ["0.5", "plenty", "1000"])
def test_fractional_charges_are_refused_in_the_configuration(charge):
    with pytest.raises(Exception, match="whole number"):
        make_oracle({"name": "tblite", "charge": charge})


def test_a_calculator_hears_of_moments_and_never_of_constraints():
    held = dataclasses.replace(IRON, fixed=np.ones((1, 3), bool))
    assert energy(AseOracle(Listening()), held) == pytest.approx(2.2e4)


def test_a_calculator_that_would_not_hear_of_a_charge_is_refused():
    with pytest.raises(OracleError, match="nothing tells Listening of it"):
        AseOracle(Listening()).check_structure(CATION)
    AseOracle(Listening()).check_structure(dataclasses.replace(WATER, charge=0, multiplicity=1))
    right = AseOracle(Listening(charge=1, mult=2))
    assert energy(right, CATION) == 100.0
    nested = AseOracle(Listening(input_data={"system": {"tot_charge": 1, "tot_magnetization": 1}}))
    nested.check_structure(CATION)
    with pytest.raises(OracleError, match="has -1 among its options"):
        AseOracle(Listening(charge=-1, mult=2)).check_structure(CATION)


def test_where_the_calculator_looks_for_the_charge():
    assert energy(AseOracle(Listening(), charge_from="info"), CATION) == pytest.approx(2e6 + 100)
    ion = dataclasses.replace(WATER, charge=2)
    assert energy(AseOracle(Listening(), charge_from="initial_charges"), ion) == pytest.approx(202)
    with pytest.raises(Exception, match="charge_from is info or initial_charges"):
        AseOracle(Listening(), charge_from="elsewhere")


@pytest.mark.parametrize("name", ["lennard-jones", "morse"])
def test_what_has_no_electrons_refuses_them(name):
    oracle = make_oracle({"name": name})
    oracle.check_structure(dataclasses.replace(WATER, charge=0))
    for structure in (CATION, dataclasses.replace(WATER, magmoms=np.array([1.0, 0, 0]))):
        with pytest.raises(OracleError, match="has no electrons"):
            oracle.check_structure(structure)
    with pytest.raises(OracleError, match="EMT has no electrons"):
        AseOracle(EMT()).check_structure(CATION)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, True),
        ({"charge": 0}, True),
        ({"charge": 1}, False),
        ({"mult": 2}, False),
        ({"uhf": -1}, True),
        ({"charge": 0, "multiplicity": 0}, True),
    ],
)
def test_lone_atoms_are_not_asked_with_the_electrons_of_a_molecule(options, asked):
    assert AseOracle(Listening(**options)).gives_isolated_atoms is asked


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"charge": None}, "nothing says its charge or spin.*oracle.options"),
        ({"charge": 0, "mult": 1}, "9 electrons .* cannot have multiplicity 1"),
    ],
)
def test_odd_electrons_of_a_quantum_calculator(options, words):
    methyl = Structure.from_atoms(ase.Atoms("CH3", [(0, 0, 0), (1.1, 0, 0), (-0.5, 0.9, 0), (-0.5, -0.9, 0)]))
    with pytest.raises(OracleError, match=words):
        AseOracle(Listening(**options)).check_structure(methyl)
    AseOracle(Listening(charge=0, mult=2)).check_structure(methyl)
    AseOracle(Listening()).check_structure(methyl)  # it has no word for electrons


@pytest.mark.parametrize(
    "section", [{"name": "tblite"}, {"name": "pyscf", "method": "HF", "basis": "sto-3g"}]
)
def test_a_lone_ion_is_not_labelled_as_the_neutral_atom(section):
    if section["name"] == "pyscf":
        pytest.importorskip("pyscf")
    oracle, chlorine = make_oracle(section), Structure.from_atoms(ase.Atoms("Cl"))
    neutral = energy(oracle, chlorine)
    assert energy(oracle, dataclasses.replace(chlorine, charge=0)) == neutral
    assert abs(energy(oracle, dataclasses.replace(chlorine, charge=-1)) - neutral) > 0.5
    with pytest.raises(OracleError, match="leaves 0 electrons"):
        oracle.check_structure(dataclasses.replace(Structure.from_atoms(ase.Atoms("H")), charge=1))


def test_a_lone_ion_reaches_a_calculator_or_is_refused():
    ion = dataclasses.replace(Structure.from_atoms(ase.Atoms("Cl")), charge=-1)
    assert energy(AseOracle(Listening(), charge_from="info"), ion) == -100.0
    with pytest.raises(OracleError, match="nothing tells Listening of it"):
        AseOracle(Listening()).check_structure(ion)

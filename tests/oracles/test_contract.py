"""Every built-in oracle keeps the contract; an oracle that breaks a law is found out."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk, molecule

from thalweg.errors import OracleError
from thalweg.label import Label
from thalweg.oracles import check_no_electrons, make_oracle
from thalweg.oracles.analytic import MorseOracle
from thalweg.structure import Structure
from thalweg.testing import OracleContract, OracleContractError, Tolerances, check_oracle


def rattled(atoms, amplitude=0.08):
    atoms = atoms.copy()
    atoms.rattle(amplitude, seed=1)
    return Structure.from_atoms(atoms)


def crooked(name, **options):
    atoms = bulk(name, cubic=True, **options)
    atoms.rattle(0.08, seed=2)
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + 0.03 * np.array([[1, 0.5, 0], [0, -1, 0.3], [0.2, 0, 0.6]])), True
    )
    return Structure.from_atoms(atoms)


class TestTblite(OracleContract):
    def oracle(self):
        return make_oracle({"name": "tblite", "method": "GFN1-xTB", "accuracy": 0.01})

    def structures(self):
        silicon = bulk("Si")
        silicon.rattle(0.08, seed=3)
        hydroxide = replace(rattled(molecule("OH")), charge=-1, magmoms=None)
        return [rattled(molecule("H2O")), hydroxide, Structure.from_atoms(silicon)]


class TestEmt(OracleContract):
    def oracle(self):
        return make_oracle({"name": "ase", "calculator": "ase.calculators.emt.EMT"})

    def structures(self):
        return [crooked("Cu"), rattled(molecule("N2"))]


class TestPyscf(OracleContract):
    tolerances = Tolerances(step=5e-3)

    def oracle(self):
        pytest.importorskip("pyscf")
        return make_oracle({"name": "pyscf", "method": "HF", "basis": "sto-3g", "conv_tol": 1e-10})

    def structures(self):
        return [rattled(molecule("H2O"))]


class TestLennardJones(OracleContract):
    def oracle(self):
        return make_oracle({"name": "lennard-jones"})

    def structures(self):
        return [crooked("Ar", crystalstructure="fcc", a=5.2)]


class TestMorse(OracleContract):
    def oracle(self):
        return make_oracle({"name": "morse"})

    def structures(self):
        return [crooked("Cu"), rattled(molecule("N2"))]


class TestStillingerWeber(OracleContract):
    def oracle(self):
        return make_oracle({"name": "stillinger-weber"})

    def structures(self):
        return [crooked("Si")]


class TestFaultyWithoutFaults(OracleContract):
    def oracle(self):
        return make_oracle({"name": "faulty", "inner": {"name": "morse"}, "rates": {}})

    def structures(self):
        return [crooked("Cu")]


# --- the suite itself finds what is wrong ---------------------------------------------------------------


SPOIL = {
    "half forces": lambda label, *_: replace(label, forces=0.5 * label.forces),
    "sign of stress": lambda label, *_: (
        replace(label, stress=-label.stress) if label.stress is not None else label
    ),
    "order of stress": lambda label, *_: (
        replace(label, stress=label.stress[[0, 1, 2, 5, 3, 4]]) if label.stress is not None else label
    ),
    "remembers": lambda label, *_: replace(label, energy=label.energy + 1e-9 * next(COUNTER)),
    "rung": lambda label, structure, attempt: replace(label, energy=label.energy + (attempt == 1)),
    "first atom": lambda label, structure, _: replace(label, energy=label.energy + structure.positions[0, 0]),
}
COUNTER = itertools.count()


class Wrong:
    """Morse, with one fault."""

    display_name, gives_stress, gives_isolated_atoms = "wrong", True, True

    def __init__(self, fault=""):
        self.fault = fault
        self.inner = MorseOracle()
        self.fingerprint = self.inner.fingerprint
        self.rungs = 0 if fault == "rungs" else 2

    def label(self, structure, attempt=0):
        outcome = self.inner.label(structure, attempt)
        if isinstance(outcome, Label):
            return SPOIL.get(self.fault, lambda label, *_: label)(outcome, structure, attempt)
        if self.fault == "raises":
            raise RuntimeError("two atoms coincide")
        return outcome

    def check_structure(self, structure):
        if self.fault == "refuses":
            raise OracleError("no")
        if self.fault != "deaf":
            check_no_electrons(structure, "wrong")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("half forces", "forces_are_the_derivative"),
        ("sign of stress", "stress_is_the_derivative"),
        ("order of stress", "stress_is_the_derivative"),
        ("remembers", "same_bits"),
        ("rung", "ladder: at attempt 1"),
        ("first atom", "symmetries: after a shift"),
        ("raises", "outcomes_are_typed: label raises RuntimeError"),
        ("rungs", "rungs must be a whole number"),
        ("refuses", "check_structure raises OracleError"),
        ("deaf", "particulars: it labels an ion as the neutral structure"),
    ],
)
def test_a_broken_law_is_named(fault, words):
    with pytest.raises(OracleContractError, match=words):
        check_oracle(Wrong(fault=fault), [crooked("Cu")])


def test_the_same_oracle_without_fault_passes():
    check_oracle(Wrong(), [crooked("Cu")])

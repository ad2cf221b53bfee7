"""A whole run on PySCF: from one molecule to a certified potential of Hartree-Fock quality."""

import numpy as np
import pytest
from ase.build import molecule

import thalweg
from thalweg.config import validate
from thalweg.oracles import make_oracle
from thalweg.structure import Structure

pytestmark = pytest.mark.physics
ORACLE = {"name": "pyscf", "method": "HF", "basis": "sto-3g"}


def test_hydrogen_peroxide_is_learned(tmp_path):
    pytest.importorskip("pyscf")
    molecule("H2O2").write(tmp_path / "molecule.xyz")
    config = validate(
        {
            "system": str(tmp_path / "molecule.xyz"),
            "oracle": ORACLE,
            "target": {"force_error": 0.2, "confidence": 0.9},
            "explore": {"temperature": [200, 400], "walkers": 2, "time": 1.0},
            "executor": {"kind": "process", "workers": 2},
            "budget": {"oracle_calls": 150},
        }
    )
    result = thalweg.learn(config, tmp_path / "run")
    potential = thalweg.Potential.load(tmp_path / "run" / "model")
    errors, sizes = [], []
    for seed in range(5):
        atoms = molecule("H2O2")
        atoms.rattle(0.03, seed=seed)
        label = make_oracle(ORACLE).label(Structure.from_atoms(atoms))
        atoms.calc = thalweg.ThalwegCalculator(potential)
        errors.append(atoms.get_forces() - label.forces)
        sizes.append(label.forces)
    assert result is not None
    assert np.sqrt(np.mean(np.square(errors))) < 0.2
    assert np.sqrt(np.mean(np.square(sizes))) > 0.5

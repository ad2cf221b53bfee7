"""Forces that vanish by symmetry are no evidence: no certificate and no bound from them."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from runs import make_config

from thalweg.errors import InputError
from thalweg.loop.auditing import audit
from thalweg.loop.deciding.stopping import StopReason
from thalweg.loop.runner import run
from thalweg.potential import Potential
from thalweg.structure import Structure
from thalweg.uncertainty.reach import FIRST_LIMIT


def config_of(folder, repeat):
    ase.io.write(folder / "primitive.xyz", bulk("Cu", a=3.6))
    return make_config(
        folder / "primitive.xyz",
        system={"paths": [str(folder / "primitive.xyz")], "repeat": repeat},
        target={"force_error": 0.05, "confidence": 0.8},
        explore={"temperature": [300, 600], "walkers": 2, "time": 2},
    )


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blind")
    config = config_of(folder, [1, 1, 1])
    return config, folder / "run", run(config, folder / "run")


def test_one_atom_in_a_cell_is_never_certified_and_the_run_ends_with_the_cure(blind):
    config, _, summary = blind
    assert summary.verdict.reason is StopReason.DIMINISHING
    assert summary.verdict.certified == {}
    assert "every force vanishes by symmetry" in summary.verdict.message
    assert "system.repeat" in summary.verdict.message
    assert summary.audit is None
    assert sum(row["blind_audits"] for row in summary.walked) == summary.audit_calls > 0
    assert summary.oracle_calls < config.budget.oracle_calls


def test_its_bounds_are_those_of_ignorance(blind):
    """In a larger cell, where the potential is far off, bounds are of the errors' size, and novelty is beyond reach."""
    _, folder, _ = blind
    potential = Potential.load(folder / "model")
    assert potential.bounds.factors.min() >= 1.0
    assert potential.bounds.floors.min() >= 1e-3
    atoms = bulk("Cu", a=3.6) * (3, 3, 3)
    atoms.rattle(0.15, seed=1)
    atoms.calc = EMT()
    prediction = potential.predict(Structure.from_atoms(atoms))
    error = np.linalg.norm(prediction.forces - atoms.get_forces(), axis=1)
    assert np.median(error) > 0.5
    assert np.median(prediction.forces_bound / error) > 0.2
    assert np.median(prediction.novelty) > FIRST_LIMIT


def test_an_audit_by_hand_says_that_there_is_nothing_to_audit(blind):
    config, folder, _ = blind
    with pytest.raises(InputError, match="every force vanishes by symmetry"):
        audit(folder, 3, config)


def test_the_same_crystal_in_a_larger_cell_is_certified(tmp_path):
    summary = run(config_of(tmp_path, [2, 2, 2]), tmp_path / "run")
    assert summary.verdict.reason is StopReason.TARGET
    assert sum(row["blind_audits"] for row in summary.walked) == 0
    assert summary.audit.n_atoms == 8 * summary.audit.n_structures

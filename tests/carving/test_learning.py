"""What the oracle says of a carved cell is true of the large structure, too."""

import numpy as np
import pytest
from ase.build import bulk

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.carving import carve
from thalweg.features import AceBasis
from thalweg.features.zbl import ZblBaseline
from thalweg.loop.learning.comparing import error_bounds
from thalweg.loop.learning.learner import Learner
from thalweg.models.training import Baseline
from thalweg.oracles import make_oracle
from thalweg.structure import Structure

ORACLE = make_oracle({"name": "stillinger-weber"})


def calm(repeat, seed, size=0.05):
    atoms = bulk("Si", cubic=True).repeat(repeat)
    atoms.rattle(size, seed=seed)
    return atoms


def taught(*more):
    """A potential that knows calm crystals of eight atoms, and what it is given besides."""
    basis = AceBasis(("Si",), r_cut=4.5, correlation_order=3, max_degree=(9, 7, 5))
    learner = Learner(basis, Baseline(("Si",), np.zeros(1), ZblBaseline(("Si",))), n_members=8, seed=1)
    first = [Structure.from_atoms(calm(1, seed, 0.02 + 0.01 * seed)) for seed in range(10)]
    learner.learn_first([(structure, ORACLE.label(structure)) for structure in first])
    for structure in more:
        learner.learn(structure, ORACLE.label(structure), tune=False)
    return learner.potential(error_bounds(Calibration(CalibrationSpec(confidence=0.95)), (14,)))


@pytest.fixture(scope="module")
def defect():
    """512 calm atoms and one between them."""
    atoms = calm(4, 7)
    atoms.append("Si")
    atoms.positions[-1] = 10.86 + np.array([2.7, 2.7, 2.7])
    return Structure.from_atoms(atoms)


def test_one_carved_cell_teaches_what_the_large_structure_needs(defect):
    truth = ORACLE.label(defect).forces
    ignorant = taught()
    before = ignorant.predict(defect)
    target = int(before.forces_bound.argmax())
    cell = carve(defect, ignorant, target, max_atoms=70)
    assert cell.target_change == 0
    error = {
        name: np.linalg.norm(potential.predict(defect).forces - truth, axis=1)
        for name, potential in {
            "before": ignorant,
            "cell": taught(cell.structure),
            "elsewhere": taught(Structure.from_atoms(calm(2, 99))),
        }.items()
    }
    assert error["before"][target] > 0.3
    assert error["cell"][target] < 0.35 * error["before"][target]
    assert error["cell"].max() < 0.5 * error["before"].max()
    assert error["elsewhere"][target] > 0.6 * error["before"][target]

"""A small potential learned from EMT copper, made once."""

import numpy as np
import pytest

from copper import copper
from thalweg.features import AceBasis
from thalweg.features.zbl import ZblBaseline
from thalweg.loop.learner import Learner
from thalweg.models.training import Baseline, estimate_reference_energies
from thalweg.potential import ErrorBounds


@pytest.fixture(scope="session")
def copper_potential():
    labelled = copper(16)
    basis = AceBasis(("Cu",), r_cut=4.0, correlation_order=2, max_degree=(6, 5))
    structures, energies = [s for s, _ in labelled], [label.energy for _, label in labelled]
    references = estimate_reference_energies(structures, energies, basis.elements)
    learner = Learner(
        basis, Baseline(basis.elements, references, ZblBaseline(basis.elements)), n_members=4, seed=0
    )
    learner.learn_first(labelled)
    return learner.potential(ErrorBounds(0.95, np.full(1, 2.0), np.full(1, 0.01)))


@pytest.fixture(scope="session")
def cell():
    """8 atoms, at rest."""
    return copper(1, size=0.0)[0][0]

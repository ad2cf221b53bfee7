"""Bases and structures that the tests of the features share."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.features import AceBasis, Features
from thalweg.structure import Structure


@pytest.fixture(scope="session")
def basis() -> AceBasis:
    return AceBasis(("C", "H", "O"), 4.0, correlation_order=4, max_degree=(6, 5, 4, 4))


@pytest.fixture(scope="session")
def features(basis: AceBasis) -> Features:
    return Features(basis)


@pytest.fixture(scope="session")
def molecule() -> Structure:
    from ase.build import molecule

    return Structure.from_atoms(molecule("CH3CH2OH"))


@pytest.fixture(scope="session")
def crystal() -> Structure:
    """A distorted, sheared cell smaller than the cutoff: atoms see several images of themselves."""
    rng = np.random.default_rng(3)
    cell = np.array([[3.1, 0.2, 0.0], [0.3, 2.9, 0.1], [0.0, 0.4, 3.3]])
    positions = rng.uniform(size=(3, 3)) @ cell
    return Structure(np.array([6, 1, 8]), positions, cell, np.array([True, True, True]))

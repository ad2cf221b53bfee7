"""A small potential learned from EMT copper, made once."""

import pytest

from copper import copper
from copper import copper_potential as make_potential


@pytest.fixture(scope="session")
def copper_potential():
    return make_potential()


@pytest.fixture(scope="session")
def cell():
    """8 atoms, at rest."""
    return copper(1, size=0.0)[0][0]

"""Volumes that audits met are those of what fills its cell."""

import numpy as np
import pytest
from ase.build import bulk, fcc100

from thalweg.label import Label
from thalweg.loop.learning.comparing import audit_record
from thalweg.potential import Prediction
from thalweg.structure import Structure


def recorded(atoms):
    structure = Structure.from_atoms(atoms)
    n = len(structure)
    zeros = np.zeros((n, 3))
    prediction = Prediction(0.0, zeros, None, 0.1, np.zeros(n), np.zeros(n), None)
    return audit_record(5, structure, prediction, Label(0.0, zeros))


def test_a_crystal_has_a_volume_and_a_slab_with_vacuum_none():
    crystal = bulk("Al", cubic=True)
    assert recorded(crystal).volume == pytest.approx(crystal.get_volume() / 4)
    slab = fcc100("Al", (2, 2, 4), vacuum=8.0)
    slab.pbc = True
    assert recorded(slab).volume is None
    slab.pbc = False
    assert recorded(slab).volume is None

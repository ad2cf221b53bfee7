"""Pairs of atoms: against ASE and vesin, and with cells and places that no atoms have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from vesin import ase_neighbor_list

from thalweg.errors import InputError
from thalweg.neighbours import pairs_within
from thalweg.structure import Structure


def crystal(size: float) -> Structure:
    return Structure(np.array([29]), np.zeros((1, 3)), size * np.eye(3), np.ones(3, dtype=bool))


@pytest.mark.parametrize("atoms", [molecule("CH3CH2OH"), bulk("Cu"), bulk("NaCl", "rocksalt", a=5.6)])
def test_pairs_are_those_of_another_program(atoms):
    atoms.rattle(0.05, seed=2)
    pairs = pairs_within(Structure.from_atoms(atoms), 4.7)
    theirs = ase_neighbor_list("ijDd", atoms, 4.7)
    assert len(pairs.i) == len(theirs[0]) > 10
    assert (np.diff(pairs.i) >= 0).all()
    ours, others = (
        np.array(sorted(zip(i, j, D[:, 0], D[:, 1], D[:, 2], d, strict=True)))
        for i, j, D, d in (pairs, theirs)
    )
    np.testing.assert_allclose(ours, others, atol=1e-12)


@pytest.mark.parametrize("size", [1e4, 1e5, 9e5])
def test_a_cell_too_long_for_any_atom_is_no_matter(size):
    assert len(pairs_within(crystal(size), 5.0).i) == 0


@pytest.mark.parametrize("size", [0.02, 0.05])
def test_a_cell_too_small_is_refused_with_a_cure(size):
    with pytest.raises(InputError, match=r"repeat it, or give it in Å|no two atoms at the same position"):
        pairs_within(crystal(size), 5.0)


def test_an_atom_too_far_away_is_refused_with_a_cure():
    with pytest.raises(InputError, match=r"beyond 1e\+06 Å"):
        Structure(np.array([1, 1]), [[0, 0, 0], [2e8, 0, 0]], np.zeros((3, 3)), np.zeros(3, dtype=bool))


SCRIPT = """
import itertools
import numpy as np
from thalweg.carving.surroundings import molecules
from thalweg.diversity import distance_fingerprint
from thalweg.errors import InputError
from thalweg.explorers.model_hessian import model_hessian
from thalweg.explorers.seeding import closest_contact
from thalweg.features.zbl import shortest_distances
from thalweg.oracles.analytic import LennardJonesOracle
from thalweg.structure import Structure

calls = [
    lambda s: distance_fingerprint(s, [29]), closest_contact, model_hessian, lambda s: molecules(s, 10),
    lambda s: shortest_distances([s], ["Cu"], 2.0), LennardJonesOracle().label,
]
sizes, answers, refusals = [0.002, 0.01, 0.1, 3.0, 100.0, 1e5, 9e5, 1e12], 0, 0
for a, b, far, pbc in itertools.product(sizes, sizes, [1.5, 1e3, 1e5, 1e6, 1e15], [(1, 1, 1), (1, 0, 0), (0, 0, 0)]):
    cell = [[a, 0, 0], [0.4 * a, b, 0], [0, 0.2 * b, max(a, b)]]
    try:
        structure = Structure(np.array([29, 29]), [[0, 0, 0], [far, 1.0, 0.3 * far]], cell, np.array(pbc, dtype=bool))
    except InputError:
        continue
    for call in calls:
        try:
            call(structure)
            answers += 1
        except InputError:
            refusals += 1
print(answers, refusals)
"""


def test_nothing_that_a_structure_holds_ends_the_process():
    """In a process of its own: what would go wrong here is a signal, which no test survives."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    answers, refusals = map(int, ran.stdout.split())
    assert answers > 500
    assert refusals > 200


def test_there_is_one_neighbour_list():
    """None but the core's own: another one, called beside it, would need its own limits."""
    source = Path(__file__).parent.parent / "src" / "thalweg"
    callers = [path for path in source.rglob("*.py") if "vesin" in path.read_text()]
    assert callers == []

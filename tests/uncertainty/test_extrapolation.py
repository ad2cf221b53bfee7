"""MaxVol's active set: its defining property, and what the grade says within and beyond the training set."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from thalweg.errors import InputError
from thalweg.uncertainty import find_active_sets
from thalweg.uncertainty.extrapolation import maxvol_inverse


def test_no_training_environment_extrapolates() -> None:
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((400, 12)) * np.exp(rng.normal(0, 2, 12))
    species = np.arange(400) % 2
    sets = find_active_sets(phi, species, 2)
    assert sets.grade(phi, species).max() <= 1.002
    assert sets.grade(5.0 * phi, species).max() > 4.9
    # The active set consists of training environments: p of each element have a grade of exactly one.
    assert (np.abs(sets.grade(phi, species) - 1.0) < 1e-6).sum() >= 24


def test_volume_is_locally_the_largest() -> None:
    candidates = np.random.default_rng(1).standard_normal((12, 3))
    volume = 1.0 / abs(np.linalg.det(maxvol_inverse(candidates)))
    every = [abs(np.linalg.det(candidates[list(rows)])) for rows in itertools.combinations(range(12), 3)]
    assert volume > 0.7 * max(every)
    assert any(volume == pytest.approx(v) for v in every)


def test_directions_never_seen_have_huge_grades() -> None:
    rng = np.random.default_rng(2)
    phi = rng.standard_normal((5, 8))
    phi[:, 7] = 0.0
    sets = find_active_sets(phi, np.zeros(5, dtype=int), 2)
    assert sets.grade(phi, np.zeros(5, dtype=int)).max() <= 1.002
    assert sets.grade(np.eye(8)[7:], np.zeros(1, dtype=int))[0] > 1e3
    assert sets.grade(phi, np.ones(5, dtype=int)).min() > 1e2


def test_another_basis_is_refused() -> None:
    sets = find_active_sets(np.eye(3), np.zeros(3, dtype=int), 1)
    with pytest.raises(InputError, match="rebuild"):
        sets.grade(np.zeros((1, 4)), np.zeros(1, dtype=int))
    with pytest.raises(InputError, match="2 atoms"):
        find_active_sets(np.eye(3), np.zeros(2, dtype=int), 1)

from __future__ import annotations

import numpy as np
import pytest

from thalweg.errors import InputError
from thalweg.uncertainty import energy_uncertainty, forces_deviation, max_devi_f


def test_worst_member_then_worst_atom() -> None:
    mean = np.zeros((2, 3))
    members = np.zeros((3, 2, 3))
    members[1, 0] = [3.0, 4.0, 0.0]
    members[2, 0] = [0.0, 0.0, 1.0]
    members[0, 1] = [0.0, 2.0, 0.0]
    np.testing.assert_allclose(forces_deviation(members + 1.0, mean + 1.0), [5.0, 2.0])
    assert max_devi_f(members, mean) == 5.0


def test_energy_uncertainty_is_about_the_known_mean() -> None:
    members = 7.0 + 0.5 * np.random.default_rng(0).standard_normal(50_000)
    assert energy_uncertainty(members, 7.0) == pytest.approx(0.5, rel=0.02)
    assert energy_uncertainty(members, 8.0) == pytest.approx(np.hypot(0.5, 1.0), rel=0.02)


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match="n_members"):
        forces_deviation(np.zeros((3, 2)), np.zeros((2, 3)))

import numpy as np
import pytest
from ase.build import bulk, molecule
from scipy.spatial.transform import Rotation

from thalweg.diversity import distance_fingerprint, farthest_points
from thalweg.structure import Structure


def test_fingerprint_ignores_pose_and_order_but_not_shape() -> None:
    atoms = molecule("CH3CH2OH")
    reference = distance_fingerprint(Structure.from_atoms(atoms), [1, 6, 8])
    turned = atoms[np.random.default_rng(0).permutation(len(atoms))]
    turned.positions = turned.positions @ Rotation.random(rng=1).as_matrix() + 3.0
    assert distance_fingerprint(Structure.from_atoms(turned), [1, 6, 8]) == pytest.approx(
        reference, abs=1e-12
    )
    atoms.positions[0] += 0.1
    assert np.abs(distance_fingerprint(Structure.from_atoms(atoms), [1, 6, 8]) - reference).max() > 1e-2


def test_fingerprint_does_not_depend_on_the_choice_of_cell() -> None:
    small = distance_fingerprint(Structure.from_atoms(bulk("Cu")), [29])
    large = distance_fingerprint(Structure.from_atoms(bulk("Cu", cubic=True) * (2, 1, 1)), [29])
    assert large == pytest.approx(small, abs=1e-12)
    assert small.max() > 0.1


def test_farthest_points_by_hand() -> None:
    points = np.array([[0.0], [1.0], [10.0], [4.0]])
    order, distances = farthest_points(points, 3)
    assert order == [2, 0, 3]
    assert distances[1:] == [10.0, 4.0]
    assert farthest_points(points, 1, known=np.array([[10.0]]))[0] == [0]

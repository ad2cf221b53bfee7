"""Symmetries and smoothness of the features; each zero has a control that is not zero."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import close
from scipy.spatial.transform import Rotation

from thalweg.features import AceBasis, Features
from thalweg.structure import Structure


@pytest.fixture(scope="module")
def phi(features: Features, molecule: Structure) -> np.ndarray:
    return features.phi([molecule])


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_rotation_reflection_and_translation_change_nothing(
    features: Features, molecule: Structure, phi: np.ndarray, mirror: float
) -> None:
    R = mirror * Rotation.random(rng=1).as_matrix()
    moved = molecule.with_positions(molecule.positions @ R.T + np.array([10.0, -3.0, 0.7]))
    assert close(features.phi([moved]), phi)
    stretched = molecule.with_positions(molecule.positions * 1.01)
    assert not close(features.phi([stretched]), phi, 1e-4)


def test_permutation_permutes_rows(features: Features, molecule: Structure, phi: np.ndarray) -> None:
    order = np.random.default_rng(2).permutation(len(molecule))
    shuffled = Structure(molecule.numbers[order], molecule.positions[order], molecule.cell, molecule.pbc)
    assert close(features.phi([shuffled]), phi[order])
    relabelled = Structure(molecule.numbers[order], molecule.positions, molecule.cell, molecule.pbc)
    assert not close(features.phi([relabelled]), phi, 1e-4)


def test_distant_copies_are_twice_one(features: Features, molecule: Structure, phi: np.ndarray) -> None:
    def pair(distance: float) -> np.ndarray:
        positions = np.vstack([molecule.positions, molecule.positions + np.array([distance, 0, 0])])
        both = Structure(np.tile(molecule.numbers, 2), positions, molecule.cell, molecule.pbc)
        return features.phi([both])

    assert close(pair(50.0), np.vstack([phi, phi]))
    assert not close(pair(3.0), np.vstack([phi, phi]), 1e-4)


@pytest.mark.parametrize("repeats", [(2, 1, 1), (2, 2, 3)])
def test_small_cell_equals_its_supercell(
    features: Features, crystal: Structure, repeats: tuple[int, int, int]
) -> None:
    shifts = [np.array(k) @ crystal.cell for k in np.ndindex(repeats)]
    large = Structure(
        np.tile(crystal.numbers, len(shifts)),
        np.vstack([crystal.positions + shift for shift in shifts]),
        crystal.cell * np.array(repeats)[:, None],
        crystal.pbc,
    )
    one = features.phi([crystal])
    assert close(features.phi([large]), np.tile(one, (len(shifts), 1)))
    alone = Structure(crystal.numbers, crystal.positions, crystal.cell, np.zeros(3, bool))
    assert not close(features.phi([alone]), one, 1e-2)


def dimer_derivatives(features: Features, r: float, h: float) -> np.ndarray:
    """|phi|, |phi'|, |phi''| of a dimer by central differences."""

    def phi(distance: float) -> np.ndarray:
        positions = np.array([[0.0, 0.0, 0.0], [0.3, 0.5, 0.7]])
        positions[1] *= distance / np.linalg.norm(positions[1])
        dimer = Structure(np.array([6, 1]), positions, np.zeros((3, 3)), np.zeros(3, bool))
        return features.phi([dimer])[0]

    a, b, c = phi(r - h), phi(r), phi(r + h)
    return np.array([np.abs(b).max(), np.abs(c - a).max() / (2 * h), np.abs(a - 2 * b + c).max() / h**2])


def test_value_slope_and_curvature_vanish_at_the_cutoff(features: Features) -> None:
    r_cut, h = features.basis.r_cut, 1e-3
    inside = dimer_derivatives(features, 0.4 * r_cut, h)
    at_cutoff = dimer_derivatives(features, r_cut - h, h)
    beyond = dimer_derivatives(features, r_cut + 0.1, h)
    assert (inside > 0.1).all()
    assert (at_cutoff < inside * [1e-6, 1e-4, 0.05]).all()  # t^3: curvature falls linearly with t
    assert (beyond == 0).all()


def test_no_neighbours_gives_no_features(features: Features) -> None:
    atom = Structure(np.array([6]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    assert (features.phi([atom]) == 0).all()


def test_unknown_element_is_named(features: Features) -> None:
    from thalweg.errors import InputError

    atom = Structure(np.array([79]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    with pytest.raises(InputError, match="Au"):
        features.phi([atom])


def test_orders_are_bodies(molecule: Structure) -> None:
    """Order 1 adds over neighbours, order 2 does not."""
    basis = AceBasis(("H",), 4.0, correlation_order=2, max_degree=(3, 3))
    nu = basis.feature_table().nu

    def phi(*others: tuple[float, float, float]) -> np.ndarray:
        positions = np.array([(0.0, 0.0, 0.0), *others])
        structure = Structure(np.ones(len(positions), int), positions, np.zeros((3, 3)), np.zeros(3, bool))
        return Features(basis).phi([structure])[0]

    both, apart = phi((1, 0, 0), (0, 1.5, 0)), phi((1, 0, 0)) + phi((0, 1.5, 0))
    assert close(both[nu == 1], apart[nu == 1])
    assert not close(both[nu == 2], apart[nu == 2], 1e-3)

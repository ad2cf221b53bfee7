"""Derivatives against finite differences and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import close

from thalweg.features import Features, design_rows
from thalweg.structure import Structure

STEP = 1e-4
FINITE = 1e-6
"""Relative error of a fourth-order central difference at STEP, for functions that vary over about 1 Å."""


def difference(f: object, h: float = STEP) -> np.ndarray:
    """Fourth-order central difference of f(t) at 0."""
    assert callable(f)
    return np.asarray((8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h))


@pytest.fixture(params=["molecule", "crystal"])
def structure(request: pytest.FixtureRequest) -> Structure:
    found: Structure = request.getfixturevalue(request.param)
    return found


def test_jvp_is_the_directional_derivative(features: Features, structure: Structure) -> None:
    v = np.random.default_rng(0).normal(size=(len(structure), 3))
    numeric = difference(lambda t: features.phi([structure.with_positions(structure.positions + t * v)]))
    assert close(features.jvp([structure], v), numeric, FINITE)


def test_vjp_is_the_adjoint_of_jvp(features: Features, structure: Structure) -> None:
    rng = np.random.default_rng(1)
    g = rng.normal(size=(11, len(structure), features.basis.n_features))  # more than one pass of cotangents
    v = rng.normal(size=(len(structure), 3))
    gradients, _ = features.vjp([structure], g)
    np.testing.assert_allclose(
        np.einsum("cia,ia->c", gradients, v),
        np.einsum("cik,ik->c", g, features.jvp([structure], v)),
        rtol=1e-10,
    )


def test_strain_gradient(features: Features, structure: Structure) -> None:
    rng = np.random.default_rng(2)
    g = rng.normal(size=(1, len(structure), features.basis.n_features))
    e = rng.normal(size=(3, 3))
    e = e + e.T

    def energy(t: float) -> np.ndarray:
        F = np.eye(3) + t * e
        strained = Structure(
            structure.numbers, structure.positions @ F.T, structure.cell @ F.T, structure.pbc
        )
        return np.asarray(np.sum(g[0] * features.phi([strained])))

    _, strain = features.vjp([structure], g)
    np.testing.assert_allclose(np.sum(strain[0, 0] * e), difference(energy), rtol=1e-5)
    assert close(strain[0, 0], strain[0, 0].T)


def test_jacobian_builds_jvp(features: Features, structure: Structure) -> None:
    i, j, J = features.jacobian(structure)
    assert (np.diff(i) >= 0).all()
    assert J.shape == (len(i), features.basis.n_features, 3)
    v = np.random.default_rng(3).normal(size=(len(structure), 3))
    out = np.zeros((len(structure), features.basis.n_features))
    np.add.at(out, i, np.einsum("pka,pa->pk", J, v[j] - v[i]))
    assert close(out, features.jvp([structure], v))


def test_jacobian_of_one_pair(features: Features, molecule: Structure) -> None:
    i, j, J = features.jacobian(molecule)
    # In a molecule, D_ij alone cannot be moved; phi_i by r_j is exactly the pair's Jacobian.
    for k in (0, len(i) // 2, len(i) - 1):
        v = np.zeros((len(molecule), 3))
        v[j[k], 1] = 1.0
        numeric = difference(
            lambda t, v=v: features.phi([molecule.with_positions(molecule.positions + t * v)])
        )
        assert close(J[k, :, 1], numeric[i[k]], FINITE)


def test_design_rows_of_a_large_structure(features: Features, crystal: Structure) -> None:
    """More pairs than are held at once."""
    shifts = [np.array(k) @ crystal.cell for k in np.ndindex(2, 2, 2)]
    large = Structure(
        np.tile(crystal.numbers, 8),
        np.vstack([crystal.positions + shift for shift in shifts]),
        2 * crystal.cell,
        crystal.pbc,
    )
    small_rows, rows = design_rows(features, crystal), design_rows(features, large)
    assert close(rows.energy, 8 * small_rows.energy)
    assert rows.stress is not None
    assert small_rows.stress is not None
    assert close(rows.stress, small_rows.stress)
    assert close(rows.forces, np.tile(small_rows.forces, (8, 1)), 1e-10)


def test_design_rows_are_energy_forces_and_stress(features: Features, structure: Structure) -> None:
    basis = features.basis
    w = np.random.default_rng(4).normal(size=basis.n_columns)
    species = [basis.elements.index({6: "C", 1: "H", 8: "O"}[int(number)]) for number in structure.numbers]
    g = w.reshape(3, -1)[species][None]
    gradients, strain = features.vjp([structure], g)
    rows = design_rows(features, structure)
    np.testing.assert_allclose(rows.energy @ w, np.sum(g[0] * features.phi([structure])), rtol=1e-10)
    assert close((rows.forces @ w).reshape(-1, 3), -gradients[0], 1e-10)
    if not structure.pbc.all():
        assert rows.stress is None
        return
    assert rows.stress is not None
    voigt = strain[0, 0][[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    assert close(rows.stress @ w, voigt / structure.volume, 1e-10)
    assert design_rows(features, structure, stress=False).stress is None


def test_shapes_are_checked(features: Features, molecule: Structure) -> None:
    from thalweg.errors import InputError

    with pytest.raises(InputError, match="cotangents"):
        features.vjp([molecule], np.zeros((1, 2, 3)))
    with pytest.raises(InputError, match="displacements"):
        features.jvp([molecule], np.zeros((2, 3)))

"""The kernel against a slow evaluation from the definition: scipy's complex harmonics, g_k by Chebyshev, and
Clebsch-Gordan coefficients from diagonalised angular momenta."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from comparison import close
from scipy.special import eval_chebyt, sph_harm_y

from thalweg.features import AceBasis, Features
from thalweg.structure import FloatArray, Structure


def lowering(l: int) -> np.ndarray:
    m = np.arange(-l + 1, l + 1)
    return np.diag(np.sqrt(l * (l + 1) - m * (m - 1.0)), 1)


@cache
def clebsch_gordan(l1: int, l2: int, L: int) -> np.ndarray:
    """C[m1, m2, M] by lowering the highest state, which is the null vector of J+ at M = L."""
    d1, d2 = 2 * l1 + 1, 2 * l2 + 1
    J_minus = np.kron(lowering(l1), np.eye(d2)) + np.kron(np.eye(d1), lowering(l2))
    M = np.add.outer(np.arange(-l1, l1 + 1), np.arange(-l2, l2 + 1)).ravel()
    inside = np.flatnonzero(M == L)
    raised = (J_minus.T)[:, inside]
    state = np.zeros(d1 * d2)
    state[inside] = np.linalg.svd(raised)[2][-1]
    highest = state.reshape(d1, d2)[2 * l1, L - l1 + l2]
    state *= np.sign(highest)  # Condon-Shortley
    out = np.zeros((d1, d2, 2 * L + 1))
    for k in range(L, -L - 1, -1):
        out[:, :, k + L] = state.reshape(d1, d2)
        if k > -L:
            state = J_minus @ state / np.sqrt(L * (L + 1) - k * (k - 1.0))
    return out


def reference_phi(basis: AceBasis, structure: Structure, i: int) -> np.ndarray:
    """Features of atom i of a structure without periodicity."""
    from ase.data import chemical_symbols

    A: dict[tuple[int, int, int], np.ndarray] = {}
    coefficients = basis.radial_coefficients()
    K = coefficients.shape[1]
    for j in range(len(structure)):
        d = structure.positions[j] - structure.positions[i]
        r = float(np.linalg.norm(d))
        if j == i or r >= basis.r_cut:
            continue
        z = basis.elements.index(chemical_symbols[structure.numbers[j]])
        x = 1 - 2 * (1 - r / basis.r_cut) ** basis.radial_exponent
        R = coefficients @ [(1 - eval_chebyt(k, x)) / 2 for k in range(1, K + 1)]
        theta, azimuth = np.arccos(d[2] / r), np.arctan2(d[1], d[0])
        for l, count in enumerate(basis.radial_count):
            Y = sph_harm_y(l, np.arange(-l, l + 1), theta, azimuth)
            for n in range(count):
                A[z, n, l] = A.get((z, n, l), 0) + R[n] * Y
    out = np.zeros(basis.n_features)
    for k, term in enumerate(basis.terms):
        channels = [A.get(c, np.zeros(2 * c[2] + 1, dtype=complex)) for c in term.channels]
        if term.nu == 1:
            out[k] = term.scale * channels[0][0].real
            continue
        sides = []
        for side in term.sides:
            ls = [term.channels[s][2] for s in side]
            block = channels[side[0]]
            if len(side) == 2:
                block = np.einsum(
                    "abc,a,b->c", clebsch_gordan(ls[0], ls[1], term.L), block, channels[side[1]]
                )
            sides.append(block)
        out[k] = term.scale * float(np.sum(sides[0].conj() * sides[1]).real)
    return out


@pytest.mark.parametrize("exponent", [1, 2, 3, 4])
def test_kernel_agrees_with_the_definition(molecule: Structure, exponent: int) -> None:
    basis = AceBasis(
        ("H", "C", "O"), 3.5, correlation_order=4, max_degree=(5, 6, 6, 4), radial_exponent=exponent
    )
    phi = Features(basis).phi([molecule])
    for i in (0, 2, 5):
        assert close(phi[i], reference_phi(basis, molecule, i))


@pytest.mark.parametrize(
    ("radial_weight", "max_degree"), [(2, (6, 8, 7, 5)), (3, (9, 9, 8, 5)), (5, (10, 9, 4, 4))]
)
def test_kernel_agrees_with_the_definition_whatever_the_radial_weight(
    molecule: Structure, radial_weight: int, max_degree: tuple[int, ...]
) -> None:
    basis = AceBasis(
        ("H", "C", "O"), 3.5, correlation_order=4, max_degree=max_degree, radial_weight=radial_weight
    )
    table = basis.feature_table()
    for order, limit in enumerate(max_degree, start=1):
        assert table.degree[table.nu == order].max() <= limit
        sums = radial_weight * table.n_sum + table.l_sum
        assert np.array_equal(table.degree, sums)
    assert table.l_sum[table.nu == 2].max() == 2 * (max_degree[1] // 2)
    phi = Features(basis).phi([molecule])
    for i in (0, 5):
        assert close(phi[i], reference_phi(basis, molecule, i))


def test_high_l_agrees_with_the_definition() -> None:
    basis = AceBasis(("H",), 3.5, correlation_order=2, max_degree=(1, 16))
    rng = np.random.default_rng(5)
    structure = Structure(np.ones(7, int), rng.normal(size=(7, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    assert basis.l_top == 8
    assert close(Features(basis).phi([structure])[0], reference_phi(basis, structure, 0))


@pytest.mark.parametrize(("exponent", "q"), [(1, 3), (2, 2), (3, 1), (4, 1)])
def test_radial_functions_are_orthonormal_and_in_the_span_of_the_export_functions(
    exponent: int, q: int
) -> None:
    basis = AceBasis(("H",), 5.0, correlation_order=1, max_degree=(11,), radial_exponent=exponent)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    r = 2.5 * (1 + nodes)
    c = basis.radial_coefficients()
    assert c.shape == (12, 11 + q)

    def radial(r: FloatArray) -> FloatArray:
        x = 1 - 2 * (1 - r / 5.0) ** exponent
        return np.asarray(c @ np.array([(1 - eval_chebyt(k, x)) / 2 for k in range(1, 12 + q)]))

    R = radial(r)
    np.testing.assert_allclose(R * (weights / 2) @ R.T, np.eye(12), atol=1e-9)
    assert np.linalg.matrix_rank(c) == 12


@pytest.mark.parametrize(("exponent", "power"), [(1, 3), (2, 4), (3, 3), (4, 4)])
def test_features_vanish_at_the_cutoff_with_two_derivatives(exponent: int, power: int) -> None:
    basis = AceBasis(("H",), 5.0, correlation_order=1, max_degree=(2,), radial_exponent=exponent)

    def size(distance: float) -> float:
        positions = np.array([[0.0, 0, 0], [5.0 - distance, 0, 0]])
        pair = Structure(np.ones(2, int), positions, np.zeros((3, 3)), np.zeros(3, bool))
        return float(np.abs(Features(basis).phi([pair])).max())

    assert size(0.02) / size(0.01) == pytest.approx(2.0**power, rel=0.1)
    assert size(1.0) > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elements": ("Xx",)}, "chemical symbol"),
        ({"elements": ("C", "C")}, "once"),
        ({"r_cut": -1.0}, "r_cut"),
        ({"correlation_order": 5, "max_degree": (3,) * 5}, "correlation_order"),
        ({"max_degree": (3,)}, "max_degree"),
        ({"radial_exponent": 0}, "radial_exponent"),
        ({"radial_weight": 0}, "radial_weight"),
        ({"radial_weight": 1.5}, "radial_weight"),
        ({"max_degree": (3, 20)}, "l_max"),
    ],
)
def test_wrong_specifications_say_what_is_wrong(change: dict[str, object], message: str) -> None:
    from thalweg.errors import InputError

    good: dict[str, object] = {
        "elements": ("C", "H"),
        "r_cut": 4.0,
        "correlation_order": 2,
        "max_degree": (3, 4),
    }
    assert AceBasis.from_json(good).n_features > 0
    with pytest.raises(InputError, match=message):
        AceBasis.from_json({**good, **change})


def test_json_round_trip_keeps_the_hash(basis: AceBasis) -> None:
    import json

    assert "radial_weight" not in basis.to_json()  # bases of before there was one keep their hash
    dear = replace(basis, radial_weight=2)
    assert AceBasis.from_json(json.loads(json.dumps(dear.to_json()))) == dear
    assert dear.hash != basis.hash
    again = AceBasis.from_json(json.loads(json.dumps(basis.to_json())))
    assert again == basis
    assert again.hash == basis.hash
    assert again.hash != AceBasis(("C", "H", "O"), 4.1, correlation_order=4, max_degree=(6, 5, 4, 4)).hash

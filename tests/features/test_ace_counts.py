"""Completeness and independence of the invariants, against the theory of characters."""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import pytest

from thalweg.features import AceBasis, Features
from thalweg.features.couplings import coupling_tensor
from thalweg.structure import Structure


def symmetric_power_character(l: int, k: int, angle: np.ndarray) -> np.ndarray:
    """Character of Sym^k of the (2l+1)-dimensional representation, by Newton's identity."""
    power = [np.ones_like(angle)]
    power += [sum(np.cos(m * j * angle) for m in range(-l, l + 1)) for j in range(1, k + 1)]
    h = [np.ones_like(angle)]
    for n in range(1, k + 1):
        h.append(sum(power[j] * h[n - j] for j in range(1, n + 1)) / n)
    return h[k]


def n_invariants(channels: tuple[tuple[int, int], ...]) -> int:
    """Invariants of O(3) in the product of symmetric powers, one for each distinct channel (n, l)."""
    if sum(l for _, l in channels) % 2:
        return 0
    angle = (np.arange(400) + 0.5) * np.pi / 400  # exact for trigonometric polynomials of this degree
    character = prod(symmetric_power_character(l, k, angle) for (_, l), k in Counter(channels).items())
    return round(float(np.mean(character * (1 - np.cos(angle)))))


@pytest.mark.parametrize("degree", [6, 8, 10])
def test_every_multiset_has_as_many_features_as_it_has_invariants(degree: int) -> None:
    basis = AceBasis(("Si",), 5.0, correlation_order=4, max_degree=(degree,) * 4)
    found = Counter(tuple((n, l) for _, n, l in term.channels) for term in basis.terms)
    channels = [(n, l) for l in range(degree + 1) for n in range(degree + 1 - l)]
    expected: dict[tuple[tuple[int, int], ...], int] = {}
    for nu in (1, 2, 3, 4):
        for multiset in combinations_with_replacement(channels, nu):
            if sum(n + l for n, l in multiset) <= degree and (count := n_invariants(multiset)):
                expected[multiset] = count
    assert found == expected
    assert max(found.values()) > 1  # some multisets have several trees


def test_totals_of_small_orders_follow_the_formulas() -> None:
    basis = AceBasis(("Si",), 5.0, correlation_order=3, max_degree=(5, 6, 4))
    nu = basis.feature_table().nu
    # Order 2: pairs n1 <= n2 with n1 + n2 <= 6 - 2 l for each l: sum over l of the pairs.
    pairs = sum((s // 2) + 1 for l in range(4) for s in range(6 - 2 * l + 1))
    assert (nu == 1).sum() == 6
    assert (nu == 2).sum() == pairs


def test_element_channels_multiply() -> None:
    one = AceBasis(("C",), 5.0, correlation_order=2, max_degree=(3, 0))
    two = AceBasis(("C", "H"), 5.0, correlation_order=2, max_degree=(3, 0))
    assert one.n_features == 4 + 1
    assert two.n_features == 8 + 3  # CC, CH, HH
    assert two.n_columns == 22


def test_degree_limits_and_table() -> None:
    basis = AceBasis(("C", "H"), 5.0, correlation_order=4, max_degree=(6, 5, 4, 4), l_max=1)
    table = basis.feature_table()
    for order, limit in enumerate(basis.max_degree, start=1):
        assert table.degree[table.nu == order].max() == limit
    assert (table.degree == table.n_sum + table.l_sum).all()
    assert max(l for term in basis.terms for *_, l in term.channels) == 1
    assert len({table.describe(k) for k in range(basis.n_features)}) == basis.n_features


def test_features_are_linearly_independent_on_random_environments() -> None:
    basis = AceBasis(("C", "H"), 4.0, correlation_order=4, max_degree=(5, 4, 4, 4))
    rng = np.random.default_rng(0)
    structures = []
    for _ in range(40):
        positions = rng.uniform(-3.0, 3.0, size=(24, 3))
        structures.append(
            Structure(rng.choice([1, 6], size=24), positions, np.zeros((3, 3)), np.zeros(3, bool))
        )
    phi = Features(basis).phi(structures)
    singular = np.linalg.svd(phi / np.linalg.norm(phi, axis=0), compute_uv=False)
    assert len(phi) > 2 * basis.n_features
    assert singular[-1] > 1e-9 * singular[0]
    doubled = np.hstack([phi, phi[:, :1] + phi[:, 1:2]])  # a dependent column is seen as such
    assert (
        np.linalg.svd(doubled / np.linalg.norm(doubled, axis=0), compute_uv=False)[-1] < 1e-13 * singular[0]
    )


@pytest.mark.parametrize(("l1", "l2"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_coupling_tensors_are_orthonormal_together(l1: int, l2: int) -> None:
    columns = [coupling_tensor(l1, l2, L).reshape(-1, 2 * L + 1) for L in range(abs(l1 - l2), l1 + l2 + 1)]
    C = np.hstack(columns)
    assert C.shape[0] == C.shape[1]
    np.testing.assert_allclose(C.T @ C, np.eye(len(C)), atol=1e-13)

"""Coupling tables: which products of channels make a complete, linearly independent set of invariants.

    A_c                 channel c = (z, n, l): 2l + 1 numbers, real spherical harmonics
    u^L(a, b)           node: (A_a x A_b)^L, 2L + 1 numbers, by the real Clebsch-Gordan tensor C[m1, m2, M]
    order 2             A_a . A_b                     l_a = l_b
    order 3             u^L(a, b) . A_c               L = l_c
    order 4             u^L(a, b) . u^L(c, d)         every L both nodes allow

and the sum of l even throughout (invariance to reflection). For channels all different, one pairing with
every L is complete. Where channels repeat, trees become dependent or vanish, and a subset is chosen by
pivoted orthogonalisation of their values at random A. The choice depends only on the l and on which channels
are equal, so it is made once for each such pattern.

Phase: Y_lm for m > 0 is sqrt(2) N P_l^m(cos theta) cos(m phi) without the Condon-Shortley sign, with
sin(|m| phi) for m < 0; component m is stored at m + l.

References
    Dusson et al., J. Comput. Phys. 454, 110946 (2022): completeness through symmetrised couplings
    Racah, Phys. Rev. 62, 438 (1942): the closed form of the Clebsch-Gordan coefficients
"""

from __future__ import annotations

from functools import cache
from math import factorial, sqrt

import numpy as np

from thalweg.structure import FloatArray

ComplexArray = np.ndarray[tuple[int, ...], np.dtype[np.complex128]]

Tree = tuple[tuple[int, int], tuple[int, int], int]
"""Order 4: the two pairs of positions in the multiset, and L. Order 3: ((i, j), (k, k), l_k)."""

_INDEPENDENT = 1e-6
"""Relative residual above which a tree counts as independent: zeros lie near 1e-15, others above 1e-2."""


def _clebsch_gordan(l1: int, m1: int, l2: int, m2: int, L: int, M: int) -> float:
    """<l1 m1 l2 m2 | L M> by Racah's formula."""
    if m1 + m2 != M or not abs(l1 - l2) <= L <= l1 + l2:
        return 0.0
    f = factorial
    square = (2 * L + 1) * f(l1 + l2 - L) * f(L + l1 - l2) * f(L + l2 - l1) / f(l1 + l2 + L + 1)
    square *= f(L + M) * f(L - M) * f(l1 - m1) * f(l1 + m1) * f(l2 - m2) * f(l2 + m2)
    total = 0.0
    for k in range(max(0, l2 - L - m1, l1 - L + m2), min(l1 + l2 - L, l1 - m1, l2 + m2) + 1):
        parts = (k, l1 + l2 - L - k, l1 - m1 - k, l2 + m2 - k, L - l2 + m1 + k, L - l1 - m2 + k)
        total += (-1) ** k / np.prod([float(f(part)) for part in parts])
    return float(sqrt(square) * total)


@cache
def complex_from_real(l: int) -> ComplexArray:
    """Unitary U (2 l + 1, 2 l + 1): Y^complex_m = sum_k U[m, k] Y^real_k, Condon-Shortley phase on the complex side."""
    U = np.zeros((2 * l + 1, 2 * l + 1), dtype=np.complex128)
    U[l, l] = 1.0
    for m in range(1, l + 1):
        U[l + m, l + m], U[l + m, l - m] = (-1) ** m / sqrt(2), 1j * (-1) ** m / sqrt(2)
        U[l - m, l + m], U[l - m, l - m] = 1 / sqrt(2), -1j / sqrt(2)
    return U


@cache
def coupling_tensor(l1: int, l2: int, L: int) -> FloatArray:
    """Real Clebsch-Gordan tensor (2 l1 + 1, 2 l2 + 1, 2 L + 1), unit norm for each M.

    For l1 + l2 + L odd the result is a pseudotensor; the common factor i is dropped.
    """
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * L + 1))
    for m1 in range(-l1, l1 + 1):
        for m2 in range(max(-l2, -L - m1), min(l2, L - m1) + 1):
            C[m1 + l1, m2 + l2, m1 + m2 + L] = _clebsch_gordan(l1, m1, l2, m2, L, m1 + m2)
    U1, U2, U3 = (complex_from_real(l) for l in (l1, l2, L))
    T = np.einsum("abc,ai,bj,ck->ijk", C, U1, U2, U3.conj(), optimize=True)
    real = np.ascontiguousarray(T.imag if (l1 + l2 + L) % 2 else T.real)
    real[np.abs(real) < 1e-14] = 0.0
    real.flags.writeable = False
    return real


def node_vanishes(l1: int, l2: int, L: int, *, same: bool) -> bool:
    """Whether u^L(a, b) is zero: out of the triangle, or antisymmetric in a = b (l1 = l2, L odd)."""
    return not abs(l1 - l2) <= L <= l1 + l2 or (same and L % 2 == 1)


@cache
def trees_of(ls: tuple[int, ...], equal: tuple[int, ...], preferred: int) -> tuple[Tree, ...]:
    """A complete independent set of trees for a multiset of 3 or 4 channels.

    Parameters
    ----------
    ls : l of each channel
    equal : label of each channel, equal where two are the same channel
    preferred : which of the three pairings to draw on first
    """
    if sum(ls) % 2:
        return ()
    groups = _candidates(ls, equal, preferred)
    if len(ls) == 3:
        return next((tuple(group[:1]) for group in groups if group), ())
    if len(set(equal)) == len(equal):
        return tuple(groups[0])
    values = _values_at_random([tree for group in groups for tree in group], ls, equal)
    return _independent(groups, values)


def _candidates(ls: tuple[int, ...], equal: tuple[int, ...], preferred: int) -> list[list[Tree]]:
    """Non-vanishing trees, one list per pairing, the preferred pairing first."""
    pairings = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    if len(ls) == 3:
        pairings = [((0, 1), (2, 2)), ((0, 2), (1, 1)), ((1, 2), (0, 0))]
    pairings = pairings[preferred:] + pairings[:preferred]
    groups: list[list[Tree]] = []
    for first, second in pairings:
        Ls = range(sum(ls) + 1) if len(ls) == 4 else [ls[second[0]]]
        nodes = [first, second] if len(ls) == 4 else [first]
        groups.append(
            [
                (first, second, L)
                for L in Ls
                if not any(node_vanishes(ls[i], ls[j], L, same=equal[i] == equal[j]) for i, j in nodes)
            ]
        )
    return groups


def _values_at_random(
    trees: list[Tree], ls: tuple[int, ...], equal: tuple[int, ...]
) -> dict[Tree, FloatArray]:
    rng = np.random.default_rng(20)
    n_points = 4 * len(trees) + 16
    channels = {label: rng.normal(size=(n_points, 2 * l + 1)) for l, label in zip(ls, equal, strict=True)}

    def node(pair: tuple[int, int], L: int) -> FloatArray:
        i, j = pair
        C = coupling_tensor(ls[i], ls[j], L)
        return np.asarray(np.einsum("ijk,pi,pj->pk", C, channels[equal[i]], channels[equal[j]]))

    return {tree: np.sum(node(tree[0], tree[2]) * node(tree[1], tree[2]), axis=1) for tree in trees}


def _independent(groups: list[list[Tree]], values: dict[Tree, FloatArray]) -> tuple[Tree, ...]:
    """Pivoted Gram-Schmidt, exhausting one pairing before the next so that few distinct nodes are needed."""
    chosen: list[Tree] = []
    basis: list[FloatArray] = []
    for group in groups:
        rest = {tree: values[tree] / max(float(np.linalg.norm(values[tree])), 1e-300) for tree in group}
        for q in basis:
            rest = {tree: v - q * (q @ v) for tree, v in rest.items()}
        while rest:
            best = max(rest, key=lambda tree: (round(float(np.linalg.norm(rest[tree])), 9), -tree[2]))
            size = float(np.linalg.norm(rest[best]))
            if size < _INDEPENDENT:
                break
            q = rest.pop(best) / size
            basis.append(q)
            chosen.append(best)
            rest = {tree: v - q * (q @ v) for tree, v in rest.items()}
    return tuple(sorted(chosen))

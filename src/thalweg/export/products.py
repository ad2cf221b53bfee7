"""A linear potential as a sum of products of complex A_(z,n,l,m), each product met once.

    E_i = sum_k b_(z,k) sum_j g_k(r_ij) + sum_f sum_m c_(f,m) Re(A_(1,m1) A_(2,m2) ...) + E0

    f        multiset of channels (z, n, l), at least two of them; one function for all features on them
    m        m1, m2, ... with sum 0, one for each channel
    A        sum_j R_n(r_ij) sqrt(4 pi) Y_lm(r_ij), complex Y_lm with the Condon-Shortley phase
    c        real

Products that are equal because channels are (their m permuted), and products that are each other's complex
conjugates (all m negated; the sign (-1)^(sum m) is 1), are merged into the one whose m come last in
lexicographic order; so the first m that is not zero is positive.

Reference
    Drautz, Phys. Rev. B 99, 014104 (2019): expansion of invariants in products of the atomic base
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np

from thalweg.features.basis import AceBasis
from thalweg.features.couplings import ComplexArray, complex_from_real, coupling_tensor
from thalweg.features.enumerate import Channel, FeatureTerm
from thalweg.structure import FloatArray

Ms = tuple[int, ...]

_NEGLIGIBLE = 1e-13
"""Entries of a term's tensor below this are the rounding of a zero; others are above 1e-3."""


@dataclass(frozen=True)
class ProductFunction:
    """sum_m c_m Re(prod_t A_(channels[t], m_t)).

    channels : (z, n, l) of the factors, two or more
    products : m of the factors -> c, eV
    """

    channels: tuple[Channel, ...]
    products: dict[Ms, float]


def pair_coefficients(basis: AceBasis, weights: FloatArray) -> FloatArray:
    """b_(z,k) of one element's weights (p,): the features of order 1 over g_k, (n_elements, K), eV."""
    radial = basis.radial_coefficients()
    out = np.zeros((len(basis.elements), radial.shape[1]))
    for weight, term in zip(weights, basis.terms, strict=True):
        if term.nu == 1:
            z, n, _ = term.channels[0]
            # term.scale is sqrt(4 pi), which Y_00 takes back.
            out[z] += weight * radial[n]
    return out


def product_functions(basis: AceBasis, weights: FloatArray) -> list[ProductFunction]:
    """The functions of order 2 and more of one element's weights (p,), without those that vanish."""
    functions: dict[tuple[Channel, ...], dict[Ms, float]] = {}
    for weight, term in zip(weights, basis.terms, strict=True):
        if term.nu == 1 or weight == 0:
            continue
        products = functions.setdefault(term.channels, defaultdict(float))
        factor = float(weight) * term.scale / (4 * pi) ** (term.nu / 2)
        for ms, coefficient in _term_products(*_pattern(term)):
            products[ms] += factor * coefficient
    kept = (
        ProductFunction(channels, {ms: c for ms, c in sorted(products.items(), reverse=True) if c != 0})
        for channels, products in functions.items()
    )
    return [function for function in kept if function.products]


def _pattern(term: FeatureTerm) -> tuple[Ms, Ms, tuple[tuple[int, ...], ...], int]:
    """All that a term's tensor depends on: the l, which channels are equal, and the tree."""
    equal = tuple(term.channels.index(channel) for channel in term.channels)
    return tuple(l for *_, l in term.channels), equal, term.sides, term.L


@lru_cache(maxsize=4096)
def _term_products(
    ls: Ms, equal: Ms, sides: tuple[tuple[int, ...], ...], L: int
) -> tuple[tuple[Ms, float], ...]:
    """left . right as merged products of complex A: (m of the factors, coefficient)."""
    left, right = (_side(tuple(ls[i] for i in side), L) for side in sides)
    tensor = np.tensordot(left, right, axes=(-1, -1))
    tensor = np.moveaxis(tensor, range(len(ls)), [i for side in sides for i in side])
    merged: dict[Ms, float] = defaultdict(float)
    for index in np.argwhere(np.abs(tensor) > _NEGLIGIBLE):
        ms = tuple(int(m) for m in index - np.array(ls))
        merged[_representative(ms, equal)] += float(tensor[tuple(index)].real)
    return tuple((ms, c) for ms, c in merged.items() if abs(c) > _NEGLIGIBLE)


def _side(ls: Ms, L: int) -> ComplexArray:
    """One side of the dot product over complex A: axes m of its factors, then the real component of L."""
    if len(ls) == 1:
        return complex_from_real(ls[0]).conj()
    U1, U2 = (complex_from_real(l).conj() for l in ls)
    return np.asarray(np.einsum("ijk,ai,bj->abk", coupling_tensor(*ls, L), U1, U2, optimize=True))


def _representative(ms: Ms, equal: Ms) -> Ms:
    """The product that stands for this one, its permutations among equal channels and their conjugates."""
    return max(_sorted_within(ms, equal), _sorted_within([-m for m in ms], equal))


def _sorted_within(ms: Iterable[int], equal: Ms) -> Ms:
    """Falling m within each run of equal channels; equal channels stand side by side."""
    return tuple(m for _, m in sorted(zip(equal, ms, strict=True), key=lambda pair: (pair[0], -pair[1])))

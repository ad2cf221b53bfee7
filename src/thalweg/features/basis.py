"""The ACE basis: which functions of an environment are computed, and their tables for the native core.

    x(r) = 1 - 2 (1 - r / r_cut)^lambda             lambda = radial_exponent
    q                                               least whole number with q lambda >= 3: C^2 at the cutoff
    g_k(r) = (1 - T_k(x)) / 2                       k = 1 .. K: ML-PACE's `ChebPow` functions
    R_n(r) = sum_k c_nk g_k(r)                      orthonormal, integral dr / r_cut over [0, r_cut]
    A_(i,znlm) = sum_j delta(z_j, z) R_n(r_ij) Y_lm(D_ij / r_ij)

The R_n lie in the span of the g_k. They are (1 - x)^q times polynomials in x that obey a three-term recurrence, by
which the core evaluates them: R_0 = k0 (1 - x)^q, R_n = (a_n x + b_n) R_(n-1) + c_n R_(n-2). Every feature is
scaled by (4 pi)^(nu/2) / sqrt(2 L + 1), as if Y_00 were 1 and its coupling orthonormal.

References
    Drautz, Phys. Rev. B 99, 014104 (2019); Dusson et al., J. Comput. Phys. 454, 110946 (2022)
    Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021): ML-PACE and its radial functions
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from thalweg.errors import InputError, check
from thalweg.features.enumerate import FeatureTerm, count_products, enumerate_features
from thalweg.structure import FloatArray, IntArray

L_LIMIT = 8
"""Largest l that the native core is built for."""

N_NODES = 256
"""Gauss-Legendre nodes of the integrals that make the R_n orthonormal: exact below degree 2 N_NODES in r."""

"""Å, some thousand neighbours of each atom; a model from a file is held to it, too."""

PRODUCT_LIMIT = 2_000_000
"""Most multisets of channels, some 20 s of enumeration: a slip in max_degree is reported at once."""

SHORTEST_CUTOFF, LONGEST_CUTOFF = 0.5, 20.0
"""Å; the shortest itself is too short."""
DEGREE_LIMIT, EXPONENT_LIMIT, WEIGHT_LIMIT = 80, 64, 8
"""Of max_degree, radial_exponent and radial_weight: the limits of the configuration, for every basis however made."""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Properties of the p features of one element; index k is the feature.

    nu : int64 (p,), correlation order; n_sum, l_sum : int64 (p,), sums of n and of l over the factors;
    degree : int64 (p,), radial_weight n_sum + l_sum; terms : how each is built.
    """

    elements: tuple[str, ...]
    nu: IntArray
    n_sum: IntArray
    l_sum: IntArray
    degree: IntArray
    terms: tuple[FeatureTerm, ...]

    def describe(self, k: int) -> str:
        """Feature k in words, for example ``C(n=0,l=1) C(n=1,l=1) | H(n=0,l=2) H(n=0,l=2), L=2``."""
        term = self.terms[k]
        names = [f"{self.elements[z]}(n={n},l={l})" for z, n, l in term.channels]
        if term.nu == 1:
            return names[0]
        left, right = (" ".join(names[i] for i in side) for side in term.sides)
        return f"{left} | {right}, L={term.L}"


@dataclass(frozen=True)
class AceBasis:
    """Specification of an ACE basis; equal specifications have equal hashes.

    Parameters
    ----------
    elements : chemical symbols; their order fixes the species indices
    r_cut : cutoff, Å
    correlation_order : largest number of neighbours in one product, 1 to 4
    max_degree : for each order nu = 1, 2, ... the largest sum of radial_weight n + l over the nu factors (n, l from 0)
    l_max : largest l; None: what max_degree allows
    radial_exponent : lambda of the radial transform; 1 resolves all distances alike, larger ones favour short range
    radial_weight : what one step of n costs in steps of l; 1 resolves both alike, larger ones favour angles

    Raises
    ------
    InputError
        Unknown or repeated element, order outside 1 to 4, max_degree of another length or above 80, r_cut not above
        0.5 and at most 20 Å, radial_exponent outside 1 to 64, radial_weight outside 1 to 8.
    """

    elements: tuple[str, ...]
    r_cut: float
    correlation_order: int = field(kw_only=True)
    max_degree: tuple[int, ...] = field(kw_only=True)
    l_max: int | None = field(kw_only=True, default=None)
    radial_exponent: int = field(kw_only=True, default=3)
    radial_weight: int = field(kw_only=True, default=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        object.__setattr__(self, "max_degree", tuple(int(d) for d in self.max_degree))
        object.__setattr__(self, "r_cut", float(self.r_cut))
        _check_elements(self.elements)
        check(
            SHORTEST_CUTOFF < self.r_cut <= LONGEST_CUTOFF,
            f"r_cut must be above {SHORTEST_CUTOFF} and at most {LONGEST_CUTOFF:g} Å, got {self.r_cut}",
        )
        order, degrees = self.correlation_order, self.max_degree
        check(1 <= order <= 4, f"correlation_order must be 1, 2, 3 or 4, got {order}")
        check(
            len(degrees) == order and all(0 <= d <= DEGREE_LIMIT for d in degrees),
            f"max_degree needs one number from 0 to {DEGREE_LIMIT} for each of the {order} orders, got {degrees}",
        )
        check(self.l_max is None or self.l_max >= 0, f"l_max must be 0 or more, got {self.l_max}")
        for name, most in (("radial_exponent", EXPONENT_LIMIT), ("radial_weight", WEIGHT_LIMIT)):
            value = getattr(self, name)
            check(value in range(1, most + 1), f"{name} must be a whole number from 1 to {most}, got {value}")
        check(
            self.l_top <= L_LIMIT,
            f"max_degree {degrees} reaches l = {self.l_top}, the largest is {L_LIMIT}: "
            f"set l_max={L_LIMIT} or lower max_degree",
        )
        self._check_size()

    def _check_size(self) -> None:
        """Refuse what would take hours to enumerate, or radial functions beyond exact quadrature."""
        top = max(self.max_degree) // self.radial_weight
        check(
            (2 * top + 1) * self.radial_exponent < 2 * N_NODES,
            f"max_degree {max(self.max_degree)} with radial_exponent {self.radial_exponent} needs polynomials of too "
            f"high a degree: (2 * {top} + 1) * {self.radial_exponent} must be below {2 * N_NODES}",
        )
        check(
            self.n_products <= PRODUCT_LIMIT,
            f"max_degree {self.max_degree} with {len(self.elements)} elements reaches {self.n_products:,} products, "
            f"the limit is {PRODUCT_LIMIT:,}: lower max_degree",
        )

    @property
    def l_top(self) -> int:
        """Largest l that occurs: invariants of order nu have at most half their degree in one l."""
        reach = max(self.max_degree[1:], default=0) // 2
        return reach if self.l_max is None else min(reach, self.l_max)

    @property
    def radial_count(self) -> tuple[int, ...]:
        """Number of radial functions n for each l: the partners of (n, l) have l of at least l in sum."""
        tops = [max(self.max_degree)] + [max(self.max_degree[1:]) - 2 * l for l in range(1, self.l_top + 1)]
        return tuple(top // self.radial_weight + 1 for top in tops)

    @cached_property
    def n_products(self) -> int:
        """Multisets of channels from which the features are chosen, counted without listing them."""
        return count_products(len(self.elements), self.max_degree, self.radial_count, self.radial_weight)

    @property
    def n_features(self) -> int:
        """Features per element."""
        return len(self.terms)

    @property
    def n_columns(self) -> int:
        """Columns of a design matrix: n_elements * n_features."""
        return len(self.elements) * self.n_features

    @cached_property
    def terms(self) -> tuple[FeatureTerm, ...]:
        """How each feature is built, by rising order and degree."""
        return enumerate_features(len(self.elements), self.max_degree, self.radial_count, self.radial_weight)

    def feature_table(self) -> FeatureTable:
        """Order, n, l and degree of every feature of one element."""
        channels = [term.channels for term in self.terms]
        nu = np.array([len(c) for c in channels], dtype=np.int64)
        n_sum = np.array([sum(n for _, n, _ in c) for c in channels], dtype=np.int64)
        l_sum = np.array([sum(l for *_, l in c) for c in channels], dtype=np.int64)
        degree = self.radial_weight * n_sum + l_sum
        return FeatureTable(self.elements, nu, n_sum, l_sum, degree, self.terms)

    def radial_recurrence(self) -> FloatArray:
        """a_n, b_n, c_n of the recurrence, (n_radial, 3); row 0 is (k0, 0, 0)."""
        return _recurrence(self.radial_count[0], self.radial_exponent)

    def radial_coefficients(self) -> FloatArray:
        """c_nk with R_n = sum_k c_nk g_k, (n_radial, K): column k - 1 belongs to g_k, K = n_radial + q - 1."""
        rows = _chebyshev_rows(self.radial_recurrence(), _envelope(self.radial_exponent))
        # sum_k t_k T_k vanishes at x = 1, so with T_k = 1 - 2 g_k it is -2 sum_k t_k g_k.
        return -2.0 * rows[:, 1:]

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; `from_json` gives an equal basis back."""
        data = {**asdict(self), "elements": list(self.elements), "max_degree": list(self.max_degree)}
        if self.radial_weight == 1:  # as before there were others: the same basis keeps its hash
            del data["radial_weight"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AceBasis:
        """The basis that `to_json` described; InputError where a key is missing or unknown."""
        try:
            return cls(**data)
        except TypeError as error:
            raise InputError(f"basis: the description does not fit this version ({error})") from error

    @property
    def hash(self) -> str:
        """SHA-256 of the specification: the basis' identity."""
        text = json.dumps({"format": "thalweg.ace.1", **self.to_json()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _check_elements(elements: tuple[str, ...]) -> None:
    from ase.data import chemical_symbols

    check(len(elements) > 0, "elements: at least one chemical symbol is needed")
    check(len(set(elements)) == len(elements), f"elements: each may occur once, got {elements}")
    for element in elements:
        check(
            element in chemical_symbols[1:],
            f"elements: {element!r} is not a chemical symbol; write them as ('C', 'H', 'O')",
        )


@lru_cache(maxsize=64)
def _recurrence(n_radial: int, exponent: int) -> FloatArray:
    """Discretised Stieltjes procedure for the weight (1 - x)^(2 q) dr, in units of r_cut."""
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    r = (1 + nodes) / 2
    weights = weights / 2
    x = 1 - 2 * (1 - r) ** exponent
    out = np.zeros((n_radial, 3))
    previous, current = np.zeros_like(r), (1 - x) ** _envelope(exponent)
    k0 = 1 / np.sqrt(weights @ current**2)
    current *= k0
    out[0, 0] = k0
    beta = 0.0
    for n in range(1, n_radial):
        alpha = weights @ (x * current**2)
        rest = (x - alpha) * current - beta * previous
        norm = float(np.sqrt(weights @ rest**2))
        out[n] = 1 / norm, -alpha / norm, -beta / norm
        previous, current, beta = current, rest / norm, norm
    out.flags.writeable = False
    return out


def _envelope(exponent: int) -> int:
    """q: the least power of 1 - x that is C^2 at the cutoff."""
    return (exponent + 2) // exponent


def _chebyshev_rows(recurrence: FloatArray, q: int) -> FloatArray:
    """R_n as Chebyshev series in x, (n_radial, n_radial + q)."""
    n_radial = len(recurrence)
    rows = np.zeros((n_radial, n_radial + q))
    rows[0, : q + 1] = recurrence[0, 0] * chebyshev.chebpow([1.0, -1.0], q)
    for n in range(1, n_radial):
        a, b, c = recurrence[n]
        product = np.zeros(n_radial + q)
        series = chebyshev.chebmulx(rows[n - 1])  # without trailing zeros
        product[: len(series)] = series
        rows[n] = a * product + b * rows[n - 1] + (c * rows[n - 2] if n > 1 else 0.0)
    return rows

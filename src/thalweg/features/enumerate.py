"""Enumerates the features: every multiset of channels within the degree limits, and its coupling trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, pi, sqrt

from thalweg.features.couplings import Tree, trees_of

Channel = tuple[int, int, int]
"""z (index of the neighbour's element), n, l."""


@dataclass(frozen=True)
class FeatureTerm:
    """One feature: scale * left . right, each side a channel or the node (A_a x A_b)^L.

    channels : the nu channels, sorted by (z, l, n)
    sides : positions in `channels` on the left and on the right, one or two each; empty for order 1
    L : the blocks have 2 L + 1 components
    """

    channels: tuple[Channel, ...]
    sides: tuple[tuple[int, ...], ...]
    L: int

    @property
    def nu(self) -> int:
        """Correlation order."""
        return len(self.channels)

    @property
    def scale(self) -> float:
        """The factor in front of the dot product."""
        return float((4 * pi) ** (self.nu / 2) / sqrt(2 * self.L + 1))


def enumerate_features(
    n_elements: int, max_degree: tuple[int, ...], radial_count: tuple[int, ...], radial_weight: int = 1
) -> tuple[FeatureTerm, ...]:
    """All features, by rising order, then degree, then channels; degree: radial_weight n + l, summed."""
    channels = [
        (z, n, l) for z in range(n_elements) for l, count in enumerate(radial_count) for n in range(count)
    ]
    out: list[FeatureTerm] = []
    for nu, limit in enumerate(max_degree, start=1):
        usable = [c for c in channels if _usable(c[1], c[2], nu, limit, radial_weight)]
        degrees = [radial_weight * n + l for _, n, l in usable]
        for _, multiset in sorted(_multisets(usable, degrees, nu, limit)):
            out.extend(_couple(multiset, radial_weight))
    return tuple(out)


def _usable(n: int, l: int, nu: int, limit: int, radial_weight: int) -> bool:
    """Whether a channel can be part of an invariant of order nu: its partners have l of at least l in sum."""
    if nu == 1:
        return l == 0 and radial_weight * n <= limit
    return radial_weight * n + 2 * l <= limit


def count_products(
    n_elements: int, max_degree: tuple[int, ...], radial_count: tuple[int, ...], radial_weight: int = 1
) -> int:
    """How many multisets of channels `enumerate_features` goes through, counted without listing them.

    With c_d channels of degree d, it is the coefficient sum of prod_d (1 - y x^d)^(-c_d) at y^nu, x^(0 .. limit).
    """
    total = 0
    for nu, limit in enumerate(max_degree, start=1):
        n_channels = [0] * (limit + 1)
        for l, count in enumerate(radial_count):
            for n in range(count):
                if _usable(n, l, nu, limit, radial_weight):
                    n_channels[radial_weight * n + l] += n_elements
        ways = {(0, 0): 1}  # (factors, degree) -> multisets
        for degree, c in enumerate(n_channels):
            longer: dict[tuple[int, int], int] = {}
            for (factors, used), n_ways in ways.items():
                for k in range(nu - factors + 1):
                    if used + k * degree <= limit and (c or k == 0):
                        key = (factors + k, used + k * degree)
                        longer[key] = longer.get(key, 0) + n_ways * (comb(c + k - 1, k) if k else 1)
            ways = longer
        total += sum(n_ways for (factors, _), n_ways in ways.items() if factors == nu)
    return total


def _multisets(
    channels: list[Channel], degrees: list[int], nu: int, limit: int
) -> Iterator[tuple[int, tuple[Channel, ...]]]:
    """Multisets of `nu` channels, in the order of `channels`, of total degree at most `limit`: degree, channels."""

    def extend(
        start: int, room: int, chosen: tuple[Channel, ...]
    ) -> Iterator[tuple[int, tuple[Channel, ...]]]:
        if len(chosen) == nu:
            yield limit - room, chosen
            return
        for k in range(start, len(channels)):
            if degrees[k] <= room:
                yield from extend(k, room - degrees[k], (*chosen, channels[k]))

    return extend(0, limit, ())


def _couple(multiset: tuple[Channel, ...], radial_weight: int) -> list[FeatureTerm]:
    nu = len(multiset)
    ls = tuple(l for *_, l in multiset)
    if nu == 1:
        return [FeatureTerm(multiset, (), 0)]
    if sum(ls) % 2 or 2 * max(ls) > sum(ls):
        return []
    if nu == 2:
        return [FeatureTerm(multiset, ((0,), (1,)), ls[0])]
    equal = tuple(multiset.index(channel) for channel in multiset)
    degrees = [radial_weight * n + l for _, n, l in multiset]
    trees = trees_of(ls, equal, _preferred_pairing(degrees))
    return [FeatureTerm(multiset, _sides(tree), tree[2]) for tree in trees]


def _sides(tree: Tree) -> tuple[tuple[int, ...], ...]:
    left, right, _ = tree
    return (left, right if right[0] != right[1] else right[:1])


def _preferred_pairing(degrees: list[int]) -> int:
    """The pairing whose larger node has the least degree: low nodes are few and shared by many features."""
    if len(degrees) == 3:
        return min(range(3), key=lambda k: (sum(degrees) - degrees[2 - k], k))
    total = sum(degrees)
    return min(
        range(3), key=lambda k: (max(degrees[0] + degrees[k + 1], total - degrees[0] - degrees[k + 1]), k)
    )

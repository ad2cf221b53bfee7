"""Degrees of the bases that are compared, by the number of elements and the radial weight (thalweg.features.basis).

With a radial weight of 2 or 3 a basis has fewer distances and more angles than one of as many features with 1; which
of them the labels ask for is found with small bases (thalweg.fitting.screening). Bases at one place have nearly as
many features whatever the weight, so that it is their shape that is compared.

    elements    features of the small basis    and of the ladder
    1           415 to 423                     448 to 554    859 to 972    1519 to 1615    2239 to 2398    3454 to 4085
    2           400 to 484                     the same      954 to 1004   1501 to 1777    2485 to 2628
    3           358 to 377                     the same      831 to 917    1560 to 1749    1884 to 2395
"""

from __future__ import annotations

from collections.abc import Mapping

Degrees = tuple[int, ...]

SIZES: dict[int, dict[int, tuple[Degrees, ...]]] = {
    1: {
        1: ((12, 10, 8, 8), (14, 11, 11, 8), (14, 11, 11, 10), (16, 14, 12, 11), (18, 16, 14, 12)),
        2: ((24, 16, 12, 10), (28, 18, 14, 12), (32, 20, 18, 13), (32, 22, 18, 14), (36, 26, 22, 15)),
        3: ((36, 18, 15, 12), (42, 21, 18, 14), (48, 24, 21, 16), (54, 27, 24, 17), (54, 30, 27, 18)),
    },
    2: {
        1: ((8, 7, 5), (12, 9, 7), (12, 10, 8), (12, 10, 8, 6)),
        2: ((16, 10, 8), (24, 14, 11), (24, 16, 12), (24, 14, 12, 8)),
        3: ((24, 12, 10), (36, 16, 13), (36, 18, 15), (36, 18, 15, 10)),
    },
    3: {
        1: ((6, 5, 3), (7, 5, 5), (9, 7, 6), (10, 8, 6, 3)),
        2: ((14, 9, 5), (16, 10, 7, 3), (18, 10, 8, 4), (20, 12, 9, 4)),
        3: ((21, 10, 6), (24, 12, 9), (24, 12, 11), (27, 15, 12, 4)),
    },
}
"""Number of elements -> radial weight -> degrees of rising size. For more elements there is the default basis alone."""

_SMALL: dict[int, dict[int, Degrees]] = {
    1: {1: (12, 10, 8, 7), 2: (24, 18, 13, 9), 3: (36, 20, 14, 12)},
}
_MANY: dict[int, Degrees] = {1: (6, 3)}


def small(n_elements: int) -> Mapping[int, Degrees]:
    """Radial weight -> degrees of the basis by which a sample of the labels is looked at."""
    return _SMALL.get(n_elements) or (rung(n_elements, 0) if n_elements in SIZES else _MANY)


def rung(n_elements: int, k: int) -> Mapping[int, Degrees]:
    """Radial weight -> degrees of rung k of the ladder of sizes."""
    return {weight: rungs[k] for weight, rungs in SIZES[n_elements].items()}


def nearest_weight(weight: int, degrees: Mapping[int, Degrees]) -> int:
    """The radial weight, among those that there are degrees for, that is nearest to one."""
    return min(degrees, key=lambda known: (abs(known - weight), known))

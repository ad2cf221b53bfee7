"""Bases that would take hours are told so at once, by a count that is exact."""

import pytest

from thalweg.errors import InputError
from thalweg.features import AceBasis
from thalweg.features.enumerate import _multisets, count_products


@pytest.mark.parametrize("radial_weight", [1, 2, 3])
@pytest.mark.parametrize(
    ("n_elements", "max_degree"),
    [(1, (0,)), (2, (3, 0)), (3, (5, 4, 4)), (2, (5, 2, 7, 3)), (1, (9, 8, 8, 9))],
)
def test_products_are_counted_without_listing_them(n_elements, max_degree, radial_weight):
    basis = AceBasis(
        ("H", "C", "O")[:n_elements],
        4.0,
        correlation_order=len(max_degree),
        max_degree=max_degree,
        radial_weight=radial_weight,
    )
    listed = 0
    for nu, limit in enumerate(max_degree, start=1):
        channels = [
            (z, n, l)
            for z in range(n_elements)
            for l, count in enumerate(basis.radial_count)
            for n in range(count)
            if radial_weight * n + 2 * l <= limit and (nu > 1 or l == 0)
        ]
        degrees = [radial_weight * n + l for _, n, l in channels]
        listed += len(list(_multisets(channels, degrees, nu, limit)))
    assert count_products(n_elements, max_degree, basis.radial_count, radial_weight) == listed
    assert listed >= basis.n_features


@pytest.mark.parametrize(
    ("elements", "options", "words"),
    [
        (("H", "C", "N", "O", "F"), {"max_degree": (16, 16, 16, 16)}, "products, the limit is 2,000,000"),
        (("H",), {"max_degree": (80,), "radial_exponent": 4}, "too high a degree"),
        (("H",), {"max_degree": (10**30,)}, "from 0 to 80"),
        (("H",), {"max_degree": (10**30,), "radial_weight": 10**30}, "from 0 to 80"),
        (("H",), {"max_degree": (4, 4), "radial_exponent": 10**9}, "from 1 to 64"),
        (("H",), {"max_degree": (4, 4), "radial_weight": 9}, "from 1 to 8"),
        (("H",), {"max_degree": (4, 4), "r_cut": 200.0}, "at most 20 Å, got 200.0"),
        (("H",), {"max_degree": (4, 4), "r_cut": 0.5}, "above 0.5"),
        (("H",), {"max_degree": (4, 4), "r_cut": float("nan")}, "above 0.5"),
    ],
)
def test_slips_in_the_size_are_told_at_once(elements, options, words):
    options = {"r_cut": 5.0, "correlation_order": len(options["max_degree"]), **options}
    with pytest.raises(InputError, match=words):
        AceBasis(elements, **options)
    smaller = {"max_degree": (4,) * len(options["max_degree"]), "radial_exponent": 3, "radial_weight": 1}
    assert AceBasis(elements, **{**options, **smaller, "r_cut": 20.0}).r_cut == 20.0

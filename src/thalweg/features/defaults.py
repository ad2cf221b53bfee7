"""The basis that is taken when nothing is said about it.

Cutoff. 5 Å sees the second shell of neighbours in molecules, liquids and most crystals. Crystals of large
atoms get 1.8 times the longest bond, by covalent radii, so that the second shell of close packings (sqrt(2)
nearest distances away) is inside; more than 6.5 Å costs more than it brings.

Degrees. A fit costs the cube of the number of columns, n_elements * p, and p grows with a power of the number
of elements; so each number of elements has degrees that give some 500 to 3000 columns.

    elements   max_degree        p     columns
    1          12, 10, 8, 8      554       554
    2          10, 8, 6          645      1290
    3          7, 5, 5           917      2751
    4          8, 5, 2           500      2000
    5          8, 5              485      2425
    6          8, 4              468      2808
    7 or more  6, 2              231 at 7, 1617
"""

from __future__ import annotations

from collections.abc import Iterable

from thalweg.errors import InputError
from thalweg.features.basis import L_LIMIT, AceBasis
from thalweg.features.enumerate import count_products

MOLECULE_CUTOFF = 5.0
"""Å."""
SHELLS = 1.8
"""Cutoff of a crystal over its longest bond."""
LARGEST_CUTOFF = 6.5
"""Å."""

MOST_COLUMNS = 25_000
"""A matrix of so many columns takes 5 GB, and a fit has several."""
PRODUCTS_EACH = 8
"""Products of channels for each feature, at most: some have no invariant."""

DEGREES = {
    1: (12, 10, 8, 8),
    2: (10, 8, 6),
    3: (7, 5, 5),
    4: (8, 5, 2),
    5: (8, 5),
    6: (8, 4),
}
MANY_ELEMENTS = (6, 2)


def default_basis(
    elements: Iterable[str],
    periodic: bool,
    r_cut: float | None = None,
    correlation_order: int | None = None,
    max_degree: tuple[int, ...] | None = None,
    radial_exponent: int = 3,
    radial_weight: int = 1,
) -> AceBasis:
    """An ACE basis for these elements; what is None is chosen as the module docstring says.

    Parameters
    ----------
    elements : chemical symbols in any order, repeats allowed; the basis has them by atomic number
    periodic : whether any structure is periodic
    r_cut : Å
    correlation_order : 1 to 4; None: the length of max_degree
    max_degree : one number for each order
    radial_exponent, radial_weight : as in AceBasis

    Raises
    ------
    InputError
        An unknown element, an order outside 1 to 4, another number of degrees than orders, or a size whose fit no
        machine has the memory for.
    """
    ordered = ordered_elements(elements)
    degrees = automatic_degrees(len(ordered), correlation_order) if max_degree is None else tuple(max_degree)
    reach = max(degrees[1:], default=0) // 2
    basis = AceBasis(
        ordered,
        automatic_cutoff(ordered, periodic) if r_cut is None else r_cut,
        correlation_order=len(degrees) if correlation_order is None else correlation_order,
        max_degree=degrees,
        l_max=L_LIMIT if reach > L_LIMIT else None,
        radial_exponent=radial_exponent,
        radial_weight=radial_weight,
    )
    _check_columns(basis)
    return basis


def _check_columns(basis: AceBasis) -> None:
    """Refuse a basis whose fit takes more memory than machines have, before any of it is taken.

    Listing the features is quick for what is nearly allowed; what has far more products is not even listed.
    """
    n = len(basis.elements)
    products = count_products(n, basis.max_degree, basis.radial_count, basis.radial_weight)
    columns = n * products if n * products > PRODUCTS_EACH * MOST_COLUMNS else basis.n_columns
    if columns > MOST_COLUMNS:
        raise InputError(
            f"model: max_degree {list(basis.max_degree)} with {n} elements has up to {columns:,} columns, the limit is "
            f"{MOST_COLUMNS:,}: each matrix of a fit would take up to {8e-9 * columns**2:,.0f} GB; lower max_degree, "
            "or let Thalweg choose it" + (", or learn fewer elements in one potential" if n > 6 else "")
        )


def ordered_elements(elements: Iterable[str]) -> tuple[str, ...]:
    """Chemical symbols by atomic number, each once; InputError names what is none."""
    from ase.data import atomic_numbers

    symbols = set(elements)
    unknown = sorted(symbols - set(atomic_numbers))
    if unknown or not symbols:
        raise InputError(f"basis: expected chemical symbols such as C, H, O, got {unknown or 'none'}")
    return tuple(sorted(symbols, key=atomic_numbers.__getitem__))


def automatic_degrees(n_elements: int, correlation_order: int | None = None) -> tuple[int, ...]:
    """Degrees for so many elements, cut to the order, or carried on by two less for each order more."""
    degrees = DEGREES.get(n_elements, MANY_ELEMENTS)
    if correlation_order is None:
        return degrees
    while len(degrees) < correlation_order:
        degrees = (*degrees, max(degrees[-1] - 2, 1))
    return degrees[:correlation_order]


def automatic_cutoff(elements: Iterable[str], periodic: bool) -> float:
    """Cutoff in Å."""
    from ase.data import atomic_numbers, covalent_radii

    if not periodic:
        return MOLECULE_CUTOFF
    bond = 2.0 * max(float(covalent_radii[atomic_numbers[element]]) for element in elements)
    return min(max(MOLECULE_CUTOFF, SHELLS * bond), LARGEST_CUTOFF)

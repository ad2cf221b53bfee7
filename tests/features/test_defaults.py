"""The default basis: what it chooses, and that what is asked for is taken."""

import pytest

from thalweg.errors import InputError
from thalweg.features.defaults import automatic_cutoff, default_basis

ELEMENTS = ("O", "H", "C", "N", "S", "P", "F", "Cl", "Br")


@pytest.mark.parametrize("n", range(1, 9))
def test_a_fit_stays_affordable_and_sees_angles(n):
    basis = default_basis(ELEMENTS[:n], periodic=False)
    assert 500 <= basis.n_columns <= 3000
    assert basis.l_top >= 1
    assert basis.correlation_order >= 2


def test_the_order_of_elements_does_not_matter():
    assert default_basis(["O", "H", "C", "H"], periodic=False) == default_basis("CHO", periodic=False)
    assert default_basis("OHC", periodic=False).elements == ("H", "C", "O")


@pytest.mark.parametrize(
    ("elements", "periodic", "expected"),
    [("K", False, 5.0), (["Si"], True, 5.0), (["Mo"], True, 1.8 * 2 * 1.54), (["Cs"], True, 6.5)],
)
def test_cutoff(elements, periodic, expected):
    assert automatic_cutoff(elements, periodic) == pytest.approx(expected)


def test_what_is_asked_for_is_taken():
    basis = default_basis(["Si"], True, r_cut=4.2, max_degree=(7, 5))
    assert (basis.r_cut, basis.correlation_order, basis.max_degree) == (4.2, 2, (7, 5))
    assert default_basis(["Si"], True, correlation_order=2).max_degree == (12, 10)
    assert default_basis(["C", "H"], False, correlation_order=4).max_degree == (10, 8, 6, 4)
    assert default_basis(["Si"], True, max_degree=(4, 20)).l_top == 8


@pytest.mark.parametrize(
    ("elements", "more"), [([], {}), (["Xx"], {}), (["C"], {"correlation_order": 3, "max_degree": (4, 4)})]
)
def test_what_makes_no_basis_is_refused(elements, more):
    with pytest.raises(InputError):
        default_basis(elements, False, **more)

"""The default basis: what it chooses, and that what is asked for is taken."""

import pytest
from ase.data import chemical_symbols

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


@pytest.mark.parametrize(
    ("elements", "max_degree"),
    [
        (("H", "C", "N", "O"), (20, 14, 10, 8)),
        (("Si",), (80, 80, 30)),
        (("H", "C", "N", "O"), (80, 80, 80, 80)),
        (tuple(chemical_symbols[1:61]), None),
    ],
)
def test_a_basis_that_no_machine_fits_is_refused_before_it_is_listed(elements, max_degree, monkeypatch):
    listed = []
    monkeypatch.setattr("thalweg.features.basis.enumerate_features", lambda *_: listed.append(1) or ())
    with pytest.raises(InputError, match="lower max_degree"):
        default_basis(elements, True, max_degree=max_degree)
    assert not listed
    default_basis(elements[:1], True, max_degree=(4, 4))
    assert listed


def test_the_limit_of_columns_counts_what_is_listed():
    with pytest.raises(
        InputError, match=r"up to 48,048 columns, the limit is 25,000: .* GB; lower max_degree"
    ):
        default_basis(["H", "C"], True, max_degree=(18, 18, 14, 10))

"""Which neighbours of a basis are asked, and which is taken."""

import numpy as np
import pytest
from ase.calculators.morse import MorsePotential
from ase.cluster import Octahedron

from thalweg.features import AceBasis
from thalweg.fitting import dials
from thalweg.fitting.choice import Wanted
from thalweg.fitting.data import make_baseline
from thalweg.fitting.dials import look_round
from thalweg.fitting.left_out_fit import STEP, Hyper, fit_left_out, most_rows, rows_of, step_work, work_of
from thalweg.label import Label
from thalweg.models import RowKind, SmoothnessPrior
from thalweg.structure import Structure

SHORT = AceBasis(("Cu",), 5.0, correlation_order=2, max_degree=(7, 5))
ANYTHING = Wanted()
RANGED = {"epsilon": 0.4, "r0": 2.5, "rho0": 3.0}


def labelled(n, reach):
    """Clusters of six atoms that move a lot, their forces ended smoothly at `reach`, Å."""
    rng, out = np.random.default_rng(5), []
    atoms = Octahedron("Cu", 2)
    atoms.calc = MorsePotential(rcut1=reach - 1.5, rcut2=reach, **RANGED)
    rest = atoms.positions.copy()
    for _ in range(n):
        atoms.positions = rest * rng.uniform(0.95, 1.15) + 0.15 * rng.standard_normal(rest.shape)
        structure = Structure.from_atoms(atoms)
        out.append((structure, Label(float(atoms.get_potential_energy()), atoms.get_forces())))
    return out


def hyper(basis):
    prior = SmoothnessPrior.for_basis(basis)
    return Hyper(prior, prior.centre(1.0))


def look(pairs, present=SHORT, wanted=ANYTHING, allowance=1e12):
    return look_round(pairs, present, hyper(present), make_baseline(pairs, ("Cu",)), wanted, allowance)


@pytest.fixture(scope="module")
def far():
    return labelled(24, 8.0)


def test_labels_that_reach_beyond_the_cutoff_ask_for_a_longer_one(far):
    found = look(far, wanted=Wanted(max_degree=(7, 5)))
    assert found.best.basis.r_cut > 6.5
    assert found.best.basis.max_degree == SHORT.max_degree
    assert found.gain > 0.3
    assert found.present.basis == SHORT
    assert found.best.score == min(one.score for one in (found.present, *found.tried))
    assert found.work == pytest.approx(
        sum(
            work_of(rows_of(far), one.basis, dials.FIRST_STEPS if one is found.present else dials.STEPS)
            for one in (found.present, *found.tried)
        )
    )


def test_from_the_basis_found_little_is_left_to_gain_and_that_is_found_out_cheaply(far):
    first = look(far, wanted=Wanted(max_degree=(7, 5)))
    best, baseline = first.best, make_baseline(far, ("Cu",))
    again = look_round(far, best.basis, best.hyper, baseline, Wanted(max_degree=(7, 5)), 1e12)
    assert again.gain < 0.1
    assert len(again.tried) < len(first.tried)


def test_what_is_fixed_is_not_searched(far):
    found = look(far, wanted=Wanted(r_cut=5.0, max_degree=(7, 5)))
    assert {(one.basis.r_cut, one.basis.max_degree) for one in found.tried} == {(5.0, (7, 5))}
    assert {one.basis.radial_exponent for one in found.tried} <= {1, 2}


def test_it_keeps_to_its_allowance(far):
    everything = look(far, wanted=Wanted(max_degree=(7, 5)))
    some = look(far, wanted=Wanted(max_degree=(7, 5)), allowance=0.6 * everything.work)
    assert 0 < some.work <= 0.6 * everything.work
    assert len(some.tried) < len(everything.tried)
    assert look(far, allowance=1.0) is None


def test_the_same_labels_give_the_same_bits(far):
    one, two = (look(far, wanted=Wanted(max_degree=(7, 5))) for _ in range(2))
    assert one.best.basis == two.best.basis
    assert np.array_equal(one.best.hyper.x, two.best.hyper.x)


def test_the_noise_of_forces_is_what_labels_leave_of_their_forces(far):
    fit = fit_left_out(far, SHORT, make_baseline(far, ("Cu",)), hyper(SHORT), 10)
    forces = fit.hyper.prior.n_prior + 1
    assert np.exp(fit.hyper.x[forces]) == pytest.approx(fit.typical[RowKind.FORCES])


def test_hyperparameters_go_over_to_a_basis_of_another_order():
    three = AceBasis(("Cu",), 5.0, correlation_order=3, max_degree=(6, 5, 4))
    start = Hyper(SmoothnessPrior.for_basis(SHORT), np.arange(7.0))
    x = start.carried(SmoothnessPrior.for_basis(three))
    assert x.tolist() == [0, 1, 1, 2, 3, 4, 5, 6]
    back = Hyper(SmoothnessPrior.for_basis(three), x).carried(SmoothnessPrior.for_basis(SHORT))
    assert back.tolist() == list(range(7))


@pytest.mark.parametrize("n", [50, 500, 3000])
def test_no_step_takes_more_than_its_limit(n):
    most = most_rows(n)
    assert step_work(most, n) <= STEP < step_work(most + max(2, most // 50), n)


def test_of_many_rows_some_are_left_out(far, monkeypatch):
    whole = fit_left_out(far, SHORT, make_baseline(far, ("Cu",)), hyper(SHORT), 6)
    monkeypatch.setattr("thalweg.fitting.left_out_fit.STEP", 2e5)
    thinned = fit_left_out(far, SHORT, make_baseline(far, ("Cu",)), hyper(SHORT), 6)
    assert whole.score < thinned.score < whole.score + 1.5  # fewer numbers teach less

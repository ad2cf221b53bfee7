"""Noise levels by held-out errors: each dial goes where the score is least, and stress pays its price."""

import numpy as np
import pytest

from thalweg.fitting.balance import FIRST, LADDERS, STRESS_PRICE, Balance, balance_noise
from thalweg.models import BayesianLinear, Block, Kind, SmoothnessPrior
from thalweg.models.observation import KINDS

N = 6
PRIOR = SmoothnessPrior(np.ones(N), np.arange(N) % 3, np.zeros(N))
ALL = {Kind.ENERGY, Kind.FORCES, Kind.VIRIAL}


@pytest.fixture
def model():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, N))
    fitted = BayesianLinear(PRIOR, seed=1)
    fitted.fit_batch([(Block(Kind.FORCES, rows, rows @ rng.normal(size=N) + rng.normal(0, 0.1, 40)),)])
    return fitted


def dials(x, model):
    """Energy and virial over forces, and forces over what they were: logs to base 2."""
    energy, forces, virial = (x[PRIOR.n_prior + KINDS.index(kind)] for kind in KINDS)
    first = model.fitted.x[PRIOR.n_prior + KINDS.index(Kind.FORCES)]
    return np.array([energy - forces, virial - forces, forces - first]) / np.log(2.0)


def bowl(model, energy, level, slope=0.0):
    """A score with its least value at these dials, that grows by slope with each factor of two of stress weight."""
    x = model.fitted.x.copy()

    def score(trial):
        at = dials(trial, model)
        forces = trial[PRIOR.n_prior + 1] - x[PRIOR.n_prior + 1]
        stress = np.log2(LADDERS["virial"][0]) - at[1]
        return (at[0] - np.log2(energy)) ** 2 + (forces / np.log(2) - np.log2(level)) ** 2 + slope * stress

    return score


@pytest.mark.parametrize(("energy", "level"), [(0.25, 1.0), (0.015625, 4.0), (0.0078125, 0.25)])
def test_energy_and_level_go_downhill(model, energy, level):
    before = model.noise[Kind.FORCES]
    found = balance_noise(model, ALL, bowl(model, energy, level))
    assert (found.energy, found.level) == (energy, level)
    assert model.noise[Kind.FORCES] == pytest.approx(level * before)
    assert model.noise[Kind.ENERGY] == pytest.approx(energy * level * before)


@pytest.mark.parametrize("slope", [0.0, 0.3 * STRESS_PRICE, 5 * STRESS_PRICE])
def test_stress_gets_the_weight_that_its_price_allows(model, slope):
    found = balance_noise(model, ALL, bowl(model, 0.0625, 1.0, slope))
    weakest, strongest = LADDERS["virial"][0], LADDERS["virial"][-1]
    if slope == 0.0:
        assert found.virial == strongest
    else:
        paid = slope * np.log2(weakest / found.virial)
        assert paid <= STRESS_PRICE < paid + 2 * slope
        assert (found.virial == weakest) == (slope > STRESS_PRICE)


def test_the_search_begins_where_another_basis_ended(model):
    asked = []
    score = bowl(model, 0.25, 2.0)

    def counted(x):
        asked.append(x)
        return score(x)

    near = Balance(energy=0.25, virial=1.0, level=2.0)
    assert balance_noise(model, {Kind.ENERGY, Kind.FORCES}, counted, near).energy == 0.25
    assert any(np.isclose(dials(x, model)[0], -2.0) for x in asked[:2])
    assert len(asked) == 5
    assert FIRST["energy"] != 0.25


def test_kinds_that_are_not_there_keep_their_noise(model):
    before = model.fitted.x.copy()
    balance_noise(model, {Kind.FORCES}, bowl(model, 1.0, 2.0))
    for kind in (Kind.ENERGY, Kind.VIRIAL):
        place = PRIOR.n_prior + KINDS.index(kind)
        assert model.fitted.x[place] == before[place]
    balance_noise(model, {Kind.ENERGY}, lambda _: 0.0)
    assert model.fitted.x[PRIOR.n_prior] == before[PRIOR.n_prior]

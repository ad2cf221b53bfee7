"""The unit and the limit of novelty, as environments measure them that a distance has not seen."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_novelty import environments

from thalweg.errors import InputError
from thalweg.models.environments import TOO_FEW_NEIGHBOURS
from thalweg.uncertainty import NoveltyFit
from thalweg.uncertainty.moments import MAX_SAMPLE, Moments
from thalweg.uncertainty.reach import (
    ENOUGH_AUDITS,
    FIRST_LIMIT,
    LIMIT_QUANTILE,
    WINDOW,
    NoveltyRecord,
    model_of_folds,
)

P = 12


def structures(n: int, seed: int = 0) -> np.ndarray:
    """Six atoms each that are alike, as those of one structure are; shape (n, 6, P)."""
    shared = environments(n, P, seed=seed)
    own = np.random.default_rng(seed + 1).standard_normal((n, 6, P))
    return shared[:, None, :] + 0.05 * own * environments(500, P).std(axis=0)


def fitted(phi: np.ndarray, species: int = 0) -> NoveltyFit:
    fit = NoveltyFit(2, P)
    for one in phi:
        fit.add(one, np.full(len(one), species), np.full(len(one), 9))
    return fit


def test_folds_know_that_atoms_of_a_structure_are_alike() -> None:
    phi, zeros = structures(40), np.zeros(6, dtype=int)
    folds = [fitted(phi[k::5]) for k in range(5)]
    model = model_of_folds(folds, lambda k: ((one, zeros) for one in phi[k::5]))
    fresh = structures(2000, seed=7)
    by_folds = np.quantile(model(fresh.reshape(-1, P), np.zeros(12000, dtype=int)), 0.99)
    by_atoms = np.quantile(fitted(phi).model()(fresh.reshape(-1, P), np.zeros(12000, dtype=int)), 0.99)
    assert 0.8 < by_folds < 1.25
    assert by_atoms > 1.15 * by_folds  # each atom's fellows stay when it is left out


def test_one_fold_or_an_element_in_one_fold_keeps_its_own_unit() -> None:
    phi = structures(10)
    alone = model_of_folds([fitted(phi)], lambda _: ())
    np.testing.assert_array_equal(alone.inv_rest, fitted(phi).model().inv_rest)
    folds = [fitted(phi[:5]), fitted(phi[5:])]
    folds[0].add(phi[0] + 1.0, np.ones(6, dtype=int))
    model = model_of_folds(folds, lambda k: [(phi[5 * k], np.zeros(6, dtype=int))])
    own = NoveltyFit.merged(folds).model()
    assert model.inv_rest[1] == pytest.approx(own.inv_rest[1], rel=1e-9)
    assert model.inv_rest[0] != pytest.approx(own.inv_rest[0], rel=1e-3)


@pytest.mark.parametrize("sizes", [(30, 50, 20), (1500, 1, 1200)])
def test_merged_moments_are_those_of_all_rows(sizes: tuple[int, ...]) -> None:
    phi = environments(sum(sizes), P)
    whole, parts, at = Moments(P), [Moments(P)], 0
    whole.add(phi, 3)
    for k, n in enumerate(sizes):
        parts.append(Moments(P))
        parts[-1].add(phi[at : at + n], 3 + k)
        at += n
    merged = Moments.merged(parts)
    assert (merged.n, merged.fewest_neighbours) == (len(phi), 3)
    np.testing.assert_allclose(merged.mean(), phi.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(merged.covariance(), np.cov(phi.T, bias=True), rtol=1e-8, atol=1e-10)
    assert 0.4 * min(len(phi), MAX_SAMPLE) < len(merged.sample) <= MAX_SAMPLE


def test_an_atom_needs_nine_tenths_of_the_fewest_neighbours() -> None:
    fit = NoveltyFit(3, P)
    phi = environments(4, P)
    fit.add(phi, np.array([0, 0, 1, 1]), np.array([5, 8, 46, 40]))
    fewest = fit.model().fewest_neighbours
    assert fewest[:2].tolist() == [5, 36]  # 4 of 5 are too few, 36 of 40 are not
    assert fewest[2] > 10**9  # no count is known
    lonely = NoveltyFit(1, P)
    lonely.add(0 * phi[:1], np.array([0]), np.array([0]))  # an isolated atom is labelled
    model = lonely.model()
    assert model(0 * phi[:1], np.array([0]), np.array([0]))[0] < 1.0
    few = fit.model()(phi, np.array([0, 0, 1, 1]), np.array([4, 5, 35, 36]))
    assert (few == TOO_FEW_NEIGHBOURS).tolist() == [True, False, True, False]


def record_of(n: int, size: float = 1.0) -> NoveltyRecord:
    record, rng = NoveltyRecord(), np.random.default_rng(3)
    for _ in range(n):
        record = record.after(size * rng.random(9))
    return record


def test_the_limit_is_learned_from_audits_and_never_below_one() -> None:
    early, small, large = record_of(ENOUGH_AUDITS - 1, 9.0), record_of(30, 0.5), record_of(30, 3.0)
    assert (early.limit, early.reach) == (FIRST_LIMIT, 1.0)
    assert (small.limit, small.reach) == (1.0, 1.0)
    values = np.concatenate(large.audits)
    assert large.limit == np.quantile(values, LIMIT_QUANTILE) > large.reach == np.quantile(values, 0.99) > 2.5


def test_old_audits_are_let_go_and_lost_neighbours_are_no_distance() -> None:
    record = record_of(30, 40.0)
    for _ in range(WINDOW):
        record = record.after(np.array([0.3, TOO_FEW_NEIGHBOURS]))
    assert len(record.audits) == WINDOW
    assert record.limit == 1.0


def test_a_record_survives_json_to_the_bit() -> None:
    record = record_of(25, 2.0)
    again = NoveltyRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record
    assert NoveltyRecord.from_json(()) == NoveltyRecord()
    with pytest.raises(InputError, match="at most 60 audits"):
        NoveltyRecord.from_json([[1.0]] * 61)

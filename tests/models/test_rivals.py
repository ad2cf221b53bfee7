"""Rivals against their definition: posterior means of changed assumptions, and conditioning on labels as draws do."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.models import BayesianLinear, SmoothnessPrior
from thalweg.models.dual import KeptRows
from thalweg.models.evidence import Hyperparameters, unpack
from thalweg.models.gram import key_of, variance_of
from thalweg.models.observation import KINDS, Block, Observation, RowKind
from thalweg.models.rivals import BELIEVED, N_RIVALS, pulls_after, rival_deltas, rival_pulls
from thalweg.structure import FloatArray

PRIOR = SmoothnessPrior(
    np.array([1, 1, 1, 2, 2, 2, 2, 3, 3, 3]), np.arange(10) % 4, np.arange(10) % 3, n_elements=2
)
N = PRIOR.n_columns


def label(seed: int, n_forces: int = 4) -> Observation:
    """Energies do not go with the forces, as those of a basis that is too small do not."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(99).standard_normal(N)
    forces, energies = rng.standard_normal((n_forces, N)), rng.standard_normal((1, N))
    return (
        Block(RowKind.ENERGY, energies, energies @ truth + 0.5 * rng.standard_normal(1), 0.0),
        Block(RowKind.FORCES, forces, forces @ truth + 0.05 * rng.standard_normal(n_forces), 0.0),
    )


def model_of(n_labels: int) -> BayesianLinear:
    model = BayesianLinear(PRIOR, n_members=200, seed=3)
    model.fit_batch([label(k) for k in range(n_labels)])
    return model


def posterior(
    model: BayesianLinear, observations: list[Observation], hyper: Hyperparameters, kinds: tuple[RowKind, ...]
) -> tuple[FloatArray, FloatArray]:
    """Precision and mean in scaled features, row by row."""
    A, b = np.diag(1.0 / hyper.gamma), np.zeros(N)
    for block in (block for observation in observations for block in observation if block.kind in kinds):
        rows, v = block.rows / model.fitted.scale, variance_of(key_of(block), hyper.noise)
        A += rows.T @ rows / v
        b += rows.T @ block.targets / v
    return A, np.linalg.solve(A, b)


def force_rows(model: BayesianLinear, observations: list[Observation]) -> FloatArray:
    return np.concatenate([observation[1].rows for observation in observations]) / model.fitted.scale


def test_rivals_are_means_of_changed_assumptions_in_the_draws_unit() -> None:
    observations = [label(k) for k in range(9)]
    model = model_of(9)
    deltas = rival_deltas(model) * model.fitted.scale
    assert deltas.shape == (N_RIVALS, N)
    hyper = unpack(PRIOR, model.fitted.x)
    _, mean = posterior(model, observations, hyper, KINDS)
    degree = PRIOR.n_sum + PRIOR.l_sum
    rough = np.zeros(10, dtype=bool)
    for order in (1, 2, 3):
        own = PRIOR.nu == order
        rough |= own & (degree > np.median(degree[own]))
    assert 2 < rough.sum() < 8

    def without(columns: np.ndarray) -> Hyperparameters:
        return Hyperparameters(hyper.gamma * np.where(np.tile(columns, 2), 1e-8, 1.0), hyper.noise)

    first = Hyperparameters(hyper.gamma, hyper.noise | {RowKind.ENERGY: 0.1 * hyper.noise[RowKind.ENERGY]})
    assumed = (hyper, first, without(PRIOR.nu == 3), without(rough))
    wanted = [
        posterior(model, observations, one, kinds)[1] - mean
        for one, kinds in zip(assumed, BELIEVED, strict=True)
    ]
    for delta, expected in zip(deltas, wanted, strict=True):
        assert np.corrcoef(delta, expected)[0, 1] == pytest.approx(1.0, abs=1e-8)
    # At the labels each disagrees as much as the draws do; 200 of them are close to the exact trace.
    rows = force_rows(model, observations)
    A, _ = posterior(model, observations, hyper, KINDS)
    exact = np.trace(rows @ np.linalg.solve(A, rows.T))
    sizes = ((rows @ deltas.T) ** 2).sum(axis=0)
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-6)
    assert sizes[0] == pytest.approx(exact, rel=0.2)
    assert np.linalg.matrix_rank(deltas / np.linalg.norm(deltas, axis=1)[:, None], tol=1e-3) == N_RIVALS


def test_rivals_of_two_labels_are_no_larger_than_the_prior_allows() -> None:
    model = model_of(2)
    assert not model.kept.overflown
    gamma, scale = unpack(PRIOR, model.fitted.x).gamma, model.fitted.scale

    def length(deltas: FloatArray) -> FloatArray:
        return np.asarray(((deltas * scale) ** 2 / gamma).sum(axis=1))

    drawn, rivals = length(model.member_deltas()).mean(), length(rival_deltas(model))
    assert (rivals < 4.001 * drawn).all()
    assert rivals.max() > 3.99 * drawn  # on the labels it agrees, and would be far larger in their unit
    assert rivals[1] == 0.0  # energies are met exactly, whether first or not


def test_rivals_learn_as_draws_do() -> None:
    """Between tunings: what a new label decides is taken from a rival, by the rows that it believes."""
    model, new = model_of(6), label(50)
    hyper, scale = unpack(PRIOR, model.fitted.x), model.fitted.scale
    pulls, before = rival_pulls(model), rival_deltas(model) * model.fitted.scale
    np.testing.assert_allclose(rival_deltas(model, pulls) * scale, before, rtol=1e-6, atol=1e-9)
    pulls = pulls_after(model, pulls, rival_deltas(model, pulls), new)
    model.update(new)
    after = rival_deltas(model, pulls) * scale
    A, _ = posterior(model, [*(label(k) for k in range(6)), new], hyper, KINDS)
    for delta, learned, believed in zip(before, after, BELIEVED, strict=True):
        expected = delta.copy()
        for block in new:
            if block.kind in believed:
                rows, v = block.rows / scale, variance_of(key_of(block), hyper.noise)
                expected -= np.linalg.solve(A, rows.T @ (rows @ delta)) / v
        np.testing.assert_allclose(learned, expected, rtol=1e-7, atol=1e-9 * np.abs(delta).max())
        forces = new[1].rows / scale
        assert np.linalg.norm(forces @ learned) < 0.9 * np.linalg.norm(forces @ delta)


def test_the_same_bits_every_time_and_no_rival_without_a_difference() -> None:
    assert rival_deltas(model_of(5)).tobytes() == rival_deltas(model_of(5)).tobytes()
    alone = BayesianLinear(PRIOR, n_members=8, seed=3)
    alone.fit_batch([(label(k)[1],) for k in range(5)])
    deltas = rival_deltas(alone)
    assert (deltas[:2] == 0.0).all()  # there are forces only
    assert (np.abs(deltas[2:]).max(axis=1) > 1e-6).all()
    pairs = SmoothnessPrior(np.ones(4, dtype=int), np.arange(4), np.zeros(4, dtype=int))
    one_order = BayesianLinear(pairs, n_members=8, seed=3)
    one_order.fit_batch([tuple(Block(b.kind, b.rows[:, :4], b.targets, 0.0) for b in label(0))])
    deltas = rival_deltas(one_order)
    assert (deltas[2] == 0.0).all()
    assert np.abs(deltas[3]).max() > 1e-6  # n = 2 and 3 are rougher than the median


def test_the_mean_by_rows_is_the_mean_by_sums() -> None:
    model = model_of(2)
    hyper = unpack(PRIOR, model.fitted.x)
    for kinds in (KINDS, (RowKind.FORCES,), (RowKind.VIRIAL,)):
        _, expected = posterior(model, [label(0), label(1)], hyper, kinds)
        np.testing.assert_allclose(model.kept.mean(hyper, kinds), expected, rtol=1e-7, atol=1e-10)
    assert np.abs(expected).max() == 0.0 < np.abs(model.kept.mean(hyper)).max()
    assert KeptRows(N, overflown=True).mean(hyper) is None

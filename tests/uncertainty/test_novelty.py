"""Novelty against NumPy's own Mahalanobis distance and against brute-force leave-one-out."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.errors import InputError, ModelError
from thalweg.uncertainty import NoveltyFit, NoveltyModel
from thalweg.uncertainty.novelty import QUANTILE, oas_shrinkage


def environments(n: int, p: int, seed: int = 0) -> np.ndarray:
    """Correlated features of very different size, with a mean."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((p, p)) * np.exp(-0.3 * np.arange(p))[:, None]
    size = np.exp(np.random.default_rng(98).normal(0.0, 0.3, p))
    return (rng.standard_normal((n, p)) @ mix + 2.0) * size


def fitted(phi: np.ndarray, n_directions: int = 32) -> NoveltyModel:
    fit = NoveltyFit(1, phi.shape[1], n_directions=n_directions)
    fit.add(phi, np.zeros(len(phi), dtype=np.int32))
    return fit.model()


def novelty(model: NoveltyModel, phi: np.ndarray) -> np.ndarray:
    return model(phi, np.zeros(len(phi), dtype=np.int32))


def test_all_directions_kept_is_the_shrunk_mahalanobis_distance() -> None:
    phi, other = environments(60, 8), environments(10, 8, seed=1)
    model = fitted(phi)
    y, z = ((x - phi.mean(axis=0)) * model.scale[0] for x in (phi, other))
    S = np.cov(y.T, bias=True)
    rho, tau = oas_shrinkage(S, len(phi))
    assert 0 < rho < 1
    inverse = np.linalg.inv((1 - rho) * S + rho * tau * np.eye(8))
    d = np.sqrt(np.einsum("ni,ij,nj->n", z, inverse, z))
    measured = novelty(model, other)
    np.testing.assert_allclose(measured / measured[0], d / d[0], rtol=1e-8)


def test_unit_is_the_left_out_quantile_of_the_training_set() -> None:
    phi = environments(300, 8)
    model = fitted(phi)
    # Brute force: mean and covariance of the others, shrunk as much, in the same scaled features.
    y = (phi - phi.mean(axis=0)) * model.scale[0]
    S = np.cov(y.T, bias=True)
    rho, tau = oas_shrinkage(S, len(phi))
    out = []
    for i in range(len(phi)):
        others = np.delete(y, i, axis=0)
        spread = np.cov(others.T, bias=True)
        without = (1 - rho) * spread + rho * tau * np.eye(8) * len(phi) / len(others)
        out.append(
            np.sqrt((y[i] - others.mean(axis=0)) @ np.linalg.solve(without, y[i] - others.mean(axis=0)))
        )
    full = (1 - rho) * S + rho * tau * np.eye(8)
    probe = environments(1, 8, seed=5)
    z = (probe[0] - phi.mean(axis=0)) * model.scale[0]
    expected = np.sqrt(z @ np.linalg.solve(full, z)) / np.sqrt(np.quantile(np.square(out), QUANTILE))
    assert novelty(model, probe)[0] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "most"), [(30, 1.9), (100, 1.3), (500, 1.3), (1000, 1.3)])
def test_the_reach_is_that_of_fresh_environments_of_heavy_tails(n: int, most: float) -> None:
    p, found = 400, []
    size = np.arange(1, p + 1) ** -0.5
    for seed in range(3):
        rng = np.random.default_rng(seed)
        known, fresh = (size * rng.standard_normal((k, p)) * rng.gamma(2.0, 0.5, (k, 1)) for k in (n, 2000))
        found.append(np.quantile(novelty(fitted(known), fresh), QUANTILE))
    # 0.33, 0.18 and 0.18 for the last three where the tail is left out as if it were one direction
    assert 0.95 < np.mean(found) < most


@pytest.mark.parametrize("n", [60, 2000], ids=["fewer samples than twice the features", "many"])
def test_ordinary_environments_are_below_one_and_far_ones_above(n: int) -> None:
    p = 40
    model = fitted(environments(n, p))
    fresh = environments(1000, p, seed=7)
    assert 0.95 < np.mean(novelty(model, fresh) < 1.2) <= 1.0
    assert novelty(model, fresh).mean() > 0.3
    rng = np.random.default_rng(1)
    spread = fresh.std(axis=0)
    assert (novelty(model, fresh + 6.0 * spread * rng.choice([-1.0, 1.0], fresh.shape)) > 2.0).mean() > 0.99


def test_the_rest_of_space_is_seen_without_its_own_directions() -> None:
    phi = environments(500, 40)
    few, all_directions = fitted(phi, 5), fitted(phi, 40)
    assert few.components.shape == (1, 5, 40)
    weak = np.linalg.eigh(np.cov(phi.T))[1][:, 0]
    step = phi.mean(axis=0) + 20 * phi.std() * weak
    assert novelty(few, step[None])[0] > 3
    assert novelty(all_directions, step[None])[0] > 3


def test_label_by_label_equals_all_at_once_and_repeats_to_the_bit() -> None:
    phi = environments(90, 12)
    species = np.arange(90) % 2

    def run(chunk: int) -> NoveltyModel:
        fit = NoveltyFit(2, 12)
        for start in range(0, 90, chunk):
            fit.add(phi[start : start + chunk], species[start : start + chunk])
        return fit.model()

    np.testing.assert_allclose(run(9)(phi, species), run(90)(phi, species), rtol=1e-7)
    assert run(9)(phi, species).tobytes() == run(9)(phi, species).tobytes()
    assert not np.allclose(run(9)(phi, 1 - species), run(9)(phi, species))


def test_unseen_elements_and_lonely_environments() -> None:
    fit = NoveltyFit(3, 6)
    phi = environments(1, 6)
    fit.add(phi, np.array([1]))
    fit.add(phi, np.array([1]))
    model = fit.model()
    known, far, unseen = model(np.concatenate([phi, 2 * phi, phi]), np.array([1, 1, 0]))
    assert known == pytest.approx(0.0, abs=1e-6)
    assert far > 5
    assert unseen > 1e5


def test_never_active_features_and_long_streams() -> None:
    phi = environments(5000, 6)
    phi[:, 3] = 0.0
    model = fitted(phi)
    assert np.isfinite(novelty(model, phi)).all()
    woken = phi[:1].copy()
    woken[0, 3] = phi.std()
    assert novelty(model, woken)[0] > 3 > novelty(model, phi[:1])[0]


def test_errors() -> None:
    fit = NoveltyFit(1, 6)
    with pytest.raises(ModelError, match="before any"):
        fit.model()
    with pytest.raises(InputError, match="phi must have shape"):
        fit.add(np.zeros((2, 5)), np.zeros(2, dtype=int))
    with pytest.raises(InputError, match="inv_rest"):
        NoveltyModel(np.zeros((1, 2)), np.ones((1, 2)), np.zeros((1, 1, 2)), np.zeros((1, 1)), np.zeros(2))

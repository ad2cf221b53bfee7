"""The Bayesian linear model against closed forms computed the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from linear_problem import N_ATOMS, Problem
from scipy.stats import multivariate_normal

from thalweg.errors import InputError, ModelError
from thalweg.models import BayesianLinear, Block, Observation, RowKind
from thalweg.models.evidence import log_evidence, unpack
from thalweg.models.observation import noise_class


def stacked(
    model: BayesianLinear, labels: list[Observation]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scaled Phi, targets, noise variance per row and prior variance per column."""
    hyper = unpack(model.prior, model.fitted.x)
    blocks = [block for label in labels for block in label]
    Phi = np.concatenate([b.rows for b in blocks]) / model.fitted.scale
    y = np.concatenate([b.targets for b in blocks])
    v = np.concatenate(
        [np.full(len(b.targets), hyper.noise[b.kind] ** 2 + noise_class(b.label_noise) ** 2) for b in blocks]
    )
    return Phi, y, v, hyper.gamma


@pytest.mark.parametrize("count", [1, 3, 12], ids=["fewer rows than columns", "about as many", "many more"])
def test_posterior_equals_the_gaussian_process_formulas(count: int) -> None:
    problem = Problem()
    labels = problem.labels(count, virial=True)
    model = BayesianLinear(problem.prior)
    for label in labels:
        model.update(label)
    Phi, y, v, gamma = stacked(model, labels)
    # Function-space view: K = Phi Gamma Phi^T + Lambda, no precision matrix anywhere.
    K = Phi * gamma @ Phi.T + np.diag(v)
    mean = gamma * (Phi.T @ np.linalg.solve(K, y))
    np.testing.assert_allclose(model.mean * model.fitted.scale, mean, rtol=1e-7, atol=1e-9)
    rows = problem.label()[1].rows
    r = rows / model.fitted.scale
    expected = r * gamma @ r.T - r * gamma @ Phi.T @ np.linalg.solve(K, Phi * gamma @ r.T)
    np.testing.assert_allclose(model.covariance(rows), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.variance(rows), np.diag(expected), rtol=1e-6, atol=1e-9)
    evidence = multivariate_normal(np.zeros(len(y)), K).logpdf(y)
    assert model.log_marginal_likelihood == pytest.approx(evidence, abs=1e-6)


def test_label_by_label_equals_all_at_once() -> None:
    problem = Problem()
    labels = problem.labels(40, virial=True)
    one_by_one, batch = BayesianLinear(problem.prior), BayesianLinear(problem.prior)
    batch.fit_batch(labels[:1])
    batch.fit_batch(labels[1:])
    for label in labels:
        one_by_one.update(label)
    np.testing.assert_allclose(one_by_one.mean, batch.mean, rtol=1e-8)
    # The factor is unique (positive diagonal), so the drawn members agree too, and so do they after tuning.
    np.testing.assert_allclose(one_by_one.member_deltas(), batch.member_deltas(), rtol=1e-6, atol=1e-10)
    for model in (one_by_one, batch):
        model.tune(30)
    np.testing.assert_allclose(one_by_one.members(), batch.members(), rtol=1e-5, atol=1e-9)


def test_update_after_tune_continues_the_tuned_posterior() -> None:
    problem = Problem()
    labels = problem.labels(8)
    model = BayesianLinear(problem.prior)
    model.fit_batch(labels[:5])
    model.tune()
    for label in labels[5:]:
        model.update(label)
    Phi, y, v, gamma = stacked(model, labels)
    expected = np.linalg.solve((Phi.T / v) @ Phi + np.diag(1 / gamma), (Phi.T / v) @ y)
    np.testing.assert_allclose(model.mean * model.fitted.scale, expected, rtol=1e-7, atol=1e-9)


def test_members_have_the_posterior_covariance_and_move_smoothly() -> None:
    problem = Problem(p=6)
    model = BayesianLinear(problem.prior, n_members=20_000, seed=3)
    for label in problem.labels(4):
        model.update(label)
    rows = problem.label()[1].rows[:4]
    sampled = np.cov(rows @ model.member_deltas().T)
    np.testing.assert_allclose(sampled, model.covariance(rows), atol=0.04 * np.abs(sampled).max())
    before = model.member_deltas() @ rows[0]
    repeat = problem.label(noise=1.0, label_noise=10.0)
    model.update(repeat)
    after = model.member_deltas() @ rows[0]
    assert np.corrcoef(before, after)[0, 1] > 0.95
    other = BayesianLinear(problem.prior, n_members=20_000, seed=4)
    other.update(repeat)
    assert abs(np.corrcoef(after, other.member_deltas() @ rows[0])[0, 1]) < 0.1


def test_evidence_gradient_agrees_with_finite_differences() -> None:
    problem = Problem()
    model = BayesianLinear(problem.prior)
    labels = problem.labels(4, virial=True)
    for index, label in enumerate(labels):
        model.update(tuple(Block(b.kind, b.rows, b.targets, [0.0, 0.1, 0.02, 0.0][index]) for b in label))
    x = model.fitted.x + np.linspace(-0.3, 0.4, len(model.fitted.x))
    _, gradient = log_evidence(problem.prior, model.grams, x)
    h = 1e-5
    for k in range(len(x)):
        step = h * np.eye(len(x))[k]
        up, down = (log_evidence(problem.prior, model.grams, x + s * step)[0] for s in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-5)
    assert (np.abs(gradient) > 1e-3).all()


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_known_noise_is_recovered(noise: float) -> None:
    problem = Problem()
    model = BayesianLinear(problem.prior)
    model.fit_batch(problem.labels(40, noise=noise))
    before = model.log_marginal_likelihood
    model.tune(60)
    assert model.log_marginal_likelihood > before
    assert model.noise[RowKind.FORCES] == pytest.approx(noise, rel=0.06)


def test_noisy_labels_weigh_less_when_they_say_so() -> None:
    def error(declared: float) -> float:
        problem = Problem(seed=5)
        model = BayesianLinear(problem.prior)
        for _ in range(6):
            model.update(problem.label())
            bad = problem.label(label_noise=3.0)
            model.update(tuple(Block(b.kind, b.rows, b.targets, declared) for b in bad))
        rows = problem.label()[1].rows
        return float(np.sqrt(np.mean((rows @ (model.mean - problem.truth)) ** 2)))

    assert error(declared=3.0) < 0.2 * error(declared=0.0)


def test_declared_label_noise_is_not_taken_for_model_noise() -> None:
    problem = Problem()
    model = BayesianLinear(problem.prior)
    model.fit_batch(
        [problem.label(noise=0.02, label_noise=0.2) for _ in range(30)] + problem.labels(30, noise=0.02)
    )
    model.tune(60)
    assert model.noise[RowKind.FORCES] == pytest.approx(0.02, rel=0.15)


def test_same_calls_give_the_same_bits() -> None:
    def run() -> np.ndarray:
        problem = Problem(seed=2)
        model = BayesianLinear(problem.prior)
        for label in problem.labels(7, virial=True):
            model.update(label)
            if model.should_tune():
                model.tune(8)
        return model.members()

    assert run().tobytes() == run().tobytes()


def test_hyperparameters_found_before_give_the_same_bits() -> None:
    def model_of(labels: list[Observation]) -> BayesianLinear:
        model = BayesianLinear(Problem(seed=2).prior)
        for label in labels:
            model.update(label)
        return model

    labels = Problem(seed=2).labels(6)
    tuned, replayed = model_of(labels), model_of(labels)
    assert not np.array_equal(tuned.mean, (tuned.tune(8), tuned.mean)[1])
    replayed.set_hyperparameters(tuned.fitted.x)
    assert replayed.members().tobytes() == tuned.members().tobytes()
    assert not replayed.should_tune()
    with pytest.raises(InputError, match="hyperparameters expected"):
        replayed.set_hyperparameters(np.zeros(3))


def test_update_touches_no_old_row() -> None:
    problem = Problem()
    model = BayesianLinear(problem.prior)
    labels = problem.labels(10)
    arrays = [block.rows for label in labels for block in label]
    for label in labels:
        model.update(label)
    expected = model.mean.copy()
    state_size = model.fitted.factor.augmented.size
    for rows in arrays:  # spoil every old row: neither updating nor tuning may look at it again
        rows[:] = np.nan
    np.testing.assert_array_equal(model.mean, expected)
    model.update(problem.label())
    model.tune(4)
    assert np.isfinite(model.mean).all()
    assert model.fitted.factor.augmented.size == state_size
    assert len(model.grams.items()) == 2


def test_tuning_grows_rarer() -> None:
    problem = Problem(p=3)
    model = BayesianLinear(problem.prior)
    tuned = []
    for label in problem.labels(60):
        model.update(label)
        if model.should_tune():
            model.tune(2)
            tuned.append(model.n_labels)
    assert tuned[:4] == [1, 2, 4, 7]
    assert len([n for n in tuned if n > 30]) <= 2


def test_dead_duplicate_and_constant_columns_do_no_harm() -> None:
    problem = Problem()

    def spoiled(label: Observation) -> Observation:
        blocks = []
        for block in label:
            rows = block.rows.copy()
            rows[:, 3] = 0.0
            rows[:, 7] = rows[:, 6]
            rows[:, 9] = 1.0
            blocks.append(Block(block.kind, rows, block.targets, block.label_noise))
        return tuple(blocks)

    model = BayesianLinear(problem.prior)
    for label in problem.labels(12):
        model.update(spoiled(label))
        model.tune(6)
    assert np.isfinite(model.members()).all()
    assert model.mean[3] == 0.0
    dead, alive = np.eye(problem.prior.n_columns)[[3, 4]] * model.fitted.scale[:, None].T
    deviation = model.variance(np.array([dead, alive]))
    assert deviation[0] > 10 * deviation[1]


def test_noise_free_labels_are_survived() -> None:
    problem = Problem()
    model = BayesianLinear(problem.prior)
    labels = problem.labels(15, noise=0.0)
    model.fit_batch(labels)
    model.tune(40)
    model.update(labels[0])
    np.testing.assert_allclose(labels[0][1].rows @ model.mean, labels[0][1].targets, atol=2e-3)
    assert model.noise[RowKind.FORCES] < 5e-3


def test_errors_say_what_is_wrong() -> None:
    problem = Problem()
    model = BayesianLinear(problem.prior)
    with pytest.raises(ModelError, match="before any label"):
        model.mean  # noqa: B018
    narrow = Block(RowKind.FORCES, np.ones((3 * N_ATOMS, 4)), np.ones(3 * N_ATOMS))
    with pytest.raises(InputError, match="another basis"):
        model.update((narrow,))
    with pytest.raises(InputError, match="NaN"):
        Block(RowKind.ENERGY, np.full((1, 4), np.nan), np.zeros(1))
    with pytest.raises(InputError, match="one target each"):
        Block(RowKind.ENERGY, np.ones((2, 4)), np.zeros(1))
    assert model.n_labels == 0


@pytest.mark.parametrize("noise", [2e-5, 0.013, 0.77, 5.0])
def test_noise_classes_stay_within_ten_percent(noise: float) -> None:
    assert noise_class(noise) == pytest.approx(noise, rel=0.101)
    assert noise_class(noise_class(noise)) == noise_class(noise)
    assert noise_class(1e-7) == 0.0

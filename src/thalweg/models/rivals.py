"""Rivals: posterior means under other assumptions than the model's, as members of its committee.

Posterior draws share one prior and one weighting of the labels, and agree wherever these decide. A rival changes one of
these assumptions and can disagree there. All of them come from the sums over the labels that the model holds anyway
(`thalweg.models.gram`), at one factorisation each:

    forces     energies and virials left out
    flat       log gamma replaced by its mean over the features of each order: no smoothness believed in
    drawn      hyperparameters x + N(0, w²), w = 3 for amplitudes, 0.7 for decays and log noises

Notation
    w, w_s   posterior mean of the model and of rival s, in scaled features
    delta_s  w_s - w
    d_m      posterior draws less the mean, m = 1..M
    G_F      sum of force rows^T rows over all labels

How far a rival lies from the mean depends on how far its assumption was moved, which is arbitrary. Hence each is scaled
to disagree on the labels' own forces as much as the draws do:

    delta_s <- delta_s sqrt( mean_m d_m^T G_F d_m / delta_s^T G_F delta_s )

What it says elsewhere is then in units of what the labels leave open.

Rivals learn as draws do. A label that comes adds its rows to the posterior precision A, and takes from delta what these
rows decide. With g = A delta, the pull of a rival,

    delta <- delta - A_new^-1 sum_rows row^T row delta / v    that is    g <- g + sum_others row^T row delta / v

`rows` are of the kinds that the rival believes, `others` are not: of most rivals g does not change at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from scipy.linalg import solve_triangular

from thalweg.models.evidence import Hyperparameters, factorise, unpack
from thalweg.models.gram import Gram, Grams
from thalweg.models.linear import BayesianLinear
from thalweg.models.observation import KINDS, Observation, RowKind, noise_class
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

N_DRAWN = 2
"""Rivals with drawn hyperparameters."""
N_RIVALS = 2 + N_DRAWN
BELIEVED: tuple[tuple[RowKind, ...], ...] = ((RowKind.FORCES,), *((KINDS,) * (N_RIVALS - 1)))
"""Kinds of rows that each rival is fitted to."""
AMPLITUDE_WIDTH, DECAY_WIDTH, NOISE_WIDTH = 3.0, 0.7, 0.7
_SEED_OFFSET = 7919
_NOTHING = 1e-10
"""Of the mean's own forces at the labels: a rival that differs by less agrees to rounding, and is left out."""


def rival_pulls(model: BayesianLinear) -> FloatArray:
    """The pull A delta of each rival in scaled features, shape (N_RIVALS, n_columns); zero where one is not to be had.

    Each disagrees on the forces of the labels as much as a posterior draw does on average. The same labels,
    hyperparameters and seed give the same bits.

    Raises
    ------
    ModelError
        Before the first label.
    """
    state = model.fitted
    mean, forces, R = state.factor.mean(), _forces(model.grams), state.factor.R
    draws = model.member_deltas() * state.scale
    size = float(np.mean([draw @ forces.product(draw) for draw in draws]))
    least = _NOTHING**2 * float(mean @ forces.product(mean))
    rivals = np.stack([_scaled(w - mean, forces, size, least) for w in _means(model)])
    return np.ascontiguousarray(rivals @ R.T @ R)


def rival_deltas(model: BayesianLinear, pulls: FloatArray | None = None) -> FloatArray:
    """Rivals less the mean, in unscaled features, shape (N_RIVALS, n_columns), eV, by the labels learned until now.

    `pulls` are what `rival_pulls` made under the present hyperparameters, some labels ago; None: made now.
    """
    factor = model.fitted.factor
    halves = factor.whiten(rival_pulls(model) if pulls is None else pulls)
    return np.ascontiguousarray(factor.solve(halves.T).T / model.fitted.scale)


def pulls_after(model: BayesianLinear, pulls: FloatArray, observation: Observation) -> FloatArray:
    """The pulls once `observation` will be learned, which the model has not yet; shape as `pulls`."""
    scale, noise, new = model.fitted.scale, model.noise, pulls.copy()
    for s, believed in enumerate(BELIEVED):
        others = [block for block in observation if block.kind not in believed]
        if not others:
            continue
        delta = rival_deltas(model, pulls[s : s + 1])[0] * scale
        for block in others:
            rows = block.rows / scale
            variance = noise[block.kind] ** 2 + noise_class(block.label_noise) ** 2
            new[s] += rows.T @ (rows @ delta) / variance
    return new


def _scaled(delta: FloatArray, forces: Gram, size: float, least: float) -> FloatArray:
    own = float(delta @ forces.product(delta))
    return delta * np.sqrt(size / own) if own > least else np.zeros_like(delta)


def _forces(grams: Grams) -> Gram:
    return Gram.total(grams.n, [gram for key, gram in grams.items() if key[0] is RowKind.FORCES])


def _means(model: BayesianLinear) -> Iterator[FloatArray]:
    """Posterior means of the rivals, in scaled features, (n_columns,) each."""
    prior, x = model.prior, model.fitted.x
    hyper = unpack(prior, x)
    yield _mean(model, hyper, BELIEVED[0])
    yield _mean(model, Hyperparameters(_flat(prior, hyper.gamma), hyper.noise))
    rng = np.random.default_rng([model.seed, _SEED_OFFSET])
    for _ in range(N_DRAWN):
        yield _mean(model, unpack(prior, _drawn(prior, x, rng)))


def _mean(model: BayesianLinear, hyper: Hyperparameters, kinds: Collection[RowKind] = KINDS) -> FloatArray:
    """By the shorter way: rows while these are few, else sums over them."""
    if (few := model.kept.mean(hyper, kinds)) is not None:
        return few
    chosen = Grams(model.grams.n)
    for key, gram in model.grams.items():
        if key[0] in kinds:
            chosen.put(key, gram)
    U, Db, _ = factorise(chosen, hyper)
    half = solve_triangular(U, Db, trans="T", check_finite=False)
    return np.asarray(np.sqrt(hyper.gamma) * solve_triangular(U, half, check_finite=False))


def _flat(prior: SmoothnessPrior, gamma: FloatArray) -> FloatArray:
    orders, logs = np.tile(prior.nu, prior.n_elements), np.log(gamma)
    for order in np.unique(orders):
        logs[orders == order] = logs[orders == order].mean()
    return np.asarray(np.exp(logs))


def _drawn(prior: SmoothnessPrior, x: FloatArray, rng: np.random.Generator) -> FloatArray:
    n_orders = prior.n_prior - 2
    widths = [AMPLITUDE_WIDTH] * n_orders + [DECAY_WIDTH] * 2 + [NOISE_WIDTH] * len(KINDS)
    return np.asarray(x + np.array(widths) * rng.standard_normal(len(x)))

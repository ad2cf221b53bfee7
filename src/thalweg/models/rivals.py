"""Rivals: posterior means under other assumptions than the model's, as members of its committee.

Posterior draws share one prior and one weighting of the labels, and agree wherever these decide. A rival changes one of
these assumptions and can disagree there. All of them come from the sums over the labels that the model holds anyway
(`thalweg.models.gram`), at one factorisation each:

    forces     energies and virials left out
    energies   noise of energies a tenth: energies first
    order      the highest order of features left out
    smooth     the rougher half of the features of each order left out: larger n + l than its median

These four were chosen among twelve by what they catch (`benchmarks/uncertainty.py`); a flat prior and drawn
hyperparameters bring less.

Notation
    w, w_s   posterior mean of the model and of rival s, in scaled features
    delta_s  w_s - w
    d_m      posterior draws less the mean, m = 1..M
    G_F      sum of force rows^T rows over all labels

How far a rival lies from the mean depends on how far its assumption was moved, which is arbitrary. Hence each is scaled
to disagree on the labels' own forces as much as the draws do:

    delta_s <- delta_s sqrt( mean_m d_m^T G_F d_m / delta_s^T G_F delta_s )

What it says elsewhere is then in units of what the labels leave open. With so few labels that rivals agree on them this
factor would be beyond all measure. Hence no rival is longer than twice a draw, as the prior measures it:
sqrt(delta^T diag(1/gamma) delta). With labels enough it is 0.1 to 0.9.

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
from thalweg.structure import BoolArray, FloatArray

N_RIVALS = 4
BELIEVED: tuple[tuple[RowKind, ...], ...] = ((RowKind.FORCES,), KINDS, KINDS, KINDS)
"""Kinds of rows that each rival is fitted to."""
LEFT_OUT = 1e-8
"""Times the prior variance of a feature that is left out."""
ENERGIES_FIRST = 0.1
"""Times the noise level of energies."""
LONGEST = 2.0
"""Times the length of a draw: the longest that a rival may be."""
_NOTHING = 1e-10
"""Of the mean's own forces at the labels: a rival that differs by less agrees to rounding, and is left out."""


def rival_pulls(model: BayesianLinear) -> FloatArray:
    """The pull A delta of each rival in scaled features, shape (N_RIVALS, n_columns); zero where one is not to be had.

    The same labels, hyperparameters and seed give the same bits. ModelError before the first label.
    """
    R = model.fitted.factor.R
    return np.ascontiguousarray(_fresh(model) @ R.T @ R)


def rival_deltas(model: BayesianLinear, pulls: FloatArray | None = None) -> FloatArray:
    """Rivals less the mean, in unscaled features, shape (N_RIVALS, n_columns), eV, by the labels learned until now.

    Made now, each disagrees on the forces of the labels as much as a posterior draw does on average.

    Parameters
    ----------
    pulls : what `rival_pulls` made under the present hyperparameters, some labels ago; None: rivals are made now

    Raises
    ------
    ModelError
        Before the first label.
    """
    state = model.fitted
    if pulls is None:
        return np.ascontiguousarray(_fresh(model) / state.scale)
    halves = state.factor.whiten(pulls)
    return np.ascontiguousarray(state.factor.solve(halves.T).T / state.scale)


def _fresh(model: BayesianLinear) -> FloatArray:
    """Rivals less the mean in scaled features, shape (N_RIVALS, n_columns)."""
    state = model.fitted
    mean, forces = state.factor.mean(), _forces(model.grams)
    draws, gamma = model.member_deltas() * state.scale, unpack(model.prior, state.x).gamma
    size = float(np.mean([draw @ forces.product(draw) for draw in draws]))
    length = float(np.mean((draws**2 / gamma).sum(axis=1)))
    least = _NOTHING**2 * float(mean @ forces.product(mean))
    rivals = np.zeros((N_RIVALS, len(mean)))
    for s, w in enumerate(_means(model)):
        delta = w - mean
        if (own := float(delta @ forces.product(delta))) > least:
            longest = LONGEST**2 * length / float(delta**2 @ (1.0 / gamma))
            rivals[s] = delta * np.sqrt(min(size / own, longest))
    return rivals


def pulls_after(
    model: BayesianLinear, pulls: FloatArray, deltas: FloatArray, observation: Observation
) -> FloatArray:
    """The pulls once `observation` will be learned, which the model has not yet; shape as `pulls`.

    `deltas` are the `rival_deltas` of these pulls.
    """
    scale, noise, new = model.fitted.scale, model.noise, pulls.copy()
    for s, believed in enumerate(BELIEVED):
        others = [block for block in observation if block.kind not in believed]
        if not others:
            continue
        delta = deltas[s] * scale
        for block in others:
            rows = block.rows / scale
            variance = noise[block.kind] ** 2 + noise_class(block.label_noise) ** 2
            new[s] += rows.T @ (rows @ delta) / variance
    return new


def _forces(grams: Grams) -> Gram:
    return Gram.total(grams.n, [gram for key, gram in grams.items() if key[0] is RowKind.FORCES])


def _means(model: BayesianLinear) -> Iterator[FloatArray]:
    """Posterior means of the rivals, in scaled features, (n_columns,) each."""
    prior = model.prior
    hyper = unpack(prior, model.fitted.x)
    first = {RowKind.ENERGY: ENERGIES_FIRST * hyper.noise[RowKind.ENERGY]}
    others = (
        hyper,
        Hyperparameters(hyper.gamma, hyper.noise | first),
        _without(hyper, prior.nu == prior.nu.max() if len(np.unique(prior.nu)) > 1 else prior.nu < 0),
        _without(hyper, _rough(prior)),
    )
    for assumed, believed in zip(others, BELIEVED, strict=True):
        yield _mean(model, assumed, believed)


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


def _without(hyper: Hyperparameters, features: BoolArray) -> Hyperparameters:
    """Without these features (p,) of every element."""
    chosen = np.tile(features, len(hyper.gamma) // len(features))
    return Hyperparameters(np.where(chosen, LEFT_OUT, 1.0) * hyper.gamma, hyper.noise)


def _rough(prior: SmoothnessPrior) -> BoolArray:
    degree, rough = prior.n_sum + prior.l_sum, np.zeros(len(prior.nu), dtype=np.bool_)
    for order in np.unique(prior.nu):
        own = prior.nu == order
        rough[own] = degree[own] > np.median(degree[own])
    return rough

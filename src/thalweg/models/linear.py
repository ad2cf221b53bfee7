"""Bayesian linear model: y = Phi w + e with w ~ N(0, diag(gamma)) and e ~ N(0, diag(v)).

Notation
    n        columns of the design matrix (all elements' features)
    scale    rms of the columns of one element and order over the first labels' force rows; the prior is
             about rows / scale
    gamma    prior variances of the scaled coefficients (thalweg.models.prior)
    v        noise variance of a row: noise of its kind² + its label's own noise²
    A, R     posterior precision of the scaled coefficients and its factor (thalweg.models.factor)
    x        hyperparameters (thalweg.models.prior)
    z        standard normal numbers fixed by the seed, shape (n_members, n)

A label is taken in by `update` in n² operations per row, however many labels came before. `tune` moves the
hyperparameters uphill in the evidence and rebuilds R from Gram matrices; it never needs an old row. Nothing
depends on time or on a global random generator: the same calls in the same order give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import solve_triangular

from thalweg.errors import InputError, ModelError, check
from thalweg.models.descent import Point, descend
from thalweg.models.dual import KeptRows
from thalweg.models.evidence import evidence_at, factorise, log_evidence, unpack
from thalweg.models.factor import Factor
from thalweg.models.gram import Grams, key_of
from thalweg.models.observation import Observation, RowKind, noise_class
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

TUNE_GROWTH = 1.6
ENOUGH = 0.1
"""Gain in log evidence that is worth another evaluation of it: hyperparameters are sure to one unit."""
AFRESH = 1 / 6
"""Rows over columns below which the evidence is maximised from the hyperprior's centre."""
_LEAST_SCALE = 0.01


@dataclass(eq=False)
class FittedState:
    """What the first labels fix (scale, centre) and what every label moves (x, factor).

    A factor that was rebuilt is `made` when it is first asked for: a search for hyperparameters needs none.
    """

    scale: FloatArray
    centre: FloatArray
    x: FloatArray
    made: Callable[[], Factor]
    _factor: Factor | None = None

    @property
    def factor(self) -> Factor:
        """The factor."""
        if self._factor is None:
            self._factor = self.made()
        return self._factor

    def remake(self, made: Callable[[], Factor]) -> None:
        """Let go of the factor for another."""
        self.made, self._factor = made, None


class BayesianLinear:
    """Linear model with an exact Gaussian posterior, updated label by label.

    Parameters
    ----------
    prior : SmoothnessPrior
        Which order and indices each column has.
    n_members : int
        Posterior draws in the committee.
    seed : int
        Of the draws' random numbers; members move smoothly from fit to fit because it stays.

    Attributes
    ----------
    n_labels, n_labels_tuned : int
        Labels taken in so far, and how many there were at the last `tune`.
    grams : Grams
        Sums over all labels.
    state : FittedState or None
        None before the first label.
    """

    def __init__(self, prior: SmoothnessPrior, *, n_members: int = 8, seed: int = 0) -> None:
        self.prior = prior
        self.n_members = n_members
        self.seed = seed
        self.n_labels = 0
        self.n_labels_tuned = 0
        self.grams = Grams(prior.n_columns)
        self.kept = KeptRows(prior.n_columns)
        self.state: FittedState | None = None

    @property
    def fitted(self) -> FittedState:
        """The state; ModelError before the first label."""
        if self.state is None:
            raise ModelError("model: asked before any label was fitted; call update or fit_batch first")
        return self.state

    # --- taking in labels -------------------------------------------------------------------------------

    def update(self, observation: Observation) -> None:
        """Take in one label: an orthogonal update of the posterior factor, nothing is rebuilt.

        Raises
        ------
        InputError
            Rows of another width than the prior's.
        """
        state, noise = self.begin([observation]), self.noise
        factor = state.factor  # of the sums as they are now
        rows, targets = [], []
        for block in observation:
            scaled = block.rows / state.scale
            self.grams.add(block, scaled)
            self.kept.add(key_of(block), scaled, block.targets)
            inverse_sd = 1.0 / np.hypot(noise[block.kind], noise_class(block.label_noise))
            rows.append(scaled * inverse_sd)
            targets.append(block.targets * inverse_sd)
        factor.update(np.concatenate(rows), np.concatenate(targets))
        self.n_labels += 1

    def fit_batch(self, observations: Sequence[Observation]) -> None:
        """Take in many labels at once: one rebuild of the factor instead of an update for each."""
        if not observations:
            return
        state = self.begin(observations)
        blocks = [block for observation in observations for block in observation]
        self.grams.add_many(blocks, state.scale)
        for block in blocks:
            self.kept.add(key_of(block), block.rows / state.scale, block.targets)
        self.n_labels += len(observations)
        self._rebuild()

    def begin(self, observations: Sequence[Observation]) -> FittedState:
        """Check the rows; at the first labels fix the scale and the hyperprior's centre. Nothing is taken in yet."""
        n = self.prior.n_columns
        blocks = [block for observation in observations for block in observation]
        if not blocks or any(block.rows.shape[1] != n for block in blocks):
            raise InputError(
                f"model: an observation must hold rows of {n} columns (the basis), got "
                f"{[block.rows.shape for block in blocks]}; was it made with another basis?"
            )
        if self.state is None:
            scale, centre = starting_point(self.prior, observations)
            gamma = unpack(self.prior, centre).gamma
            self.state = FittedState(scale, centre, centre.copy(), partial(Factor.from_prior, gamma))
        return self.state

    # --- hyperparameters --------------------------------------------------------------------------------

    @property
    def noise(self) -> dict[RowKind, float]:
        """Noise level per kind: eV per sqrt(atom), eV/Å, eV per sqrt(atom)."""
        return unpack(self.prior, self.fitted.x).noise

    @property
    def log_marginal_likelihood(self) -> float:
        """Log evidence of all labels under the hyperparameters in force."""
        return log_evidence(self.prior, self.grams, self.fitted.x)[0]

    def should_tune(self) -> bool:
        """Whether labels have grown by TUNE_GROWTH since the last tuning: few tunings, however long the run."""
        return self.n_labels > 0 and self.n_labels >= TUNE_GROWTH * self.n_labels_tuned

    def tune(self, max_evaluations: int = 20, *, enough: float = ENOUGH) -> float:
        """Maximise log evidence + log hyperprior from the present point; the posterior is rebuilt when it is asked for.

        Each evaluation costs a Cholesky factorisation and an inverse of size n, or less while rows are few. The search
        also ends where a step promises a gain below `enough`. Returns the log evidence plus the log hyperprior (up to
        its constant), which never falls.
        """
        state, widths = self.fitted, self.prior.widths()

        def objective(x: FloatArray, curved: bool) -> Point:
            few = self.kept.evidence_at(self.prior, x, information=curved)
            found = few or evidence_at(self.prior, self.grams, x, information=True)  # at hardly any cost
            deviation = (x - state.centre) / widths
            cost, slope = (
                0.5 * float(deviation @ deviation) - found.value,
                deviation / widths - found.gradient,
            )
            known = found.information
            return Point(x, cost, slope, None if known is None else known + np.diag(widths**-2))

        bounds = self.prior.bounds(state.centre)
        start = self._start()
        best = descend(objective, start, bounds, max_evaluations=max_evaluations, enough=enough)
        if not np.array_equal(start, state.x) and (last := objective(state.x, False)).value < best.value:
            best = last
        self.set_hyperparameters(best.x)
        return -best.value

    def _start(self) -> FloatArray:
        """Where to begin: at the present point once many rows have made it.

        Of few labels the evidence has several maxima. One that a handful has led to (an order that they can do without,
        say) would hold on to what more of them deny.
        """
        state = self.fitted
        return state.centre if self.grams.n_rows < AFRESH * self.prior.n_columns else state.x

    def set_hyperparameters(self, x: FloatArray) -> None:
        """Go to the hyperparameters of an earlier `tune` without the search: the same bits come out."""
        state = self.fitted
        check(x.shape == state.x.shape, f"model: {state.x.shape} hyperparameters expected, got {x.shape}")
        state.x = np.array(x, dtype=np.float64)
        self.n_labels_tuned = self.n_labels
        self._rebuild()

    def refitted(self, grams: Grams, n_labels: int) -> BayesianLinear:
        """The same scale and hyperparameters fitted to other labels, given as sums over their scaled rows."""
        other = BayesianLinear(self.prior, n_members=self.n_members, seed=self.seed)
        state = self.fitted
        other.state = FittedState(state.scale, state.centre, state.x.copy(), state.made)
        other.grams, other.n_labels = grams, n_labels
        other.kept = KeptRows(self.prior.n_columns, overflown=True)
        other._rebuild()
        return other

    def _rebuild(self) -> None:
        """R, d and rho anew from the Gram matrices, when they are asked for."""
        self.fitted.remake(partial(self._made, self.fitted.x.copy()))

    def _made(self, x: FloatArray) -> Factor:
        """The factor at x: R = U D^-1, d = U^-T D b."""
        hyper = unpack(self.prior, x)
        U, Db, yy = factorise(self.grams, hyper)
        n = len(U)
        d = solve_triangular(U, Db, trans="T", check_finite=False)
        augmented = np.zeros((n + 1, n + 1), order="F")
        augmented[:-1, :-1] = U
        augmented[:-1, :-1] /= np.sqrt(hyper.gamma)[None, :]
        augmented[:-1, -1] = d
        augmented[-1, -1] = np.sqrt(max(yy - float(d @ d), 0.0))
        return Factor(augmented)

    # --- the posterior ----------------------------------------------------------------------------------

    @property
    def mean(self) -> FloatArray:
        """Posterior mean of the coefficients of unscaled features, shape (n_columns,)."""
        return self.fitted.factor.mean() / self.fitted.scale

    def member_deltas(self, n_draws: int | None = None) -> FloatArray:
        """Posterior draws minus the mean, R^-1 z, shape (n_draws, n_columns); n_members of them if not said.

        The first ones are the same however many there are.
        """
        shape = (self.n_members if n_draws is None else n_draws, self.prior.n_columns)
        z = np.random.default_rng(self.seed).standard_normal(shape)
        return np.ascontiguousarray(self.fitted.factor.solve(z.T).T / self.fitted.scale)

    def members(self) -> FloatArray:
        """Posterior draws, shape (n_members, n_columns)."""
        return self.mean + self.member_deltas()

    def whiten(self, rows: FloatArray) -> FloatArray:
        """rows R^-1, shape (n_rows, n_columns): the posterior covariance of rows @ w is W @ W.T.

        Batches by expected variance reduction need nothing else of the model.
        """
        return self.fitted.factor.whiten(rows / self.fitted.scale)

    def covariance(self, rows: FloatArray) -> FloatArray:
        """Posterior covariance of rows @ w, shape (n_rows, n_rows)."""
        W = self.whiten(rows)
        return W @ W.T

    def variance(self, rows: FloatArray) -> FloatArray:
        """Posterior variance of rows @ w, shape (n_rows,)."""
        W = self.whiten(rows)
        return np.asarray(np.einsum("rk,rk->r", W, W))


def starting_point(
    prior: SmoothnessPrior, observations: Sequence[Observation]
) -> tuple[FloatArray, FloatArray]:
    """What first labels fix: the scale of the columns, shape (n,), and the hyperprior's centre."""
    blocks = [block for observation in observations for block in observation]
    chosen = [block for block in blocks if block.kind is RowKind.FORCES] or blocks
    rows = np.concatenate([block.rows for block in chosen])
    targets = np.concatenate([block.targets for block in chosen])
    centre = prior.centre(float(np.sqrt(np.mean(targets**2))))
    return _column_scale(rows, np.concatenate([block.rows for block in blocks]), prior), centre


def _column_scale(rows: FloatArray, all_rows: FloatArray, prior: SmoothnessPrior) -> FloatArray:
    """rms of the columns of each (element, order) group, one number per column, shape (n,).

    Within a group the basis' own normalisation stays, so that a column never active so far has a sane scale
    too.
    """
    # Where symmetry lets all forces vanish (a perfect crystal), the rows of energy and virial set the level.
    mean2 = np.mean(rows**2, axis=0) + _LEAST_SCALE**2 * np.mean(all_rows**2, axis=0)
    mean2 = mean2.reshape(prior.n_elements, -1)
    scale2 = np.empty_like(mean2)
    for order in np.unique(prior.nu):
        group = prior.nu == order
        per_element = mean2[:, group].mean(axis=1, keepdims=True)
        # An element absent from the first labels borrows the level of the others.
        pooled = per_element.max() if per_element.max() > 0 else 1.0
        scale2[:, group] = np.where(per_element > 0, per_element, pooled)
    return np.asarray(np.sqrt(scale2).ravel())

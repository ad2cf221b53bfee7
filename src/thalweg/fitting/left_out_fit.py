"""A basis judged by what each label leaves of itself to a model of all the others; for few labels, as a run has them.

Notation
    r_i        what label i leaves to the model of the others (thalweg.models.left_out)
    e_i, f_i   its energy per sqrt(atom), |.|, and the rms of its forces
    x          hyperparameters (thalweg.models.prior)

    J(x) = score + STRESS log rms of virials + TAME g(x)

as `thalweg.fitting.balance` has it for folds: score is the mean log of the typical e_i and f_i
(thalweg.fitting.held_out). Here one factorisation serves all labels, of the size of their rows where these are fewer
than the columns, and no sums of folds are made: that is cheap enough to be asked in the middle of a run.

Work is counted before it is done, in multiplications, some 2e10 a second and core:

    rows    DESIGN m n                             m rows, n columns
    step    m² (n + 2 m)  or  n² (2 m + n)         whichever is less

Of many labels force rows are thinned out evenly, so that no step takes more than STEP: energies, one to a label, say
first what a basis cannot see. If that is not enough labels are left out evenly, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.optimize import minimize

from thalweg.errors import ModelError
from thalweg.features import AceBasis, Features
from thalweg.features.sharing import in_order
from thalweg.fitting.balance import ENERGY_OVER_FORCES, LEAST_NOISE, STRESS, TAME, VIRIAL_OVER_FORCES
from thalweg.fitting.data import Labelled
from thalweg.fitting.held_out import log_typical_slope, typical_error
from thalweg.models import Block, Observation, RowKind, SmoothnessPrior
from thalweg.models.left_out import LabelRows, LeftOut, left_out
from thalweg.models.linear import starting_point
from thalweg.models.observation import KINDS
from thalweg.models.training import Baseline, observe
from thalweg.structure import FloatArray

STEP = 1e9
"""Most work of one evaluation of J."""
DESIGN = 1500.0
_WALL = 10.0
_LEAST_EACH = 12
"""Rows of a label below which labels are left out rather than rows."""
_AMPLITUDE_UNIT = 4.0
"""J hardly changes over an e-fold of an amplitude: the width of its hyperprior, as a first step."""
_AMPLITUDES, _DECAYS = (-30.0, 60.0), (0.0, 4.0)
_ENERGY, _FORCES, _VIRIAL = (KINDS.index(kind) for kind in (RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL))


@dataclass(frozen=True, eq=False)
class Hyper:
    """Hyperparameters and the prior that they are of."""

    prior: SmoothnessPrior
    x: FloatArray

    def carried(self, prior: SmoothnessPrior) -> FloatArray:
        """For another basis; an order that this one lacks has the amplitude of its highest."""
        here, there = self.prior.n_prior - 2, prior.n_prior - 2
        orders = np.minimum(np.arange(there), here - 1)
        return np.concatenate([self.x[:here][orders], self.x[here:]])


@dataclass(frozen=True, eq=False)
class LeftOutFit:
    """A basis with the hyperparameters found for it.

    Attributes
    ----------
    hyper : the forces' noise among them is what labels leave of their forces to the others
    score, at_start : mean log of the typical errors, the less the better, and what it was where the search began
    typical : those errors, eV per sqrt(atom) and eV/Å
    """

    basis: AceBasis
    hyper: Hyper
    score: float
    typical: dict[RowKind, float]
    at_start: float


def rows_of(labelled: Labelled) -> int:
    """Rows that labels make, or a few more."""
    return sum(
        1 + 3 * len(structure) * label.has_forces + 6 * (label.stress is not None)
        for structure, label in labelled
    )


def work_of(n_rows: int, basis: AceBasis, steps: int) -> float:
    """Work of judging a basis with so many evaluations of J."""
    n = basis.n_columns
    return DESIGN * n_rows * n + steps * step_work(min(n_rows, most_rows(n)), n)


def step_work(m: int, n: int) -> float:
    """Work of one evaluation of J with m rows and n columns."""
    return float(min(m**2 * (n + 2 * m), n**2 * (2 * m + n)))


def most_rows(n: int) -> int:
    """Rows up to which an evaluation of J takes no more than STEP."""
    by_columns = int((STEP / n**2 - n) / 2)
    few, many = 1, n
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if middle**2 * (n + 2 * middle) <= STEP else (few, middle)
    return max(few, by_columns)


def fit_left_out(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    start: Hyper,
    steps: int,
    scale: FloatArray | None = None,
) -> LeftOutFit:
    """Look for the hyperparameters of a basis near those of another one.

    Parameters
    ----------
    labelled : structures and labels, in the order of learning
    baseline : with core repulsion inside all labelled distances
    start : where the search begins
    steps : evaluations of J
    scale : of the columns, shape (n_columns,); None: that of a model of these labels alone

    Raises
    ------
    ModelError
        A label has absurd numbers.
    """
    features, prior = Features(basis), SmoothnessPrior.for_basis(basis)
    observations = list(in_order(lambda pair: observe(features, *pair, baseline), labelled))
    scale = starting_point(prior, observations)[0] if scale is None else scale
    used = _thinned(observations, most_rows(basis.n_columns))
    n_atoms = np.array([len(labelled[place][0]) for place, _ in used])
    J = _Objective(prior, LabelRows.of([one for _, one in used], scale), n_atoms)
    _descend(J, start.carried(prior), steps)
    return LeftOutFit(basis, Hyper(prior, _with_noise(J)), J.best_score, J.best_typical, J.first_score)


def _descend(J: _Objective, x: FloatArray, steps: int) -> None:
    """Downhill for some evaluations, in units in which one step of each hyperparameter changes J alike."""
    n = J.prior.n_prior - 2
    forces = x[n + 2 + _FORCES]  # it sets a scale that no prediction depends on
    ratios = (ENERGY_OVER_FORCES, (1.0, 1.0), VIRIAL_OVER_FORCES)
    noise = [(forces + float(np.log(low)), forces + float(np.log(high))) for low, high in ratios]
    low, high = np.array([_AMPLITUDES] * n + [_DECAYS] * 2 + noise).T
    unit = np.array([_AMPLITUDE_UNIT] * n + [1.0] * (2 + len(KINDS)))

    def in_units(z: FloatArray) -> tuple[float, FloatArray]:
        value, slope = J(z * unit)
        return value, slope * unit

    minimize(
        in_units,
        np.clip(x, low, high) / unit,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low / unit, high / unit, strict=True)),
        options={"maxfun": steps, "ftol": 1e-5},
    )


def _with_noise(J: _Objective) -> FloatArray:
    """The best x with all noise and prior deviations in proportion, so that forces' noise is their typical error."""
    first, x = J.prior.n_prior, J.best_x.copy()
    found = max(J.best_typical.get(RowKind.FORCES, 0.0), LEAST_NOISE)
    by = float(np.log(found)) - x[first + _FORCES]
    x[: first - 2] += 2.0 * by
    x[first:] += by
    return x


@dataclass(eq=False)
class _Objective:
    """J and its slope, and the best that was met."""

    prior: SmoothnessPrior
    labels: LabelRows
    n_atoms: FloatArray
    best: float = np.inf
    best_x: FloatArray = field(init=False)
    best_score: float = field(init=False)
    first_score: float = np.nan
    best_typical: dict[RowKind, float] = field(init=False)

    @cached_property
    def wildness(self) -> FloatArray:
        """Slope of g: mean log prior variance of an order, averaged over orders."""
        prior, out = self.prior, np.zeros(self.prior.n_hyperparameters)
        rows, nu = prior.covariates(), np.tile(prior.nu, prior.n_elements)
        out[: prior.n_prior] = np.mean([rows[nu == order].mean(axis=0) for order in np.unique(nu)], axis=0)
        return out

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """J and its slope; where a long step leads beyond what double precision can tell apart, a wall."""
        try:
            found = left_out(self.prior, self.labels, x)
        except ModelError:
            if not np.isfinite(self.best):
                raise
            return self.best + _WALL, np.zeros_like(x)
        return self._at(found, x)

    def _at(self, found: LeftOut, x: FloatArray) -> tuple[float, FloatArray]:
        r = found.residuals
        by_residual, typical = np.zeros(len(r)), dict[RowKind, float]()
        errors = [kind for kind in (_ENERGY, _FORCES) if (self.labels.kind == kind).any()]
        for kind in errors:
            typical[KINDS[kind]], slope = self._typical(r, kind)
            by_residual += slope / len(errors)
        score = float(np.mean(np.log(list(typical.values()))))
        own = self.labels.kind == _VIRIAL
        virials = float(r[own] @ r[own])
        stress = 0.0
        if virials > 0.0:
            stress = 0.5 * STRESS * float(np.log(virials / own.sum()))
            by_residual[own] = STRESS * r[own] / virials
        value = score + stress + TAME * float(self.wildness @ x)
        if np.isnan(self.first_score):
            self.first_score = score
        if value < self.best:
            self.best, self.best_x, self.best_score, self.best_typical = value, x.copy(), score, typical
        return value, found.slope(by_residual) + TAME * self.wildness

    def _typical(self, r: FloatArray, kind: int) -> tuple[float, FloatArray]:
        """The typical error of a kind, and the slope of its log by the residuals."""
        own, n_labels = self.labels.kind == kind, self.labels.n_labels
        label = np.repeat(np.arange(n_labels), np.diff(self.labels.ends))
        count = np.bincount(label[own], minlength=n_labels)
        known = np.flatnonzero(count)
        rms = np.zeros(n_labels)
        rms[known] = np.sqrt(np.bincount(label[own], r[own] ** 2, minlength=n_labels)[known] / count[known])
        weights = np.ones(len(known)) if kind == _ENERGY else self.n_atoms[known].astype(np.float64)
        by_rms = np.zeros(n_labels)
        by_rms[known] = log_typical_slope(rms[known], weights)
        slope, place = np.zeros(len(r)), label[own]
        slope[own] = by_rms[place] * r[own] / (np.maximum(rms[place], LEAST_NOISE**2) * count[place])
        return typical_error(rms[known], weights), slope


def _thinned(observations: Sequence[Observation], most: int) -> list[tuple[int, Observation]]:
    """Observations with their places, of at most some `most` rows: fewer force rows of each, then fewer labels."""
    sizes = [sum(len(block.targets) for block in one) for one in observations]
    if sum(sizes) <= most:
        return list(enumerate(observations))
    n = min(len(observations), max(most // _LEAST_EACH, 2))
    places = [int(i) for i in np.linspace(0, len(observations) - 1, n).round()]
    others = sum(len(b.targets) for i in places for b in observations[i] if b.kind is not RowKind.FORCES)
    each = max((most - others) // n, 1)
    return [(i, tuple(_some_rows(block, each) for block in observations[i])) for i in places]


def _some_rows(block: Block, n: int) -> Block:
    """Of forces `n` rows, evenly taken."""
    size = len(block.targets)
    if block.kind is not RowKind.FORCES or size <= n:
        return block
    rows = np.linspace(0, size - 1, n).round().astype(np.int64)
    return Block(block.kind, block.rows[rows], block.targets[rows], block.label_noise)

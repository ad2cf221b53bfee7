"""Smoothness and noise levels by held-out errors.

The evidence takes the errors of one structure's rows for independent; where a basis is what limits a fit they are not,
and it believes too much, forces most of all. So where labels are enough, all hyperparameters x (thalweg.models.prior)
but the forces' noise, which sets a scale that no prediction depends on, go downhill in

    J(x) = score of held-out energies and forces + STRESS log rms of held-out virials + tame g(x)
    g(x)   mean log prior variance of an order's coefficients, averaged over orders

(thalweg.fitting.held_out) along its slope (thalweg.models.folds). Where labels are many for the basis the first two
hardly change over decades of prior variance: folds drawn at random are near copies of what was trained on, and do not
see how a model goes astray beyond the labels. Of models that predict held-out labels equally well the last term takes
the smoother one, as the one-standard-error rule does (Hastie, Tibshirani & Friedman, Elements of
Statistical Learning, 7.10).
J has several minima: as long as nothing is known of the labels, the search begins at several places.

    evidence   hyperparameters of most evidence
    strict     the same, energies trusted to a hundredth of the forces' noise times 1 Å, virials little
    plain      no decay with the degree, every feature alike; with virials trusted as much as forces, and little

Last, the forces' noise is set to what the held-out errors show, all else in proportion: predictions stay, and the
posterior's width has the size of what the model does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from thalweg.fitting.examiner import Examiner
from thalweg.fitting.held_out import HeldOutErrors
from thalweg.models import BayesianLinear, RowKind
from thalweg.models.folds import Folds, out_of_fold, slope
from thalweg.models.observation import KINDS
from thalweg.structure import FloatArray

STRESS = 0.1
"""A per cent off energies or forces counts as much as five off the virials."""
ALONE = 0.5
"""Likewise where no energies count, which are doubted."""
TAME = 0.01
"""What an e-fold less prior variance may cost in held-out errors: a per cent."""
ENERGY_OVER_FORCES = (0.002, 4.0)
"""Å; least and largest noise of energies per sqrt(atom) over the forces'."""
VIRIAL_OVER_FORCES = (0.03, 300.0)
"""Å; likewise of virials."""
FIRST_STEPS = 6
"""Fewest evaluations of J from each of several starts."""
RMS_OVER_MAE = 1.25
"""Of a normal distribution."""
LEAST_NOISE = 1e-4
"""eV/Å."""
AMPLITUDE_STRIDE, STRIDE = 8.0, 0.5
"""How far amplitudes, and decays and noise levels, go in one stride: J is that much flatter along the former."""
_MOST_AMPLITUDE = 60.0
_DECAYS = (0.0, 4.0)
_STRICT, _PLAIN, _LITTLE = 0.01, 0.02, 20.0
"""Å; noise of energies over the forces', and of virials that are hardly trusted."""
_PLAIN_AMPLITUDE = 8000.0
"""Prior variance over the forces' noise variance."""


def balance(
    model: BayesianLinear,
    sums: Folds,
    examiner: Examiner,
    starts: list[FloatArray],
    steps: int,
    tame: float = TAME,
) -> HeldOutErrors | None:
    """Move a model's hyperparameters to least J, in place, and return the errors there; without forces they stay.

    Parameters
    ----------
    starts : hyperparameters from which to go down; the better of two, and of more the one from which a third as many
        steps lead lowest
    steps : evaluations of J, each the work of two or three factorisations for each fold
    tame : the weight of g
    """
    if RowKind.FORCES not in sums.kinds:
        return None
    J = _Objective(model, sums, examiner, tame)
    if len(starts) > 1:
        for start in starts:
            J.descend(start, max(FIRST_STEPS, steps // 3) if len(starts) > 2 else 0)
        starts = [J.best_x]
    x = J.descend(starts[0], steps)
    typical = J.best_errors.typical[RowKind.FORCES]
    model.set_hyperparameters(_with_noise(model, x, RMS_OVER_MAE * max(typical, LEAST_NOISE)))
    return J.best_errors


def unknown_starts(model: BayesianLinear, kinds: set[RowKind]) -> list[FloatArray]:
    """Where the search begins when nothing is known but the evidence, which the model is at."""
    evidence, first = model.fitted.x.copy(), model.prior.n_prior
    energy, forces, _ = _places(model)
    strict = evidence.copy()
    strict[energy] = evidence[forces] + np.log(_STRICT)
    plain = evidence.copy()
    plain[: first - 2] = 2.0 * evidence[forces] + np.log(_PLAIN_AMPLITUDE)
    plain[first - 2 : first] = 0.0
    plain[energy] = evidence[forces] + np.log(_PLAIN)
    if RowKind.VIRIAL not in kinds:
        return [evidence, strict, plain]
    return [evidence, with_virials(model, strict)[1], *with_virials(model, plain)]


def with_virials(model: BayesianLinear, x: FloatArray) -> list[FloatArray]:
    """The same with virials trusted as much as forces at an Å, and little."""
    _, forces, virial = _places(model)
    starts = [x.copy(), x.copy()]
    for start, ratio in zip(starts, (1.0, _LITTLE), strict=True):
        start[virial] = x[forces] + np.log(ratio)
    return starts


def _places(model: BayesianLinear) -> tuple[int, int, int]:
    """Of the noise of energies, forces and virials in the hyperparameters."""
    first = model.prior.n_prior
    energy, forces, virial = (
        first + KINDS.index(k) for k in (RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL)
    )
    return energy, forces, virial


@dataclass(eq=False)
class _Objective:
    """J and its slope, the best x met so far, and the way down; `wildness` is the slope of g."""

    model: BayesianLinear
    sums: Folds
    examiner: Examiner
    tame: float = TAME
    best: float = np.inf
    best_x: FloatArray = field(init=False)
    best_errors: HeldOutErrors = field(init=False)
    wildness: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        prior = self.model.prior
        rows, nu = prior.covariates(), np.tile(prior.nu, prior.n_elements)
        self.wildness = np.zeros(prior.n_hyperparameters)
        self.wildness[: prior.n_prior] = np.mean(
            [rows[nu == order].mean(axis=0) for order in np.unique(nu)], axis=0
        )

    def descend(self, start: FloatArray, steps: int) -> FloatArray:
        """Downhill for some evaluations, or a look at the start alone; the best x met on this and earlier ways."""
        low, high = np.array(self._bounds(start)).T
        if steps == 0:
            self(np.clip(start, low, high))
            return self.best_x
        stride = np.full(len(start), STRIDE)
        stride[: self.model.prior.n_prior - 2] = AMPLITUDE_STRIDE

        def in_strides(y: FloatArray) -> tuple[float, FloatArray]:
            value, by_x = self(y * stride)
            return value, by_x * stride

        minimize(
            in_strides,
            np.clip(start, low, high) / stride,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low / stride, high / stride, strict=True)),
            options={"maxfun": steps, "ftol": 1e-5},
        )
        return self.best_x

    def _bounds(self, x: FloatArray) -> list[tuple[float, float]]:
        n, forces = self.model.prior.n_prior, float(x[_places(self.model)[1]])
        ratios = {
            RowKind.ENERGY: ENERGY_OVER_FORCES,
            RowKind.FORCES: (1.0, 1.0),
            RowKind.VIRIAL: VIRIAL_OVER_FORCES,
        }
        noise = [(forces + float(np.log(low)), forces + float(np.log(high))) for low, high in ratios.values()]
        # Coefficients of less than the noise are as good as none: there is nothing below but the reward of g.
        amplitudes = (2.0 * forces, _MOST_AMPLITUDE)
        return [amplitudes] * (n - 2) + [_DECAYS] * 2 + noise

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        prior, scale = self.model.prior, self.sums.scale
        posteriors = out_of_fold(prior, self.sums, x)
        examination = self.examiner.examine([posterior.mean / scale for posterior in posteriors])
        value = examination.errors.score
        by_mean = [own / scale for own in self.examiner.slopes(examination)]
        stress, by_stress = self._virials([posterior.mean for posterior in posteriors])
        by_mean = [own + other for own, other in zip(by_mean, by_stress, strict=True)]
        value += stress + self.tame * float(self.wildness @ x)
        if value < self.best:
            self.best, self.best_x, self.best_errors = value, x.copy(), examination.errors
        return value, slope(prior, self.sums, x, posteriors, by_mean) + self.tame * self.wildness

    def _virials(self, means: list[FloatArray]) -> tuple[float, list[FloatArray]]:
        """STRESS log rms of held-out virials, and its slope by the mean of each fold."""
        slopes, total, n_rows = [np.zeros_like(mean) for mean in means], 0.0, 0
        for k, mean in enumerate(means):
            for gram in self.sums.virials(k):
                total, n_rows = total + gram.residual2(mean), n_rows + gram.m
                slopes[k] += gram.product(mean) - gram.b
        if n_rows == 0 or total <= 0.0:
            return 0.0, slopes
        weight = STRESS if self.examiner.judged[0].any() else ALONE
        return 0.5 * weight * float(np.log(total / n_rows)), [weight * own / total for own in slopes]


def _with_noise(model: BayesianLinear, x: FloatArray, noise: float) -> FloatArray:
    """x with all noise levels and prior deviations in proportion, so that the forces' noise is as given."""
    first = model.prior.n_prior
    by = float(np.log(noise)) - x[_places(model)[1]]
    moved = x.copy()
    moved[: first - 2] += 2.0 * by
    moved[first:] += by
    return moved

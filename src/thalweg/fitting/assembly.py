"""One basis fitted to labels: sums over folds, hyperparameters by the evidence, noise by held-out errors.

Rows are made once, label by label, and only their sums are kept; a fold costs one factorisation more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thalweg.features import AceBasis, Features
from thalweg.fitting.balance import Balance, balance_noise
from thalweg.fitting.data import Labelled, Spread, equations
from thalweg.fitting.held_out import Examiner, HeldOutErrors
from thalweg.models import BayesianLinear, SmoothnessPrior
from thalweg.models.folds import FoldSums, fold_means
from thalweg.models.noise import hold_noise
from thalweg.models.training import Baseline
from thalweg.structure import FloatArray

N_FOLDS = 5
ENOUGH = 20
"""Labels from which held-out errors decide about noise; below, it is held near the forces'."""
WARM = 6
"""Evaluations of the evidence from hyperparameters of another basis, which are nearly right."""
_FIRST_LABELS = 32
"""Labels, in shuffled order, from which the features' scale is taken."""


@dataclass(frozen=True)
class FitSettings:
    """How a fit goes about it.

    Attributes
    ----------
    n_members : committee
    seed : of the committee's draws and of the folds
    confidence : of the error bounds
    tune_evaluations : most evaluations of the evidence; WARM where a smaller basis shows where to start
    effort : work allowed to the choice of the basis, over the default (`thalweg.fitting.choice`)
    """

    n_members: int = 8
    seed: int = 1
    confidence: float = 0.95
    tune_evaluations: int = 40
    effort: float = 1.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model of one basis, and what it makes of labels that it has not seen.

    Attributes
    ----------
    labelled : the labels in shuffled order, none of an isolated atom; label i is in fold i mod n_folds
    sums : per fold
    evidence_x : hyperparameters of most evidence, before noise was balanced
    balance : noise levels found by held-out errors; None where labels are too few for that
    """

    basis: AceBasis
    baseline: Baseline
    labelled: Labelled
    spread: Spread
    model: BayesianLinear
    sums: FoldSums
    evidence_x: FloatArray
    balance: Balance | None

    @property
    def n_folds(self) -> int:
        """Folds."""
        return len(self.sums.folds)

    @cached_property
    def held_out(self) -> HeldOutErrors:
        """What the models that have not seen a fold make of it."""
        examiner = Examiner(self.basis, self.baseline, self.labelled, self.n_folds)
        return examiner.errors(unscaled_fold_means(self.model, self.sums, self.model.fitted.x))

    def score(self) -> float:
        """Of the held-out errors, in units of the spread under which it was fitted."""
        return self.held_out.score(self.spread)


def fit_basis(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    spread: Spread,
    settings: FitSettings,
    start: Fitted | None = None,
) -> Fitted:
    """Fit one basis to labels in their (shuffled) order.

    Parameters
    ----------
    spread : of these labels, in the same order
    start : a fit to the same labels with another basis, near which this one's hyperparameters are looked for
    """
    features = Features(basis)
    prior = SmoothnessPrior.for_basis(basis)
    model = BayesianLinear(prior, n_members=settings.n_members, seed=settings.seed)
    first = range(min(_FIRST_LABELS, len(labelled)))
    model.fit_batch([equations(features, labelled[i], baseline, spread, i) for i in first])
    sums = FoldSums(model.fitted.scale, min(N_FOLDS, len(labelled)))
    for i, pair in enumerate(labelled):
        for block in equations(features, pair, baseline, spread, i):
            sums.add(i % len(sums.folds), block)
    sums.close()
    model = model.refitted(sums.total(), len(labelled))
    if start is None or start.model.fitted.x.shape != model.fitted.x.shape:  # another number of orders
        model.tune(settings.tune_evaluations)
    else:
        model.set_hyperparameters(_moved(start.evidence_x, model))
        model.tune(WARM)
    evidence_x = model.fitted.x.copy()
    balance = None
    if model.n_labels >= ENOUGH:
        examiner = Examiner(basis, baseline, labelled, len(sums.folds))

        def score(x: FloatArray) -> float:
            return examiner.errors(unscaled_fold_means(model, sums, x)).score(spread)

        balance = balance_noise(model, sums.kinds, score, None if start is None else start.balance)
    else:
        hold_noise(model)
    return Fitted(basis, baseline, labelled, spread, model, sums, evidence_x, balance)


def unscaled_fold_means(model: BayesianLinear, sums: FoldSums, x: FloatArray) -> list[FloatArray]:
    """Coefficients of each fold's model under the hyperparameters x, (n_columns,) each."""
    return [mean / sums.scale for mean in fold_means(model.prior, sums, x)]


def _moved(start: FloatArray, model: BayesianLinear) -> FloatArray:
    """The start, inside this model's box."""
    low, high = np.array(model.prior.bounds(model.fitted.centre)).T
    return np.clip(start, low, high)

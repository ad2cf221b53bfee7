"""One basis fitted to labels: sums over folds, hyperparameters by the evidence and by held-out errors.

Rows are made once, label by label, and only their sums are kept; a fold costs one factorisation more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

import numpy as np

from thalweg.features import AceBasis, Features
from thalweg.features.design import design_rows
from thalweg.features.sharing import in_order
from thalweg.fitting.balance import TAME, balance, unknown_starts, with_virials
from thalweg.fitting.data import Labelled, Spread, equations
from thalweg.fitting.examiner import Examiner
from thalweg.fitting.held_out import HeldOutErrors
from thalweg.models import BayesianLinear, Kind, Observation, SmoothnessPrior
from thalweg.models.folds import FoldSums, out_of_fold
from thalweg.models.noise import hold_noise
from thalweg.models.training import Baseline
from thalweg.structure import FloatArray

N_FOLDS = 5
ENOUGH = 20
"""Labels from which held-out errors decide about noise; below, it is held near the forces'."""
FRESH, WARM = 18, 12
"""Evaluations of held-out errors where nothing is known, and from hyperparameters of another basis."""
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
    tune_evaluations : most evaluations of the evidence, where no other basis shows where to start
    effort : work allowed to the choice of the basis, over the default (`thalweg.fitting.climb`)
    tame : what an e-fold less prior variance may cost in held-out errors (`thalweg.fitting.balance`)
    """

    n_members: int = 8
    seed: int = 1
    confidence: float = 0.95
    tune_evaluations: int = 40
    effort: float = 1.0
    tame: float = TAME


@dataclass(frozen=True, eq=False)
class Start:
    """Hyperparameters that one fit hands to the next: of which prior, and from what kinds of labels."""

    prior: SmoothnessPrior
    x: FloatArray
    kinds: set[Kind]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model of one basis, and what it makes of labels that it has not seen.

    Attributes
    ----------
    labelled : the labels in shuffled order, none of an isolated atom; label i is in fold i mod n_folds
    sums : over all folds but one
    examined : held-out errors that the search for hyperparameters has found, where there was one
    """

    basis: AceBasis
    baseline: Baseline
    labelled: Labelled
    spread: Spread
    model: BayesianLinear
    sums: FoldSums
    examined: HeldOutErrors | None = None

    @property
    def n_folds(self) -> int:
        """Folds."""
        return self.sums.n_folds

    @cached_property
    def held_out(self) -> HeldOutErrors:
        """What the models that have not seen a fold make of it."""
        if self.examined is not None:
            return self.examined
        examiner = Examiner(self.basis, self.baseline, self.labelled, self.n_folds)
        return examiner.examine(unscaled_fold_means(self.model, self.sums)).errors

    @property
    def start(self) -> Start:
        """For a fit with another basis."""
        return Start(self.model.prior, self.model.fitted.x.copy(), self.sums.kinds)

    def score(self) -> float:
        """Of the held-out errors."""
        return self.held_out.score


def fit_basis(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    spread: Spread,
    settings: FitSettings,
    start: Start | None = None,
    steps: int = WARM,
) -> Fitted:
    """Fit one basis to labels in their (shuffled) order.

    Parameters
    ----------
    spread : of these labels, in the same order
    start : hyperparameters found with another basis, near which this one's are looked for
    steps : evaluations of held-out errors from there
    """
    features = Features(basis)
    prior = SmoothnessPrior.for_basis(basis)
    model = BayesianLinear(prior, n_members=settings.n_members, seed=settings.seed)
    examiner = Examiner(basis, baseline, labelled, min(N_FOLDS, len(labelled)))
    observations = _observations(features, labelled, baseline, spread, examiner)
    first = list(islice(observations, _FIRST_LABELS))
    model.fit_batch(first)
    sums = FoldSums(model.fitted.scale, examiner.n_folds)
    for i, observation in enumerate(chain(first, observations)):
        for block in observation:
            sums.add(i % sums.n_folds, block)
    sums.close()
    model = model.refitted(sums.total(), len(labelled))
    if start is None:
        model.tune(settings.tune_evaluations)
        starts, steps = unknown_starts(model, sums.kinds), FRESH
    else:
        model.set_hyperparameters(_carried(start, model.prior))
        starts = [model.fitted.x.copy()]
        if Kind.VIRIAL in sums.kinds - start.kinds:
            starts = with_virials(model, starts[0])
    examined = None
    if model.n_labels >= ENOUGH:
        examined = balance(model, sums, examiner, starts, steps, settings.tame)
    else:
        hold_noise(model)
    return Fitted(basis, baseline, labelled, spread, model, sums, examined)


def _observations(
    features: Features, labelled: Labelled, baseline: Baseline, spread: Spread, examiner: Examiner
) -> Iterator[Observation]:
    """The equations of each label, whose design rows the examiner is given."""

    def of(i: int) -> Observation:
        rows = design_rows(features, labelled[i][0])
        examiner.keep(i, rows)
        return equations(rows, labelled[i], baseline, spread, i)

    return in_order(of, range(len(labelled)))


def unscaled_fold_means(model: BayesianLinear, sums: FoldSums) -> list[FloatArray]:
    """Coefficients of each fold's model, (n_columns,) each, under the hyperparameters of the whole."""
    return [own.mean / sums.scale for own in out_of_fold(model.prior, sums, model.fitted.x)]


def _carried(start: Start, prior: SmoothnessPrior) -> FloatArray:
    """Another basis' hyperparameters; an order that it lacks has the amplitude of its highest."""
    n_there, n_here = start.prior.n_prior - 2, prior.n_prior - 2
    amplitudes = np.append(start.x[:n_there], np.repeat(start.x[n_there - 1], max(n_here - n_there, 0)))
    return np.concatenate([amplitudes[:n_here], start.x[n_there:]])

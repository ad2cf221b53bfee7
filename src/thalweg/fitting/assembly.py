"""One basis fitted to labels: sums over folds, hyperparameters by the evidence and by held-out errors.

Rows are made once, label by label, and only their sums are kept; a fold costs one factorisation more. The search for
hyperparameters may begin more than once from the same sums, and takes more steps where a step costs little
(thalweg.fitting.work).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice

import numpy as np

from thalweg.features import AceBasis, Features
from thalweg.features.design import DesignRows, design_rows
from thalweg.features.sharing import in_order
from thalweg.fitting.balance import TAME, balance, unknown_starts, with_virials
from thalweg.fitting.data import Labelled, Spread, equations
from thalweg.fitting.examiner import Examiner
from thalweg.fitting.held_out import HeldOutErrors
from thalweg.fitting.work import N_FOLDS, Extent
from thalweg.label import Label
from thalweg.models import BayesianLinear, Observation, RowKind, SmoothnessPrior
from thalweg.models.fold_rows import folds_for
from thalweg.models.folds import Folds, out_of_fold
from thalweg.models.noise import hold_noise
from thalweg.models.training import Baseline
from thalweg.structure import FloatArray, Structure

ENOUGH = 10
"""Labels from which held-out errors decide, about the basis too; below, noise is held near the forces'."""
STEPS = (6, 24)
"""Fewest and most evaluations of held-out errors in a search."""
SEARCH = 3e10
"""Operations that a search may take for more than the fewest steps."""
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
    effort : work allowed to the choice of the basis, over the default; above 1 the price of a step up the ladder of
        sizes is divided by it (`thalweg.fitting.climb`)
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
    kinds: set[RowKind]


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
    sums: Folds
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
        examiner = Examiner(self.basis, self.baseline, self.labelled, self.n_folds, spread=self.spread)
        return examiner.examine(unscaled_fold_means(self.model, self.sums)).errors

    @property
    def start(self) -> Start:
        """For a fit with another basis."""
        return Start(self.model.prior, self.model.fitted.x.copy(), self.sums.kinds)

    def score(self) -> float:
        """Of the held-out errors."""
        return self.held_out.score


@dataclass(eq=False)
class Design:
    """Design rows of labels in one basis; where they are `kept`, another spread of the labels needs no new ones."""

    basis: AceBasis
    kept: bool = False
    _rows: dict[int, DesignRows] = field(default_factory=dict)

    def rows(self, i: int, pair: tuple[Structure, Label]) -> DesignRows:
        """Those of label i; of stress only where it is labelled."""
        if i in self._rows:
            return self._rows[i]
        made = design_rows(Features(self.basis), pair[0], stress=pair[1].stress is not None)
        if self.kept:
            self._rows[i] = made
        return made


@dataclass(frozen=True, eq=False)
class Assembly:
    """The equations of labels in one basis.

    Attributes
    ----------
    labelled, spread : in the same (shuffled) order
    first : the model of the first labels alone, which sets the features' scale and the hyperprior
    """

    basis: AceBasis
    baseline: Baseline
    labelled: Labelled
    spread: Spread
    settings: FitSettings
    first: BayesianLinear
    sums: Folds
    examiner: Examiner

    @property
    def steps(self) -> int:
        """Evaluations of held-out errors in a search."""
        return steps_for(Extent.of(self.labelled, self.basis.r_cut), self.basis)

    def near(self, start: Start, steps: int | None = None) -> Fitted:
        """Fitted with hyperparameters looked for near those of another basis."""
        model = self._model()
        model.set_hyperparameters(_carried(start, model.prior))
        starts = [model.fitted.x.copy()]
        if RowKind.VIRIAL in self.sums.kinds - start.kinds:
            starts = with_virials(model, starts[0])
        return self._searched(model, starts, steps or self.steps)

    def anew(self, steps: int | None = None) -> Fitted:
        """Fitted with hyperparameters looked for from the evidence's, and at places that know nothing."""
        model = self._model()
        model.tune(self.settings.tune_evaluations)
        return self._searched(model, unknown_starts(model, self.sums.kinds), steps or self.steps)

    def searched(self, start: Start | None, steps: int | None = None) -> Fitted:
        """Fitted near a start, where there is one, or anew."""
        return self.anew(steps) if start is None else self.near(start, steps)

    def _model(self) -> BayesianLinear:
        model = self.first.refitted(self.sums.total(), len(self.labelled))
        model.kept = self.sums.kept()
        return model

    def _searched(self, model: BayesianLinear, starts: list[FloatArray], steps: int) -> Fitted:
        examined = None
        if model.n_labels >= ENOUGH:
            examined = balance(model, self.sums, self.examiner, starts, steps, self.settings.tame)
        else:
            hold_noise(model)
        return Fitted(self.basis, self.baseline, self.labelled, self.spread, model, self.sums, examined)


def steps_for(extent: Extent, basis: AceBasis) -> int:
    """Evaluations of held-out errors that a search in a basis is given: fewer where each takes more work."""
    return int(np.clip(SEARCH / extent.step(basis), *STEPS))


def assemble(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    spread: Spread,
    settings: FitSettings,
    design: Design | None = None,
) -> Assembly:
    """Make the rows of labels in their (shuffled) order, and add them up; `spread` is in the same order.

    `design` has the design rows of these labels in this basis, or makes them.
    """
    prior = SmoothnessPrior.for_basis(basis)
    model = BayesianLinear(prior, n_members=settings.n_members, seed=settings.seed)
    examiner = Examiner(basis, baseline, labelled, min(N_FOLDS, len(labelled)), spread=spread)
    design = Design(basis) if design is None else design
    observations = _observations(design, labelled, baseline, spread, examiner)
    first = list(islice(observations, _FIRST_LABELS))
    n_rows = sum(len(block.targets) for observation in first for block in observation)
    if len(labelled) > len(first):
        n_rows = Extent.of(labelled, basis.r_cut).n_rows
    sums = folds_for(model.begin(first).scale, examiner.n_folds, n_rows)
    for i, observation in enumerate(chain(first, observations)):
        for block in observation:
            sums.add(i % sums.n_folds, block)
    sums.close()
    return Assembly(basis, baseline, labelled, spread, settings, model, sums, examiner)


def fit_basis(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    spread: Spread,
    settings: FitSettings,
    start: Start | None = None,
    steps: int | None = None,
) -> Fitted:
    """Fit one basis to labels in their (shuffled) order.

    Parameters
    ----------
    spread : of these labels, in the same order
    start : hyperparameters found with another basis, near which this one's are looked for
    steps : evaluations of held-out errors, if not as many as the work allows
    """
    return assemble(labelled, basis, baseline, spread, settings).searched(start, steps)


def _observations(
    design: Design, labelled: Labelled, baseline: Baseline, spread: Spread, examiner: Examiner
) -> Iterator[Observation]:
    """The equations of each label, whose design rows the examiner is given."""

    def of(i: int) -> Observation:
        rows = design.rows(i, labelled[i])
        examiner.keep(i, rows)
        return equations(rows, labelled[i], baseline, spread, i)

    return in_order(of, range(len(labelled)))


def unscaled_fold_means(model: BayesianLinear, sums: Folds) -> list[FloatArray]:
    """Coefficients of each fold's model, (n_columns,) each, under the hyperparameters of the whole."""
    return [own.mean / sums.scale for own in out_of_fold(model.prior, sums, model.fitted.x)]


def _carried(start: Start, prior: SmoothnessPrior) -> FloatArray:
    """Another basis' hyperparameters; an order that it lacks has the amplitude of its highest."""
    n_there, n_here = start.prior.n_prior - 2, prior.n_prior - 2
    amplitudes = np.append(start.x[:n_there], np.repeat(start.x[n_there - 1], max(n_here - n_there, 0)))
    return np.concatenate([amplitudes[:n_here], start.x[n_there:]])

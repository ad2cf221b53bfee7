"""One basis fitted to labels: sums over folds, hyperparameters by the evidence, noise by held-out errors.

Rows are made once, label by label, and only their sums are kept; a fold costs one factorisation more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.features import AceBasis, Features
from thalweg.fitting.data import Labelled, Spread, equations
from thalweg.models import BayesianLinear, Kind, SmoothnessPrior
from thalweg.models.folds import FoldSums, HeldOut, balance_noise, fold_means, held_out_error
from thalweg.models.noise import hold_noise
from thalweg.models.training import Baseline
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import FloatArray

N_FOLDS = 5
ENOUGH = 20
"""Labels from which held-out errors decide about noise; below, it is held near the forces'."""
WARM = 6
"""Evaluations of the evidence from hyperparameters of another basis, which are nearly right."""
_NOTHING = 1e-12
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
    held_out : root mean square errors; None for a single label
    """

    basis: AceBasis
    baseline: Baseline
    labelled: Labelled
    spread: Spread
    model: BayesianLinear
    sums: FoldSums
    held_out: HeldOut | None

    @property
    def n_folds(self) -> int:
        """Folds."""
        return len(self.sums.folds)


def typical_error(fitted: Fitted) -> dict[Kind, float]:
    """Mean absolute held-out errors of energies (eV per sqrt(atom)) and force components (eV/Å).

    Each over the label's spread. Among thousands of labels a few are like no other, and a root mean square is about
    these; bases are compared by what they make of the rest.
    """
    means = fold_means(fitted.model.prior, fitted.sums, fitted.model.fitted.x)
    energy, forces = [], []
    for k, mean in enumerate(means):
        potential = _bare_potential(fitted, mean / fitted.sums.scale)
        for i in range(k, len(fitted.labelled), fitted.n_folds):
            structure, label = fitted.labelled[i]
            prediction = potential.predict(structure)
            error = abs(prediction.energy - label.energy) / np.sqrt(len(structure))
            energy.append(error / fitted.spread.of(Kind.ENERGY, i))
            if label.has_forces:
                error = np.abs(prediction.forces - label.forces).mean()
                forces.append((len(structure), float(error) / fitted.spread.of(Kind.FORCES, i)))
    n_atoms, errors = np.array(forces).T
    return {Kind.ENERGY: float(np.mean(energy)), Kind.FORCES: float(np.average(errors, weights=n_atoms))}


def typical_score(fitted: Fitted) -> float:
    """Mean log of the typical errors: what bases are compared by; the less the better."""
    values = np.array(list(typical_error(fitted).values()))
    return float(np.mean(np.log(np.maximum(values, _NOTHING))))


def _bare_potential(fitted: Fitted, weights: FloatArray) -> Potential:
    """Weights (n_columns,) as a potential that says nothing of its uncertainty."""
    n, p = len(fitted.basis.elements), fitted.basis.n_features
    zbl = None if fitted.baseline.zbl is None else fitted.baseline.zbl.cutoffs
    bounds = ErrorBounds(0.95, np.ones(n), np.zeros(n))
    return Potential(
        fitted.basis,
        weights.reshape(n, p),
        np.zeros((1, n, p)),
        fitted.baseline.reference_energies,
        zbl,
        None,
        bounds,
    )


def fit_basis(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    spread: Spread,
    settings: FitSettings,
    start: FloatArray | None = None,
) -> Fitted:
    """Fit one basis to labels in their (shuffled) order.

    Parameters
    ----------
    spread : of these labels, in the same order
    start : hyperparameters of a fit to the same labels with another basis
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
    model, held_out = settle(model.refitted(sums.total(), len(labelled)), sums, settings, start)
    return Fitted(basis, baseline, labelled, spread, model, sums, held_out)


def settle(
    model: BayesianLinear, sums: FoldSums, settings: FitSettings, start: FloatArray | None = None
) -> tuple[BayesianLinear, HeldOut | None]:
    """Hyperparameters of a model by evidence and held-out errors, in place."""
    evaluations = settings.tune_evaluations
    if start is not None and start.shape != model.fitted.x.shape:
        start = None  # another number of orders
    if start is not None:
        model.set_hyperparameters(_moved(start, model))
        evaluations = WARM
    model.tune(evaluations)
    if model.n_labels >= ENOUGH:
        return model, balance_noise(model, sums, start)
    hold_noise(model)
    return model, held_out_error(model.prior, sums, model.fitted.x) if len(sums.folds) > 1 else None


def _moved(start: FloatArray, model: BayesianLinear) -> FloatArray:
    """The start, inside this model's box."""
    low, high = np.array(model.prior.bounds(model.fitted.centre)).T
    return np.clip(start, low, high)

"""A second model of the same labels: as large, with the same hyperparameters, of another radial exponent.

It costs the rows of one basis more and three factorisations, and no search. What it says otherwise is what the
potential's own basis cannot see of itself (thalweg.potential.misfit).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

from thalweg.features import AceBasis, Features
from thalweg.features.design import design_rows
from thalweg.features.sharing import in_order
from thalweg.fitting.data import Labelled, Spread, equations
from thalweg.models import BayesianLinear, Observation, SmoothnessPrior
from thalweg.models.gram import Grams
from thalweg.models.training import Baseline
from thalweg.potential import Alternative
from thalweg.potential.misfit import other_exponent
from thalweg.structure import FloatArray

_FIRST_LABELS, _LABELS_AT_ONCE = 32, 8
"""From which the features' scale is taken; whose rows are added up together."""


def make_alternative(
    labelled: Labelled,
    basis: AceBasis,
    baseline: Baseline,
    x: FloatArray,
    spread: Spread | None = None,
) -> Alternative:
    """The alternative of a model of `basis` with the hyperparameters x, fitted to the same labels.

    Parameters
    ----------
    labelled : none of an isolated atom
    x : float64 ndarray, shape (n_hyperparameters,)
    spread : of these labels; None: all alike
    """
    other = replace(basis, radial_exponent=other_exponent(basis.radial_exponent))
    return Alternative(other, _fitted(labelled, other, baseline, x, spread or Spread.alike(len(labelled))))


def _fitted(
    labelled: Labelled, basis: AceBasis, baseline: Baseline, x: FloatArray, spread: Spread
) -> FloatArray:
    """Weights (n_elements, p), eV."""
    observations = _observations(labelled, basis, baseline, spread)
    model = BayesianLinear(SmoothnessPrior.for_basis(basis), n_members=1)
    first = list(islice(observations, _FIRST_LABELS))
    model.fit_batch(first)
    grams = Grams(basis.n_columns)
    everything = chain(first, observations)
    while some := list(islice(everything, _LABELS_AT_ONCE)):
        grams.add_many([block for one in some for block in one], model.fitted.scale)
    whole = model.refitted(grams, len(labelled))
    whole.set_hyperparameters(x)
    return whole.mean.reshape(len(basis.elements), basis.n_features)


def _observations(
    labelled: Labelled, basis: AceBasis, baseline: Baseline, spread: Spread
) -> Iterator[Observation]:
    features = Features(basis)

    def of(i: int) -> Observation:
        return equations(design_rows(features, labelled[i][0]), labelled[i], baseline, spread, i)

    return in_order(of, range(len(labelled)))

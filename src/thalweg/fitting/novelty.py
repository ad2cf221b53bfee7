"""The novelty of a fit: distances from all its labels, in units of what folds find of each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from thalweg.features import AceBasis, Features
from thalweg.features.batch import species_of
from thalweg.fitting.data import Labelled
from thalweg.models.environments import NoveltyModel
from thalweg.neighbours import neighbour_counts
from thalweg.structure import FloatArray
from thalweg.uncertainty.novelty import NoveltyFit
from thalweg.uncertainty.reach import model_of_folds

MOST_LEFT_OUT = 200
"""Labels of a fold whose novelties count: a quantile of thousands of environments needs no more."""


def fold_novelty(labelled: Labelled, basis: AceBasis, n_folds: int) -> NoveltyModel:
    """The novelty model of labels of which label i is in fold i mod n_folds, as `thalweg.fitting.final` has them."""
    features = Features(basis)

    def of(k: int) -> Iterator[tuple[FloatArray, NDArray[np.integer]]]:
        for structure, _ in islice(labelled[k::n_folds], MOST_LEFT_OUT):
            yield features.phi([structure]), species_of(structure, basis.elements)

    folds = []
    for k in range(n_folds):
        fit = NoveltyFit(len(basis.elements), basis.n_features)
        for structure, _ in labelled[k::n_folds]:
            species, counts = (
                species_of(structure, basis.elements),
                neighbour_counts(structure, basis.r_cut),
            )
            fit.add(features.phi([structure]), species, counts)
        folds.append(fit)
    return model_of_folds(folds, of)

"""The native force fields of a potential: the mean with its committee and novelty, and the alternative alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg import _native
from thalweg.errors import core_refusals
from thalweg.features.evaluate import Features
from thalweg.features.zbl import ZblBaseline
from thalweg.models.environments import NoveltyModel
from thalweg.structure import FloatArray

if TYPE_CHECKING:
    from thalweg.potential.potential import Potential


def whole_field(potential: Potential, *, mixed: bool) -> _native.LinearForceField:
    """Mean, committee and novelty, in mixed or double precision."""
    novelty = None if potential.novelty is None else _native_novelty(potential.novelty)
    return _field(potential, potential.features, potential.weights, potential.committee, novelty, mixed=mixed)


def field_of_alternative(potential: Potential) -> _native.LinearForceField | None:
    """The alternative above the same baseline; None where there is none."""
    alternative = potential.alternative
    if alternative is None:
        return None
    nobody = np.zeros((0, *alternative.weights.shape))
    return _field(potential, Features(alternative.basis), alternative.weights, nobody, None, mixed=False)


def _field(
    potential: Potential,
    features: Features,
    weights: FloatArray,
    deltas: FloatArray,
    novelty: _native.NoveltyModel | None,
    *,
    mixed: bool,
) -> _native.LinearForceField:
    zbl = None if potential.zbl is None else ZblBaseline(potential.elements, potential.zbl).native
    with core_refusals():
        return _native.LinearForceField(
            features.native, weights, deltas, potential.reference_energies, novelty, zbl, mixed
        )


def _native_novelty(novelty: NoveltyModel) -> _native.NoveltyModel:
    return _native.NoveltyModel(
        mean=novelty.mean,
        scale=novelty.scale,
        components=novelty.components,
        factors=novelty.inv_lambda,
        rest=novelty.inv_rest,
        fewest_neighbors=novelty.fewest_neighbours,
    )

"""How far new environments reach, measured on environments that a distance has not seen: the unit and limit of novelty.

In a fit, folds of the labels are left out whole. In a run, every audit is a structure drawn at random whose novelty was
known before it was learned. Both know what leaving out one environment at a time cannot: atoms of one structure are
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import check
from thalweg.models.environments import TOO_FEW_NEIGHBOURS, NoveltyModel
from thalweg.structure import FloatArray
from thalweg.uncertainty.novelty import QUANTILE, NoveltyFit

FIRST_LIMIT = 1.5
"""Limit of novelty while there are fewer than ENOUGH_AUDITS audits: about 1 % of fresh environments are beyond it."""
ENOUGH_AUDITS = 20
WINDOW = 60
"""Audits that count, the last ones: environments become less novel as labels come."""
LIMIT_QUANTILE = 0.997

Environments = Iterable[tuple[FloatArray, NDArray[np.integer]]]


def model_of_folds(folds: Sequence[NoveltyFit], environments: Callable[[int], Environments]) -> NoveltyModel:
    """The distance from the environments of all folds, in units of what each fold finds of the others.

    Parameters
    ----------
    folds : one fit for the labels of each fold
    environments : of a fold's number, features (n, p) and element indices (n,) of its environments, part by part

    An element that is met in fewer than two folds keeps the unit that leaving out one environment at a time gives.
    """
    whole = NoveltyFit.merged(folds)
    if len(folds) < 2:
        return whole.model()
    found: list[list[FloatArray]] = [[] for _ in range(whole.n_elements)]
    for k in range(len(folds)):
        others = NoveltyFit.merged([fold for number, fold in enumerate(folds) if number != k])
        if not others.has_environments:
            continue
        distance, known = others.bare_model(), others.known
        for phi, species in environments(k):
            novelty = distance(phi, species)
            for element in np.unique(species):
                if known[element]:
                    found[element].append(novelty[species == element])
    model, own = whole.bare_model(), whole.model()
    units = np.sqrt(model.inv_rest / own.inv_rest)
    for element, distances in enumerate(found):
        if distances:
            units[element] = max(float(np.quantile(np.concatenate(distances), QUANTILE)), 1e-6)
    return model.in_units_of(units)


@dataclass(frozen=True)
class NoveltyRecord:
    """Novelties of the last audits, atom by atom, each by the model that had not learned the structure."""

    audits: tuple[tuple[float, ...], ...] = ()

    def after(self, novelty: FloatArray) -> NoveltyRecord:
        """The record with one audit more; `novelty` (n_atoms,)."""
        return NoveltyRecord((*self.audits, tuple(float(v) for v in novelty))[-WINDOW:])

    @property
    def limit(self) -> float:
        """Beyond it, an environment is asked about however sure the committee is."""
        if len(self.audits) < ENOUGH_AUDITS:
            return FIRST_LIMIT
        return self._quantile(LIMIT_QUANTILE)

    @property
    def reach(self) -> float:
        """Novelty below which 99 % of the environments lie that walkers meet, at least 1."""
        return 1.0 if len(self.audits) < ENOUGH_AUDITS else self._quantile(QUANTILE)

    def _quantile(self, share: float) -> float:
        values = np.array([value for audit in self.audits for value in audit])
        # The guard of lost neighbours is no distance.
        values = values[values < TOO_FEW_NEIGHBOURS]
        return max(1.0, float(np.quantile(values, share))) if len(values) else 1.0

    def to_json(self) -> list[list[float]]:
        """Plain data; floats survive json exactly."""
        return [list(audit) for audit in self.audits]

    @classmethod
    def from_json(cls, data: Sequence[Sequence[Any]]) -> NoveltyRecord:
        """Inverse of `to_json`."""
        check(len(data) <= WINDOW, f"novelty: at most {WINDOW} audits are kept, got {len(data)}")
        return cls(tuple(tuple(float(v) for v in audit) for audit in data))

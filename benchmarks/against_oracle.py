"""How far a potential is from its oracle on labelled structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from thalweg.label import Label
from thalweg.potential import Potential
from thalweg.structure import Structure


@dataclass(frozen=True)
class Accuracy:
    """Errors of forces, and what the bounds said of them.

    force_rmse : eV/Å, over components
    force_error_quantile : eV/Å, 95 % quantile over atoms of |F_model - F_oracle|
    within : share of atoms whose error is below the target
    coverage : share of atoms whose error is below the predicted bound; None without calibrated bounds
    bound_median : eV/Å, median predicted bound; None likewise
    energy_rmse : eV/atom
    """

    n_structures: int
    force_rmse: float
    force_error_quantile: float
    within: float
    coverage: float | None
    bound_median: float | None
    energy_rmse: float

    def row(self, name: str) -> dict[str, Any]:
        """For a table."""
        return {"structures": name, **asdict(self)}


def accuracy(
    potential: Potential,
    labelled: Sequence[tuple[Structure, Label]],
    *,
    force_error: float = 0.15,
    bounded: bool = True,
) -> Accuracy:
    """Predict them all and compare; `force_error` is the target in eV/Å.

    `bounded`: whether the potential's bounds are calibrated, and therefore worth a comparison.
    """
    differences, bounds, energies = [], [], []
    for structure, label in labelled:
        prediction = potential.predict(structure)
        differences.append(prediction.forces - label.forces)
        bounds.append(prediction.forces_bound)
        energies.append((prediction.energy - label.energy) / len(structure))
    errors = np.linalg.norm(np.concatenate(differences), axis=1)
    bound = np.concatenate(bounds)
    return Accuracy(
        n_structures=len(labelled),
        force_rmse=float(np.sqrt(np.mean(np.concatenate(differences) ** 2))),
        force_error_quantile=float(np.quantile(errors, 0.95)),
        within=float(np.mean(errors <= force_error)),
        coverage=float(np.mean(errors <= bound)) if bounded else None,
        bound_median=float(np.median(bound)) if bounded else None,
        energy_rmse=float(np.sqrt(np.mean(np.square(energies)))),
    )

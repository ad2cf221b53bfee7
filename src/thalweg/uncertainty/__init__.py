"""Uncertainty: committee deviation, novelty and extrapolation grade."""

from thalweg.models.environments import NoveltyModel
from thalweg.uncertainty.committee import energy_uncertainty, forces_deviation, max_devi_f
from thalweg.uncertainty.extrapolation import ActiveSets, find_active_sets
from thalweg.uncertainty.novelty import NoveltyFit

__all__ = [
    "ActiveSets",
    "NoveltyFit",
    "NoveltyModel",
    "energy_uncertainty",
    "find_active_sets",
    "forces_deviation",
    "max_devi_f",
]

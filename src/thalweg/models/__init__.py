"""Models: from features to energy, with a posterior."""

from thalweg.models.linear import BayesianLinear
from thalweg.models.observation import Block, Observation, RowKind
from thalweg.models.prior import SmoothnessPrior

__all__ = [
    "BayesianLinear",
    "Block",
    "Observation",
    "RowKind",
    "SmoothnessPrior",
]

"""Models: from features to energy, with a posterior."""

from thalweg.models.linear import BayesianLinear
from thalweg.models.observation import Block, Kind, Observation
from thalweg.models.prior import SmoothnessPrior
from thalweg.models.saving import load_model, save_model

__all__ = ["BayesianLinear", "Block", "Kind", "Observation", "SmoothnessPrior", "load_model", "save_model"]

"""What to ask next: scores of candidates, and greedy batches of them."""

from thalweg.acquisition.batch import Candidate, Choice, Context, Strategy, farthest_points, select_batch
from thalweg.acquisition.scores import (
    ForceCovariance,
    condition,
    force_covariance,
    information_gain,
    log_det_gain,
    worst_deviation,
)

__all__ = [
    "Candidate",
    "Choice",
    "Context",
    "ForceCovariance",
    "Strategy",
    "condition",
    "farthest_points",
    "force_covariance",
    "information_gain",
    "log_det_gain",
    "select_batch",
    "worst_deviation",
]

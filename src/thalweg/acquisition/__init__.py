"""What to ask next: scores of candidates, and greedy batches of them."""

from thalweg.acquisition.batch import SCORES, Candidate, Context, Pick, Strategy, select_batch
from thalweg.acquisition.scores import (
    ForceCovariance,
    condition,
    force_covariance,
    information_gain,
    log_det_gain,
    worst_deviation,
)

__all__ = [
    "SCORES",
    "Candidate",
    "Context",
    "ForceCovariance",
    "Pick",
    "Strategy",
    "condition",
    "force_covariance",
    "information_gain",
    "log_det_gain",
    "select_batch",
    "worst_deviation",
]

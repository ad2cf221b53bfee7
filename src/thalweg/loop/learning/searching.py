"""Where a learner's hyperparameters come from: the evidence at first, left-out labels once a basis was chosen by them.

The evidence takes the errors of a structure's rows for independent; where the basis is what limits a fit they are not,
and it trusts energies too little. From ENOUGH labels on what each leaves to a model of the others says better how they
weigh, as in a fit (thalweg.fitting.balance).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from thalweg.errors import ModelError
from thalweg.fitting.assembly import ENOUGH
from thalweg.fitting.left_out_fit import Hyper, fit_left_out
from thalweg.models.noise import hold_noise

if TYPE_CHECKING:
    from thalweg.loop.learning.learner import Learner

TUNE_EVALUATIONS = 20
"""The most evaluations of the evidence in a search; from near the goal a few are enough."""
TUNE_ENOUGH = (0.1, 0.5)
"""Gain in log evidence that is worth another one, in the first search and in later ones."""
LEFT_OUT_EVALUATIONS = 16
"""Evaluations of the errors of left-out labels."""

Search = Callable[["Learner"], None]
"""Moves the hyperparameters of a learner's model, in place."""


def by_evidence(learner: Learner) -> None:
    """To the most evidence, the noise of energies and virials held near the forces'."""
    learner.model.tune(TUNE_EVALUATIONS, enough=TUNE_ENOUGH[bool(learner.tunings)])
    hold_noise(learner.model)


def by_left_out(learner: Learner) -> None:
    """To the least error of left-out labels; by the evidence while labels are few, or one has absurd numbers."""
    if learner.n_labels < ENOUGH:
        return by_evidence(learner)
    model = learner.model
    start = Hyper(model.prior, model.fitted.x)
    steps, scale = LEFT_OUT_EVALUATIONS, model.fitted.scale
    try:
        found = fit_left_out(learner.labelled, learner.basis, learner.baseline, start, steps, scale)
    except ModelError:
        return by_evidence(learner)
    model.set_hyperparameters(found.hyper.x)

"""A run's look for a better basis, as it is performed: labels from the store, what came of it into the state."""

from __future__ import annotations

import time
from collections.abc import Sequence

from thalweg.labelling.question import QuestionKind
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.rebasing import Met, is_due, look_for_basis, work_of_block
from thalweg.loop.learning.relearning import temperature_of
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling.teller import Teller
from thalweg.store import Store
from thalweg.uncertainty.reach import NoveltyRecord

__all__ = ["is_due", "look_round", "work_of_block"]


def look_round(
    setup: Setup,
    state: LoopState,
    learner: Learner,
    store: Store,
    tell: Teller,
    under_way: Sequence[int],
) -> Learner:
    """The learner to go on with, in a better basis where there is one; `state` has what else changes with it.

    `under_way` are the numbers of questions put and not answered.
    """
    start = time.perf_counter()
    found = look_for_basis(setup, state, learner, _met(store), under_way)
    n_before = len(state.basing.choices)
    state.calibration, state.basing, state.tunings = found.calibration, found.basing, found.learner.tunings
    if found.learner is not learner:
        state.novelty = NoveltyRecord()  # distances in the features of the basis before
    for choice in state.basing.choices[n_before:]:
        tell.basis(state.policy.iteration, choice, time.perf_counter() - start)
    return found.learner


def _met(store: Store) -> list[Met]:
    return [(QuestionKind(record.kind), temperature_of(record, store)) for record in store.labels_in_order()]

"""Makes the learner of a run, fresh for the seeds or relearned from the store at a resume, and its potential."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.calibration import Calibration
from thalweg.features.batch import numbers_of
from thalweg.features.zbl import ZblBaseline
from thalweg.label import Label
from thalweg.loop.learning.comparing import error_bounds
from thalweg.loop.learning.learner import Learner
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.models.training import Baseline, estimate_reference_energies
from thalweg.potential import Potential
from thalweg.store import Store
from thalweg.structure import Structure

ReferenceEnergies = dict[int, float] | None


def make_learner(setup: Setup, energies: ReferenceEnergies) -> Learner:
    """A learner that knows nothing yet but the isolated atoms, where the oracle gives them."""
    elements = setup.basis.elements
    reference = _in_order(energies, elements) if energies else np.zeros(len(elements))
    return Learner(
        setup.basis,
        Baseline(elements, reference, ZblBaseline(elements)),
        n_members=setup.config.model.committee,
        seed=setup.config.seed,
    )


def with_fitted_energies(learner: Learner, labelled: Sequence[tuple[Structure, Label]]) -> Learner:
    """The same learner, its reference energies fitted to the seeds."""
    elements = learner.basis.elements
    fitted = estimate_reference_energies(
        [s for s, _ in labelled], [one.energy for _, one in labelled], elements
    )
    baseline = Baseline(elements, fitted, learner.baseline.zbl)
    return Learner(learner.basis, baseline, n_members=learner.model.n_members, seed=learner.model.seed)


def relearn(setup: Setup, state: LoopState, store: Store, energies: ReferenceEnergies) -> Learner:
    """The learner as it was at the checkpoint, from the labels in their order."""
    labelled = [(record.structure, record.label) for record in store.labels_in_order()]
    learner = make_learner(setup, energies)
    if energies is None:
        learner = with_fitted_energies(learner, labelled[: state.n_first])
    learner.replay(state.n_first, labelled, state.tunings)
    return learner


def make_potential(setup: Setup, learner: Learner, calibration: Calibration, oracle: str) -> Potential:
    """The calibrated potential as learned so far, and where it comes from; `oracle` is the oracle's fingerprint."""
    provenance = {
        "oracle": oracle,
        "n_labels": learner.n_labels,
        "charges": _charges(setup),
        "target_force_error": setup.rules.target.force_error,
        "system": [structure.content_hash for structure in setup.structures],
    }
    return learner.potential(error_bounds(calibration, numbers_of(learner.basis.elements)), provenance)


def _charges(setup: Setup) -> list[int]:
    """Of the start structures, and where they leave it open of the oracle's section."""
    given = getattr(setup.config.oracle, "charge", None) or 0
    own = {given if structure.charge is None else structure.charge for structure in setup.structures}
    return sorted(own)


def _in_order(
    energies: dict[int, float], elements: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([energies[number] for number in numbers_of(elements)])

"""Makes the learner of a run, fresh for the seeds or relearned from the store at a resume, and its potential."""

from __future__ import annotations

from itertools import islice

import numpy as np

from thalweg.calibration import Calibration
from thalweg.features.batch import numbers_of
from thalweg.features.zbl import ZblBaseline
from thalweg.fitting.alternative import make_alternative
from thalweg.fitting.references import Labelled, References, find_references
from thalweg.label import Label
from thalweg.labelling.question import Reason
from thalweg.loop.learning.basing import Basing
from thalweg.loop.learning.comparing import error_bounds
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.searching import by_evidence, by_left_out
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.models.training import Baseline
from thalweg.potential import N_DRAWS, Alternative, Potential
from thalweg.store import LabelRecord, Store
from thalweg.structure import Structure

ReferenceEnergies = dict[int, float] | None
AS_CONFIGURED = Basing()
"""Nothing chosen yet."""


def references_of(setup: Setup, energies: ReferenceEnergies, first: Labelled) -> References:
    """Reference energies by the rule of `fit`: the oracle's isolated atoms where they go with the first labels."""
    atoms = [] if energies is None else [_atom(number, energy) for number, energy in sorted(energies.items())]
    return find_references([*first, *atoms], setup.basis.elements, setup.basis.r_cut)


def _atom(number: int, energy: float) -> tuple[Structure, Label]:
    alone = Structure(np.array([number]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=np.bool_))
    return alone, Label(energy, np.zeros((1, 3)))


def make_learner(setup: Setup, references: References, basing: Basing = AS_CONFIGURED) -> Learner:
    """A learner that knows nothing yet but the reference energies, in the basis in force."""
    elements = setup.basis.elements
    return Learner(
        basing.present(setup.basis),
        Baseline(elements, references.energies, ZblBaseline(elements)),
        n_members=setup.config.model.committee,
        seed=setup.config.seed,
        search=by_evidence if basing.basis is None else by_left_out,
    )


def relearn(setup: Setup, state: LoopState, store: Store, energies: ReferenceEnergies) -> Learner:
    """The learner as it was at the checkpoint, from the labels in their order."""
    labelled = [(record.structure, record.label) for record in store.labels_in_order()]
    references = references_of(setup, energies, labelled[: state.n_first])
    learner = make_learner(setup, references, state.basing)
    learner.replay(state.basing.n_batch or state.n_first, labelled, state.tunings)
    return learner


def alternative_of(learner: Learner, store: Store) -> Alternative:
    """The model of another radial exponent, from the labels learned so far."""
    records = islice(store.labels_in_order(), learner.n_labels)
    labelled = [(record.structure, record.label) for record in records]
    return make_alternative(labelled, learner.basis, learner.baseline, learner.model.fitted.x)


def make_potential(
    setup: Setup,
    learner: Learner,
    calibration: Calibration,
    oracle: str,
    alternative: Alternative | None = None,
    *,
    reach: float = 1.0,
) -> Potential:
    """The calibrated potential as learned so far, and where it comes from.

    `oracle` is the oracle's fingerprint, `reach` the unit of novelty (`thalweg.uncertainty.reach`). The alternative is
    made for the finished potential; one that is saved meanwhile goes without.
    """
    provenance = {
        "oracle": oracle,
        "n_labels": learner.n_labels,
        "charges": _charges(setup),
        "target_force_error": setup.rules.target.force_error,
        "system": [structure.content_hash for structure in setup.structures],
    }
    bounds = error_bounds(calibration, numbers_of(learner.basis.elements))
    draws = learner.model.member_deltas(N_DRAWS)
    potential = learner.potential(bounds, provenance, reach=reach)
    return potential.stating(draws, calibration.widening, alternative)


def temperature_of(record: LabelRecord, store: Store) -> float | None:
    """Of the walker (K) that met the labelled structure; None where no walker did."""
    question = None if record.question_id is None else store.find_question(record.question_id)
    return None if question is None else Reason.from_json(question.reason).temperature


def _charges(setup: Setup) -> list[int]:
    """Of the start structures, and where they leave it open of the oracle's section."""
    given = getattr(setup.config.oracle, "charge", None) or 0
    own = {given if structure.charge is None else structure.charge for structure in setup.structures}
    return sorted(own)

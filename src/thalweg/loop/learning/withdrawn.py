"""Continues a run without withdrawn labels (`thalweg labels RUN --withdraw`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from thalweg.calibration import Calibration
from thalweg.errors import StoreError
from thalweg.labelling.question import QuestionKind
from thalweg.loop.deciding.audit_record import AuditRecord
from thalweg.loop.deciding.policy import retarget
from thalweg.loop.learning.comparing import (
    STREAMS,
    audit_record,
    evident,
    predict,
    prequential,
    stated_energy,
)
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.relearning import ReferenceEnergies, make_learner, references_of, temperature_of
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.store import LabelRecord, Store, TaskState
from thalweg.uncertainty.reach import NoveltyRecord


def heed_withdrawals(state: LoopState, store: Store) -> bool:
    """Set withdrawn structures aside, and drop withdrawn questions; returns whether the model must be learned again.

    To be called whenever a state is recalled, and for a fresh one.
    """
    gone = store.withdrawn_structures()
    state.set_aside -= {record.structure_hash for record in store.withdrawals()} - gone
    state.set_aside |= gone
    left = [number for number in state.under_way if store.question(number).state is not TaskState.WITHDRAWN]
    if len(left) < len(state.under_way):
        state.under_way = left
        state.policy = dataclasses.replace(state.policy, under_way=len(left), held=())
    return bool(store.withdrawn_since_checkpoint())


def learn_anew(setup: Setup, state: LoopState, store: Store, energies: ReferenceEnergies) -> Learner:
    """The learner of the labels that are left; in `state`, all that labels have taught is made again.

    The labels are learned in their order, each predicted before, so that calibration, audits and points of tuning
    are those of a run that never had the others, and had the basis now in force from the start. Certification and
    time walked begin at zero, and walkers at their start: they had walked on forces that knew what was withdrawn.
    Calls stay counted.

    Raises
    ------
    StoreError
        No label is left: the run has to begin with a fresh state.
    """
    records = list(store.labels_in_order())
    if not records:
        raise StoreError("all labels were withdrawn: there is nothing to learn from")
    n_first = _first_ones_left(state, store) or min(state.n_first, len(records))
    first = [(record.structure, record.label) for record in records[:n_first]]
    state.basing = state.basing.anew()
    learner = make_learner(setup, references_of(setup, energies, first), state.basing)
    learner.learn_first(first)
    audits = _learn_in_turn(learner, state, records[n_first:], store)
    state.n_first, state.tunings = n_first, learner.tunings
    scale, n_labels = learner.force_scale, len(records)
    policy = dataclasses.replace(
        state.policy, n_labels=n_labels, audits=audits, force_scale=scale, learn_until=0, stalled=0
    )
    state.policy = retarget(policy, setup.rules, target_changed=True, explore_changed=True)
    state.walkers = setup.walkers()
    state.homes = list(state.walkers)
    state.starts, state.legs, state.left_at = [], [], {}
    return learner


def _learn_in_turn(
    learner: Learner, state: LoopState, records: Sequence[LabelRecord], store: Store
) -> tuple[AuditRecord, ...]:
    """Predict and learn label after label, from a calibration that knows nothing; returns what audits found."""
    state.calibration, audits = Calibration(state.calibration.spec), []
    state.novelty = NoveltyRecord()
    for record in records:
        structure, label, kind = record.structure, record.label, QuestionKind(record.kind)
        temperature = temperature_of(record, store)
        prediction = predict(learner, structure, state.calibration, temperature)
        residuals = learner.residuals(STREAMS[kind], structure, label)
        if kind is QuestionKind.AUDIT:
            stated = stated_energy(state.calibration, residuals, structure)
            audit = audit_record(learner.n_labels, structure, prediction, label, None, stated)
            audits += [one for one in (evident(audit, prediction),) if one is not None]
            if prediction.novelty is not None:
                state.novelty = state.novelty.after(prediction.novelty)
        state.calibration = prequential(
            state.calibration, STREAMS[kind], structure, prediction, label, residuals, temperature
        )
        learner.learn(structure, label)
    return tuple(audits)


def _first_ones_left(state: LoopState, store: Store) -> int:
    """How many of the labels that were learned together are left. Places are those at each withdrawal."""
    n_first = state.n_first
    for record in store.withdrawn_since_checkpoint():
        n_first -= record.sequence is not None and record.sequence <= n_first
    return n_first

"""How an invocation begins: with a fresh state or that of the last checkpoint, and with what changed settings touch."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.config import RunConfig, describe_changes, validate
from thalweg.errors import StoreError
from thalweg.explorers.explorer import AnyExplorer
from thalweg.labelling.question import QuestionKind
from thalweg.loop.deciding.policy import retarget
from thalweg.loop.deciding.policy_state import PolicyState, Rules
from thalweg.loop.deciding.stopping import StopReason
from thalweg.loop.learning.withdrawn import heed_withdrawals
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.oracles.base import Oracle
from thalweg.store import HANDED, Store, TaskState
from thalweg.structure import Structure

EXPLORED = tuple(
    f"explore.{key}"
    for key in ("temperature", "walkers", "strain", "ensemble", "pressure", "coupling", "dissociation")
)
"""Settings with which walkers go elsewhere."""
FINGERPRINT = "oracle_fingerprint"
"""Name under which the store keeps the fingerprint of the run's oracle."""
REFUSED = "refused"
"""Name under which the store keeps that the oracle answered nothing: the next start asks all anew."""
RELAXED = "relaxed"
"""Name under which the store keeps the hashes of the start structures as they were relaxed."""
_SPENT = "calls_without_answer"
"""Name under which the store keeps the calls of starts at which the oracle answered nothing."""
CHANGED_EARLY = "changed_before_checkpoint"
"""Name under which the store keeps that settings changed before there was a checkpoint."""


def recall(store: Store, explorer: AnyExplorer) -> LoopState | None:
    """The state at the last checkpoint, whatever came after it rewound; None where a run is new."""
    store.rewind()
    checkpoint = store.last_checkpoint()
    return None if checkpoint is None else LoopState.from_json(checkpoint.state, explorer)


def fresh_state(config: RunConfig, store: Store) -> LoopState:
    """The state of a run that has learned nothing yet.

    Where the oracle had answered nothing at an earlier start, what ailed it may be cured: all is asked again, and the
    calls it took then still count.
    """
    spec = CalibrationSpec(confidence=config.target.confidence)
    if store.meta(REFUSED):
        with store.transaction():
            store.set_meta(_SPENT, int(store.meta(_SPENT, 0)) + store.forget_failures())
            store.set_meta(REFUSED, False)
    spent = int(store.meta(_SPENT, 0))
    return LoopState(
        PolicyState(calls=spent, failed=spent), np.random.default_rng(config.seed), Calibration(spec)
    )


def with_relaxed(setup: Setup, store: Store) -> Setup:
    """The setup with the start structures as they were relaxed when the run began; unchanged where they were not."""
    names = store.meta(RELAXED)
    if names is None:
        return setup
    return dataclasses.replace(setup, structures=tuple(store.structure(name) for name in names))


def without_withdrawn(
    state: LoopState, store: Store, config: RunConfig, fingerprint: str
) -> tuple[LoopState, bool]:
    """The state without what was withdrawn, and whether the model must be learned again from the labels left.

    Where none is left the run begins with a fresh state; its calls still count.
    """
    anew = heed_withdrawals(state, store)
    if not anew or store.labels_in_order():
        return state, anew
    calls = state.policy.calls
    state = fresh_state(config, store)
    state.policy = dataclasses.replace(state.policy, calls=calls)
    count_ahead(state, store, fingerprint)
    heed_withdrawals(state, store)
    return state, False


def n_waiting(store: Store, oracle: Oracle, state: LoopState) -> int:
    """Structures that were handed in and wait for a label that the oracle may give."""
    return sum(
        question.structure_hash not in state.set_aside
        and not store.is_learned(question.structure_hash, oracle.fingerprint)
        for question in store.questions(kind=HANDED)
        if question.state in (TaskState.WAITING, TaskState.QUARANTINED)
    )


def count_ahead(state: LoopState, store: Store, fingerprint: str) -> None:
    """Count every call of which the store knows, those for the questions under way apart.

    A run that goes on under other settings may ask in another order, or not ask again at all what it had asked since
    its last checkpoint; what that cost counts now. Where it does ask again, it is not counted twice.
    """
    aside = {QuestionKind.CHECK.value, QuestionKind.PROPERTY.value}
    asked = {question.id: question for question in store.questions()}
    attempts, labels = store.attempts(), store.all_labels()
    made = [(one.question_id, one.failure.oracle) for one in attempts]
    made += [(one.question_id, one.label.oracle) for one in labels if one.question_id is not None]
    made = [one for one in made if one[0] not in state.under_way and asked[one[0]].kind not in aside]
    calls = len(made) + _withdrawn(store) + int(store.meta(_SPENT, 0))
    state.policy = dataclasses.replace(state.policy, calls=max(calls, state.policy.calls))
    known = state.set_aside | {one.structure.content_hash for one in labels if one.sequence is not None}
    waiting = Counter(asked[number].structure_hash for number, oracle in made if oracle in ("", fingerprint))
    state.ahead = {name: n for name, n in waiting.items() if name not in known}


def _withdrawn(store: Store) -> int:
    """Calls whose labels were withdrawn."""
    return sum(record.label_number is not None or record.energy is not None for record in store.withdrawals())


def last_config(store: Store) -> RunConfig | None:
    """The configuration that the run last went with; None where it has not begun."""
    runs = store.runs()
    return validate(runs[-1].config, source="saved configuration") if runs else None


def register(store: Store, setup: Setup, oracle: Oracle, folder: Path) -> list[str]:
    """Write down that the run goes on with `setup`; returns what differs from the time before, in words.

    Start structures are compared by their content: files may move, and one that has changed under its old name is
    another system. While nothing was labelled there is nothing that anything would not fit to.

    Raises
    ------
    StoreError
        Labels of another system or oracle do not belong into this run.
    """
    config, before = setup.config, last_config(store)
    if before is not None and _has_labels(store):
        _check_same_system(store, before, config, folder, setup.structures)
        _check_same_oracle(store, before, config, folder, oracle)
        if before.model != config.model.model_copy(update={"basis": before.model.basis}):
            raise _another(folder, "was started with another `model` section", "undo the change")
    store.set_meta(FINGERPRINT, oracle.fingerprint)
    changes = [] if before is None else describe_changes(before, config)
    settings = {"settings": changes} if changes else {}
    store.start_run(config.model_dump(mode="json"), settings, structures=setup.structures)
    return changes


def _has_labels(store: Store) -> bool:
    """Whether anything was labelled that is learned; isolated atoms and the like are not."""
    if store.last_checkpoint() is not None or store.withdrawals():
        return True
    return any(QuestionKind(record.kind).is_learned for record in store.all_labels())


def _check_same_oracle(
    store: Store, before: RunConfig, config: RunConfig, folder: Path, oracle: Oracle
) -> None:
    """By its fingerprint, all that changes a number; by its section where an older Thalweg kept none."""
    known = store.meta(FINGERPRINT)
    same = before.oracle == config.oracle if known is None else known == oracle.fingerprint
    if not same:
        raise _another(folder, "was started with another `oracle` section", "undo the change")


def _check_same_system(
    store: Store, before: RunConfig, config: RunConfig, folder: Path, structures: Sequence[Structure]
) -> None:
    known, now = store.runs()[-1].structures, [structure.content_hash for structure in structures]
    if known is None:  # written by an older Thalweg
        if before.system != config.system:
            raise _another(folder, "was started with another `system` section", "undo the change")
        return
    if sorted(known) == sorted(now):
        return
    if len(known) != len(now):
        what = f"was started with {len(known)} start structures, now there are {len(now)}"
        raise _another(folder, what, "set `system` back")
    first = next(k for k, (one, other) in enumerate(zip(known, now, strict=True)) if one != other)
    formula = structures[first].to_atoms().get_chemical_formula()
    files = ", ".join(config.system.paths)
    what = f"was started with another start structure {first + 1} of {len(now)} ({formula}; files: {files})"
    raise _another(folder, what, "restore the old structure")


def _another(folder: Path, what: str, cure: str) -> StoreError:
    return StoreError(
        f"{folder}: this run {what}; labels and model would not match. "
        f"Choose another run folder (--run FOLDER), or {cure}"
    )


def adopt(state: LoopState, setup: Setup, changes: Sequence[str], *, handed: int) -> None:
    """Let changed settings take effect in a state that was recalled, and reopen a run that has more to do now."""
    policy, rules = state.policy, setup.rules
    if not changes:
        if _stopped_by_the_clock(policy, rules) or (handed and policy.calls < rules.oracle_calls):
            state.policy = retarget(policy, rules, target_changed=False)
        return
    explore_changed = any(line.startswith(EXPLORED) for line in changes)
    state.policy = retarget(
        policy,
        rules,
        target_changed=any(line.startswith("target.") for line in changes),
        explore_changed=explore_changed,
    )
    if explore_changed and state.walkers:
        _send_elsewhere(state, setup)


def _send_elsewhere(state: LoopState, setup: Setup) -> None:
    """Walkers as now configured: those that can go on do, at their new temperature; the others start again."""
    fresh = setup.walkers()
    # one that had moved on to another start begins again at its own
    stayed = [state.start_of(k) in (None, k % len(setup.structures)) for k in range(len(state.walkers))]
    kept = [
        setup.explorer.redirect(old, new, state.rng) if here else new
        for old, new, here in zip(state.walkers, fresh, stayed, strict=False)
    ]
    state.starts, state.legs, state.left_at = [], [], {}
    state.walkers = kept + fresh[len(kept) :]
    state.homes = list(state.walkers)


def _stopped_by_the_clock(policy: PolicyState, rules: Rules) -> bool:
    """Whether the wall-time budget ended the run with more to do: then the same command goes on.

    Any other end waits for what is under way.
    """
    verdict = policy.verdict
    to_do = policy.calls < rules.oracle_calls or policy.under_way > 0
    return verdict is not None and verdict.reason is StopReason.BUDGET and to_do

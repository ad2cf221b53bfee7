"""How an invocation begins: with a fresh state or that of the last checkpoint, and with what changed settings touch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.config import RunConfig, describe_changes, validate
from thalweg.errors import StoreError
from thalweg.loop.deciding.policy import retarget
from thalweg.loop.deciding.policy_state import PolicyState, Rules
from thalweg.loop.deciding.stopping import StopReason
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.walking import exploration
from thalweg.store import SqliteStore

EXPLORED = tuple(
    f"explore.{key}" for key in ("temperature", "walkers", "strain", "ensemble", "pressure", "coupling")
)
"""Settings with which walkers go elsewhere."""


def recall(store: SqliteStore) -> LoopState | None:
    """The state at the last checkpoint, whatever came after it rewound; None where a run is new."""
    store.rewind()
    checkpoint = store.last_checkpoint()
    return None if checkpoint is None else LoopState.from_json(checkpoint.state)


def fresh_state(config: RunConfig) -> LoopState:
    """The state of a run that has done nothing yet."""
    spec = CalibrationSpec(confidence=config.target.confidence)
    return LoopState(PolicyState(), np.random.default_rng(config.seed), Calibration(spec))


def last_config(store: SqliteStore) -> RunConfig | None:
    """The configuration that the run last went with; None where it has not begun."""
    runs = store.runs()
    return validate(runs[-1].config, source="saved configuration") if runs else None


def register(store: SqliteStore, config: RunConfig, folder: Path) -> list[str]:
    """Write down that the run goes on with `config`; returns what differs from the time before, in words.

    Raises
    ------
    StoreError
        Labels of another system or oracle do not belong into this run.
    """
    before = last_config(store)
    for part in ("system", "oracle", "model"):
        if before is not None and getattr(before, part) != getattr(config, part):
            raise StoreError(
                f"{folder}: this run was started with another `{part}` section; labels and model would "
                "not fit together. Choose another run folder (--run FOLDER), or set it back"
            )
    changes = [] if before is None else describe_changes(before, config)
    store.start_run(config.model_dump(mode="json"), {"settings": changes} if changes else {})
    return changes


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
    """Walkers as now configured: those that can go on do, at their new temperature; the others start afresh."""
    fresh = setup.walkers()
    kept = [
        exploration.rethermalise(old, new.temperature, state.rng)
        if setup.md.ensemble == "npt" or np.array_equal(old.structure.cell, new.structure.cell)
        else new
        for old, new in zip(state.walkers, fresh, strict=False)
    ]
    state.walkers = kept + fresh[len(kept) :]
    state.homes = list(state.walkers)


def _stopped_by_the_clock(policy: PolicyState, rules: Rules) -> bool:
    """Whether the wall-time budget ended the run with more to do: then the same command goes on.

    Any other end waits for what is under way.
    """
    verdict = policy.verdict
    to_do = policy.calls < rules.oracle_calls or policy.under_way > 0
    return verdict is not None and verdict.reason is StopReason.BUDGET and to_do

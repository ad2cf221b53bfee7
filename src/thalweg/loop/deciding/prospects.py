"""Whether walking on can lead anywhere, and what a verdict given now would not speak of."""

from __future__ import annotations

from thalweg.loop.deciding import stopping
from thalweg.loop.deciding.ground import describe_ground
from thalweg.loop.deciding.policy_state import PolicyState, Rules

STALLED = 100
"""Blocks in a row without a step and without a call after which a run ends."""
BLIND = 5
"""Audits without a single force that does not vanish by symmetry, after which there is nothing to certify."""
PATIENCE = 20.0
"""Walkers go on for at most this many times the asked-for time in search of a certificate."""


def in_vain(state: PolicyState, rules: Rules) -> str | None:
    """Why walking on would lead nowhere; None where it may lead somewhere."""
    if state.stalled > STALLED:
        return "walkers cannot move: all stand where the model breaks down and the oracle gives no answer"
    if state.slowest_fs > PATIENCE * rules.time_fs:
        return f"time spent: walkers went {PATIENCE:g} times as far as asked without a certificate"
    walked = state.slowest_fs >= rules.time_fs
    if walked and not state.present_audits and state.blind_audits >= BLIND:
        return stopping.all_blind(state.blind_audits)
    return None


def scope(state: PolicyState, rules: Rules) -> str:
    """What the audits at hand, those of the certificate where there is one, say nothing about."""
    audits = stopping.certified_audits(state.certification, state.audits) or state.present_audits
    return describe_ground(state.ground, audits, rules.target, sent_back=rules.sends_back)

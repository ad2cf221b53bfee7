"""What to do next: a pure function of the state and the last event. No clock, no I/O, no model.

    event            state                                     actions
    Started          no label yet                              LabelSeeds
                     labels there                              Explore
    SeedsAnswered                                              Checkpoint, Explore
    BlockEnded       audits due by walked time                 DrawAudits, Ask
                     questions in the queue                    Ask
                     neither                                   as after Answered
    any of these     questions under way, no walker can go     Receive
                     structures handed in, calls left          Checkpoint, AskHanded
    Answered         target certified and the time walked      Checkpoint, Stop
                     budget spent, or no gain in sight         Checkpoint, Stop
                     otherwise                                 Checkpoint, Explore

Phases, and the limits of the bound: policy_state.py.
"""

from __future__ import annotations

import dataclasses
import math

from thalweg.loop.deciding import stopping
from thalweg.loop.deciding.ground import covered
from thalweg.loop.deciding.policy_state import (
    LIMIT_RATIO,
    Phase,
    PolicyState,
    Rules,
    break_limit,
    label_limit,
)
from thalweg.loop.deciding.prospects import in_vain, scope
from thalweg.loop.deciding.stopping import Budget, Certification, Verdict
from thalweg.loop.events import (
    Action,
    Answered,
    Ask,
    AskHanded,
    BlockEnded,
    DrawAudits,
    Explore,
    LabelSeeds,
    LoopEvent,
    OutOfTime,
    Receive,
    SaveCheckpoint,
    SeedsAnswered,
    Started,
    Stop,
)

TIGHTEN = 0.75
"""Factor on that ratio when a window of audits was dropped as hopeless or failed its look."""
BLOCK_GROWTH = 1.4
"""Blocks grow by this factor after one without a question, and shrink by it after one with."""
LONGEST_BLOCK = 20.0
"""Longest block over the configured one."""
CERTIFY_BLOCKS = 10.0
"""While certifying, a block is at most the asked-for time over this: audits a good way apart, but no farther."""
LEARN_FIRST = 1.15
"""After audits that showed the target missed, labels grow by this factor before the next window of audits."""
QUIET = 5
"""Blocks without a question after which there is nothing left to learn at the present limit."""


Decision = tuple[PolicyState, tuple[Action, ...]]


def decide(state: PolicyState, event: LoopEvent, rules: Rules) -> Decision:
    """The next state and what is to be done, in order."""
    match event:
        case Started(handed=handed):
            return _start(dataclasses.replace(state, handed=handed), rules)
        case SeedsAnswered():
            seeded = dataclasses.replace(
                state,
                phase=Phase.EXPLORE,
                calls=state.calls + event.calls,
                failed=state.failed + event.failed,
                n_labels=event.labels,
                force_scale=event.force_scale,
                block_fs=rules.block_fs,
                walked_fs=(0.0,) * rules.walkers,
            )
            return _go_on(seeded, rules)
        case BlockEnded():
            return _after_block(state, event, rules)
        case Answered():
            return _after_answers(state, event, rules)
        case OutOfTime():
            message = (
                f"wall time spent after {state.calls} oracle calls; run the same command again to continue"
            )
            return _stop(state, Verdict(True, stopping.StopReason.BUDGET, message, {}))


def retarget(
    state: PolicyState, rules: Rules, *, target_changed: bool, explore_changed: bool = False
) -> PolicyState:
    """A run resumed with other settings: it goes on, and what the settings touch is judged again.

    The errors of the audits do not depend on the target, but a certificate does. Audits of other trajectories than
    those now walked certify nothing about these: after a change of exploration certification begins at zero.
    """
    walked = (state.walked_fs + (0.0,) * rules.walkers)[: rules.walkers]
    state = dataclasses.replace(state, verdict=None, walked_fs=walked if state.n_labels else ())
    if target_changed:
        certification = stopping.advance(Certification(), state.audits, rules.target)
        state = dataclasses.replace(state, certification=certification, limit_ratio=LIMIT_RATIO)
    if explore_changed:
        walked = (0.0,) * rules.walkers if state.n_labels else ()
        state = dataclasses.replace(
            state,
            certification=Certification.begun_after(state.audits),
            audits_before=len(state.audits),
            ground=(),
            walked_fs=walked,
            quiet=0,
            held=(),
            elsewhere=state.under_way > 0,
        )
    phase = _phase(state, rules) if state.n_labels else Phase.SEED
    return dataclasses.replace(state, phase=phase)


def _start(state: PolicyState, rules: Rules) -> Decision:
    if state.phase is Phase.SEED:
        return state, (LabelSeeds(),)
    return _go_on(state, rules)


def _after_block(state: PolicyState, event: BlockEnded, rules: Rules) -> Decision:
    walked = tuple(a + b for a, b in zip(state.walked_fs, event.advanced_fs, strict=True))
    due, remainder = _audits_due(state, sum(event.advanced_fs), rules)
    state = dataclasses.replace(
        state,
        iteration=state.iteration + 1,
        walked_fs=walked,
        ground=covered(state.ground, event.stretches),
        audited_fs=remainder,
        block_fs=_next_block(state, event.questions > 0, rules),
        quiet=0 if event.questions else state.quiet + 1,
        stalled=state.stalled + 1 if sum(event.advanced_fs) == 0 else 0,
    )
    left = state.calls_left(rules)
    due = max(0, min(due, left))
    if due or event.questions:
        draw: tuple[Action, ...] = (DrawAudits(due),) if due else ()
        spare = left - due
        if state.phase is Phase.CERTIFY:
            # A walker that cannot move must be answered, or neither it nor the run would ever come to an end.
            stuck = sum(advanced <= 0.0 for advanced in event.advanced_fs) - len(state.held)
            spare = min(spare, max(stuck, spare - _reserve(state, rules)))
        return state, (*draw, Ask(min(rules.batch, spare)))
    return _go_on(state, rules)


def _audits_due(state: PolicyState, advanced_fs: float, rules: Rules) -> tuple[int, float]:
    """Audits to draw from the block just walked, by walked time alone, and the time not yet audited."""
    if state.phase is Phase.CERTIFY:
        return rules.walkers - len(state.held), 0.0
    if state.phase is Phase.PATROL:
        return 0, 0.0
    planned = max(1.0, rules.audit_fraction * rules.oracle_calls)
    interval = rules.walkers * rules.time_fs / planned
    due, remainder = divmod(state.audited_fs + advanced_fs, interval)
    return int(due), remainder


def _next_block(state: PolicyState, asked: bool, rules: Rules) -> float:
    factor = 1 / BLOCK_GROWTH if asked else BLOCK_GROWTH
    longest = LONGEST_BLOCK * rules.block_fs
    if state.phase is Phase.CERTIFY:
        longest = min(longest, max(rules.block_fs, rules.time_fs / CERTIFY_BLOCKS))
    return min(max(state.block_fs * factor, rules.block_fs), longest)


def _after_answers(state: PolicyState, event: Answered, rules: Rules) -> Decision:
    audits = state.audits + event.audits
    certification = (
        Certification.begun_after(audits)
        if state.elsewhere
        else stopping.advance(state.certification, audits, rules.target)
    )
    window_dropped = certification.window_start > state.certification.window_start
    looked = len(certification.failed_looks) > len(state.certification.failed_looks)
    n_labels = state.n_labels + event.queries + len(event.audits) + len(event.blind)
    ratio, learn_until = state.limit_ratio, state.learn_until
    if state.phase is Phase.CERTIFY and (window_dropped or looked):
        ratio = max(ratio * TIGHTEN, 1.0)
        learn_until = math.ceil(LEARN_FIRST * n_labels) if window_dropped else learn_until
    state = dataclasses.replace(
        state,
        learn_until=learn_until,
        calls=state.calls + event.calls,
        failed=state.failed + event.failed,
        n_labels=n_labels,
        stalled=0 if event.calls else state.stalled,
        quiet=0 if learn_until > state.learn_until else state.quiet,
        handed=state.handed if event.waiting is None else event.waiting,
        under_way=event.under_way,
        held=event.held,
        elsewhere=state.elsewhere and event.under_way > 0,
        iteration=state.iteration + (event.waiting is not None),
        force_scale=event.force_scale,
        audits=audits,
        ground=covered(state.ground, event.blind),
        certification=certification,
        limit_ratio=ratio,
    )
    return _go_on(state, rules)


def _phase(state: PolicyState, rules: Rules) -> Phase:
    walked = state.slowest_fs >= rules.time_fs
    if state.certification.certificate is not None:
        return Phase.PATROL
    if walked and (state.n_labels >= state.learn_until or state.quiet >= QUIET):
        return Phase.CERTIFY
    short = state.calls_left(rules) <= _reserve(state, rules)
    return Phase.CERTIFY if state.audits and short else Phase.EXPLORE


def _reserve(state: PolicyState, rules: Rules) -> int:
    """Calls to keep back for a certificate: labels that cannot be certified are worth less to the user."""
    if not state.audits:
        return 0
    n_atoms = state.audits[-1].n_atoms
    clean = Certification(looks=state.certification.looks)
    in_fresh_window = stopping.audits_needed(clean, (), rules.target, n_atoms=n_atoms) or 0
    in_this_window = stopping.audits_needed(state.certification, state.audits, rules.target, n_atoms=n_atoms)
    return in_fresh_window if in_this_window is None else min(in_fresh_window, in_this_window)


def _enter(state: PolicyState, phase: Phase, rules: Rules) -> PolicyState:
    """The state in its phase; certifying begins with a window of audits that is worth filling."""
    if phase is Phase.CERTIFY and state.phase is not Phase.CERTIFY and state.audits:
        n_atoms = state.audits[-1].n_atoms
        certification = stopping.fresh_window(
            state.certification, state.audits, rules.target, n_atoms=n_atoms
        )
        state = dataclasses.replace(state, certification=certification)
    return dataclasses.replace(state, phase=phase)


def _go_on(state: PolicyState, rules: Rules) -> Decision:
    """Stop, or walk another block."""
    state = _enter(state, _phase(state, rules), rules)
    if state.under_way and not _can_go_on(state, rules):
        return state, (Receive(),)
    if state.handed and state.calls < rules.oracle_calls:
        return state, (SaveCheckpoint(), AskHanded(rules.oracle_calls - state.calls))
    walked = state.slowest_fs >= rules.time_fs
    # A flat learning curve says nothing while the label limit can still be tightened.
    exhausted = walked and state.limit_ratio <= 1.0
    points = stopping.learning_points(state.audits)
    forecast = stopping.forecast_gain(points, max(state.n_labels, 1)) if exhausted else None
    budget = Budget(rules.oracle_calls, state.calls)
    verdict = stopping.decide_stop(
        state.certification, state.audits, rules.target, budget, forecast, scope(state, rules)
    )
    if verdict.stop and (walked or verdict.reason is not stopping.StopReason.TARGET):
        return _end(state, verdict)
    if (vain := in_vain(state, rules)) is not None:
        return _end(state, Verdict(True, stopping.StopReason.DIMINISHING, vain, {}))
    limit = label_limit(state, rules)
    explore = Explore(state.block_fs, limit, break_limit(state, rules), state.held)
    return state, (SaveCheckpoint(), explore)


def _can_go_on(state: PolicyState, rules: Rules) -> bool:
    """Whether walkers can go on while questions are under way: one is free, has moved, and has some way left to go.

    Depends on counts and never on the clock, so that a run is the same however long its answers take.
    """
    if state.handed or state.stalled or state.elsewhere or state.calls_left(rules) <= 0:
        return False
    walking = (k for k, walked in enumerate(state.walked_fs) if walked < rules.time_fs)
    return any(k not in state.held for k in walking)


def _end(state: PolicyState, verdict: Verdict) -> Decision:
    """Stop, once every question under way is answered: what has cost a call is learned."""
    return (state, (Receive(),)) if state.under_way else _stop(state, verdict)


def _stop(state: PolicyState, verdict: Verdict) -> Decision:
    state = dataclasses.replace(state, phase=Phase.STOPPED, verdict=verdict)
    return state, (SaveCheckpoint(), Stop(verdict))


def audits_in_sight(state: PolicyState, rules: Rules) -> int | None:
    """How many further audits would certify at the present rate; None when they would not."""
    if not state.audits:
        return None
    n_atoms = state.audits[-1].n_atoms
    return stopping.audits_needed(state.certification, state.audits, rules.target, n_atoms=n_atoms)

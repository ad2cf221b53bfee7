"""The policy is pure: whole runs are played here without a model, an oracle or a clock."""

import dataclasses
import json

import numpy as np
import pytest

from thalweg.loop.deciding.certification import Certification, advance
from thalweg.loop.deciding.ground import Stretch
from thalweg.loop.deciding.policy import decide, retarget
from thalweg.loop.deciding.policy_state import LIMIT_RATIO, Phase, PolicyState, Rules
from thalweg.loop.deciding.prospects import BLIND
from thalweg.loop.deciding.stopping import AuditRecord, StopReason, Target
from thalweg.loop.events import (
    Answered,
    Ask,
    AskHanded,
    BlockEnded,
    DrawAudits,
    Explore,
    LabelSeeds,
    OutOfTime,
    Receive,
    SaveCheckpoint,
    SeedsAnswered,
    Started,
    Stop,
)

RULES = Rules(
    Target(0.15, 0.95, 0.90),
    oracle_calls=300,
    time_fs=5000.0,
    block_fs=100.0,
    walkers=4,
    batch=1,
    audit_fraction=0.08,
)

FRESH = PolicyState()


def audit(state, quality, rng):
    """An audit of nine atoms; `quality` is the probability of an atom's being within the target."""
    errors = np.where(rng.random(9) < quality, 0.05, 0.5)
    return AuditRecord(state.n_labels, tuple(errors), (0.2,) * 9)


def play(rules, quality, *, questions, seed=0, limit=20_000, state=FRESH):
    """Play a run; returns its states and everything it did. `quality(n_labels)`, `questions(n_labels)`."""
    rng = np.random.default_rng(seed)
    event, done, states = Started(), [], []
    for _ in range(limit):
        state, actions = decide(state, event, rules)
        states.append(state)
        done += actions
        drawn, event = 0, None
        for action in actions:
            match action:
                case LabelSeeds():
                    event = SeedsAnswered(calls=8, failed=0, labels=8, force_scale=1.2)
                case Explore(block_fs=block):
                    event = BlockEnded((block,) * rules.walkers, questions(state.n_labels))
                case DrawAudits(n=n):
                    drawn = n
                case Ask(n=n):
                    asked = min(n, questions(state.n_labels))
                    records = tuple(audit(state, quality(state.n_labels), rng) for _ in range(drawn))
                    event = Answered(asked + drawn, 0, asked, records, force_scale=1.2)
                case Stop():
                    return states, done
        assert event is not None
    raise AssertionError("the run did not end")


def test_a_good_model_is_certified_after_the_time_is_walked():
    states, done = play(RULES, lambda n: 0.999, questions=lambda n: int(n < 60))
    stop = done[-1]
    assert stop.verdict.reason is StopReason.TARGET
    assert states[-1].slowest_fs >= RULES.time_fs
    assert states[-1].calls < RULES.oracle_calls


def test_a_bad_model_spends_the_budget_and_never_more():
    states, done = play(RULES, lambda n: 0.6, questions=lambda n: 1)
    assert done[-1].verdict.reason in {StopReason.BUDGET, StopReason.DIMINISHING}
    assert done[-1].verdict.certified == {}
    assert states[-1].calls <= RULES.oracle_calls


@pytest.mark.parametrize("seed", range(5))
def test_no_call_is_made_beyond_the_budget_whatever_is_left(seed):
    rng = np.random.default_rng(seed)
    rules = dataclasses.replace(RULES, oracle_calls=int(rng.integers(9, 60)), batch=int(rng.integers(1, 6)))
    states, _ = play(rules, lambda n: 0.9, questions=lambda n: 4, seed=seed)
    assert max(s.calls for s in states) <= rules.oracle_calls


def test_every_walk_is_preceded_by_a_checkpoint():
    _, done = play(RULES, lambda n: 0.99, questions=lambda n: int(n < 40))
    walks = [k for k, action in enumerate(done) if isinstance(action, Explore)]
    assert walks
    assert all(isinstance(done[k - 1], SaveCheckpoint) for k in walks)


def test_audits_come_by_walked_time_not_by_questions():
    few, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    assert sum(len(s.audits) > 0 for s in few)
    explored = [s for s in few if s.phase is Phase.EXPLORE]
    walked = explored[-1].slowest_fs / RULES.time_fs
    planned = RULES.audit_fraction * RULES.oracle_calls * walked
    assert len(explored[-1].audits) == pytest.approx(planned, abs=0.5 * planned)


def test_a_failed_certificate_tightens_the_label_limit_and_a_good_one_does_not():
    bad, _ = play(RULES, lambda n: 0.85, questions=lambda n: 1)
    assert bad[-1].limit_ratio < LIMIT_RATIO
    assert min(s.limit_ratio for s in bad) >= 1.0
    good, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    assert good[-1].limit_ratio == LIMIT_RATIO


def test_blocks_grow_in_quiet_and_shrink_under_questions():
    quiet, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    busy, _ = play(dataclasses.replace(RULES, oracle_calls=60), lambda n: 0.999, questions=lambda n: 4)
    assert max(s.block_fs for s in quiet) > 5 * RULES.block_fs
    assert max(s.block_fs for s in busy if s.phase is Phase.EXPLORE) == RULES.block_fs


def test_the_state_survives_json_exactly():
    states, _ = play(RULES, lambda n: 0.97, questions=lambda n: 1)
    for state in states[:: max(1, len(states) // 20)]:
        again = PolicyState.from_json(json.loads(json.dumps(state.to_json())))
        assert again == state


def test_resuming_with_a_stricter_target_voids_the_certificate():
    states, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    strict = dataclasses.replace(RULES, target=Target(0.01, 0.95, 0.90))
    again = retarget(states[-1], strict, target_changed=True)
    assert again.certification.certificate is None
    assert again.verdict is None
    _, actions = decide(again, Started(), strict)
    assert isinstance(actions[-1], Explore)
    same = retarget(states[-1], RULES, target_changed=False)
    assert same.certification.certificate is not None


def test_audits_of_other_trajectories_certify_nothing():
    states, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    again = retarget(states[-1], RULES, target_changed=True, explore_changed=True)
    assert again.certification.certificate is None
    more, done = play(RULES, lambda n: 0.999, questions=lambda n: 0, state=again)
    assert done[-1].verdict.reason is StopReason.TARGET
    assert len(more[-1].audits) >= len(states[-1].audits) + 15
    assert more[-1].slowest_fs >= RULES.time_fs


def test_audits_of_other_trajectories_that_are_under_way_certify_nothing_either():
    states, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    before = dataclasses.replace(states[-1], under_way=2, verdict=None)
    state = retarget(before, RULES, target_changed=False, explore_changed=True)
    audit = before.audits[-1]
    for under_way in (1, 0):
        state, actions = decide(state, Started(), RULES)
        assert actions == (Receive(),)  # walkers go elsewhere when all is known of where they were
        assert state.certification.window_start == len(state.audits)
        event = Answered(1, 0, 0, (audit,), force_scale=1.2, under_way=under_way)
        state, actions = decide(state, event, RULES)
    assert isinstance(actions[-1], Explore)
    assert len(state.audits) == len(before.audits) + 2
    assert state.certification.window_start == state.certification.n_seen == len(state.audits)
    assert PolicyState.from_json(json.loads(json.dumps(state.to_json()))) == state
    # The next one is of where walkers are now.
    state, _ = decide(state, Answered(1, 0, 0, (audit,), force_scale=1.2), RULES)
    assert state.certification.window_start == len(state.audits) - 1


def test_a_larger_budget_lets_a_stopped_run_go_on():
    small = dataclasses.replace(RULES, oracle_calls=30)
    states, done = play(small, lambda n: 0.5, questions=lambda n: 1)
    assert done[-1].verdict.reason is StopReason.BUDGET
    resumed = retarget(states[-1], RULES, target_changed=False)
    more, _ = play(RULES, lambda n: 0.5, questions=lambda n: 1, state=resumed)
    assert more[-1].calls > 30


def test_walkers_that_cannot_move_are_asked_about_before_anything_is_kept_back():
    states, _ = play(RULES, lambda n: 0.6, questions=lambda n: 1)
    certifying = next(s for s in states if s.phase is Phase.CERTIFY)
    _, actions = decide(certifying, BlockEnded((0.0,) * 4, 2), RULES)
    assert any(isinstance(action, Ask) and action.n > 0 for action in actions)


def test_walkers_that_cannot_move_and_about_which_nobody_answers_end_the_run():
    states, _ = play(RULES, lambda n: 0.97, questions=lambda n: 1)
    state, event = states[4], BlockEnded((0.0,) * 4, 0)
    for _ in range(1000):
        state, actions = decide(state, event, RULES)
        if isinstance(actions[-1], Stop):
            assert "cannot move" in actions[-1].verdict.message
            return
        event = Answered(0, 0, 0, (), 1.0) if isinstance(actions[-1], Ask) else BlockEnded((0.0,) * 4, 0)
    raise AssertionError("the run did not end")


def test_out_of_wall_time_stops_with_a_word_on_how_to_go_on():
    states, _ = play(RULES, lambda n: 0.97, questions=lambda n: 1)
    state, actions = decide(states[3], OutOfTime(), RULES)
    assert isinstance(actions[-1], Stop)
    assert "same command" in actions[-1].verdict.message
    assert state.phase is Phase.STOPPED


def test_calls_kept_back_for_a_certificate_do_not_hold_a_walker_that_cannot_move():
    rules = dataclasses.replace(RULES, oracle_calls=60, walkers=2, batch=3)
    audits = tuple(AuditRecord(30, (0.05,) * 9, (0.2,) * 9) for _ in range(3))
    state = PolicyState(
        phase=Phase.CERTIFY, calls=50, n_labels=50, walked_fs=(6000.0,) * 2, block_fs=100.0, audits=audits
    )
    moving = decide(state, BlockEnded((100.0, 100.0), 2), rules)[1]
    stuck = decide(state, BlockEnded((0.0, 100.0), 2), rules)[1]
    assert moving == (DrawAudits(2), Ask(0))
    assert stuck == (DrawAudits(2), Ask(1))


WALKING = PolicyState(
    phase=Phase.EXPLORE,
    calls=20,
    n_labels=20,
    walked_fs=(1000.0,) * 4,
    block_fs=100.0,
    force_scale=1.2,
)


def put(under_way, held, calls=0):
    return Answered(calls, 0, calls, (), force_scale=1.2, under_way=under_way, held=held)


def test_walkers_that_have_not_asked_go_on_while_questions_are_under_way():
    state, actions = decide(WALKING, put(3, held=(0, 2)), RULES)
    assert actions == (SaveCheckpoint(), Explore(100.0, 0.3, 1.2, held=(0, 2)))
    assert state.calls_left(RULES) == RULES.oracle_calls - 23
    # They meet nothing: the same again, without waiting.
    state, actions = decide(state, BlockEnded((0.0, 100.0, 0.0, 100.0), 0), RULES)
    assert actions[-1].held == (0, 2)
    # One meets something: what is under way is not granted a second time.
    tight = dataclasses.replace(RULES, oracle_calls=25, batch=5)
    assert decide(state, BlockEnded((0.0, 100.0, 0.0, 100.0), 1), tight)[1][-1] == Ask(2)


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, (0, 1, 2, 3)),  # all have asked
        ({"walked_fs": (1000.0, 5000.0, 6000.0, 5000.0)}, (0,)),  # the others have arrived
        ({"calls": RULES.oracle_calls - 2}, (0,)),  # nobody could ask
        ({"stalled": 1}, (0,)),  # nobody has moved
        ({"handed": 1}, (0,)),  # something comes first
    ],
)
def test_where_no_walker_can_go_on_an_answer_is_awaited(change, held):
    state = dataclasses.replace(WALKING, **change)
    assert decide(state, put(2, held), RULES)[1] == (Receive(),)
    assert Receive() not in decide(state, put(0, ()), RULES)[1]


def test_a_run_ends_when_what_is_under_way_is_answered():
    rules = dataclasses.replace(RULES, time_fs=500.0)
    certified = play(rules, lambda n: 0.999, questions=lambda n: 0)[0][-1]
    reopened = dataclasses.replace(certified, verdict=None, phase=Phase.PATROL, walked_fs=(400.0,) * 4)
    state, actions = decide(reopened, put(2, (1,)), rules)
    assert isinstance(actions[-1], Explore)
    state, actions = decide(state, BlockEnded((100.0, 0.0, 100.0, 100.0), 0), rules)
    assert actions == (Receive(),)
    state, actions = decide(state, put(1, (), calls=1), rules)
    assert actions == (SaveCheckpoint(), Explore(state.block_fs, actions[-1].limit, actions[-1].break_limit))
    state, actions = decide(state, BlockEnded((100.0,) * 4, 0), rules)
    assert actions == (Receive(),)
    state, actions = decide(state, put(0, (), calls=1), rules)
    assert isinstance(actions[-1], Stop)
    assert state.calls == reopened.calls + 2


def test_a_walker_that_is_held_is_not_one_that_cannot_move():
    rules = dataclasses.replace(RULES, oracle_calls=60, walkers=2, batch=3)
    audits = tuple(AuditRecord(30, (0.05,) * 9, (0.2,) * 9) for _ in range(3))
    state = PolicyState(
        phase=Phase.CERTIFY,
        calls=50,
        n_labels=50,
        walked_fs=(1000.0,) * 2,
        block_fs=100.0,
        audits=audits,
        under_way=1,
        held=(0,),
    )
    assert decide(state, BlockEnded((0.0, 100.0), 1), rules)[1] == (DrawAudits(1), Ask(0))
    assert decide(state, BlockEnded((0.0, 0.0), 1), rules)[1] == (DrawAudits(1), Ask(1))


def test_a_run_out_of_time_before_its_first_label_begins_again_with_the_seeds():
    stopped, _ = decide(FRESH, OutOfTime(), RULES)
    again = retarget(stopped, RULES, target_changed=False)
    assert decide(again, Started(), RULES)[1] == (LabelSeeds(),)


def answered_handed(calls, waiting):
    return Answered(calls, 0, calls, (), force_scale=1.2, waiting=waiting)


def test_what_was_handed_in_comes_before_walking_and_once():
    states, _ = play(RULES, lambda n: 0.97, questions=lambda n: 1, state=FRESH)
    state, actions = decide(states[5], Started(handed=3), RULES)
    assert actions == (SaveCheckpoint(), AskHanded(RULES.oracle_calls - state.calls))
    after, actions = decide(state, answered_handed(3, 0), RULES)
    assert (after.calls, after.n_labels, after.handed) == (state.calls + 3, state.n_labels + 3, 0)
    assert after.iteration == state.iteration + 1
    assert isinstance(actions[-1], Explore)
    assert isinstance(decide(states[5], Started(), RULES)[1][-1], Explore)


def test_what_was_handed_in_waits_for_the_seeds():
    state, actions = decide(FRESH, Started(handed=2), RULES)
    assert actions == (LabelSeeds(),)
    _, actions = decide(state, SeedsAnswered(calls=8, failed=0, labels=8, force_scale=1.0), RULES)
    assert actions == (SaveCheckpoint(), AskHanded(RULES.oracle_calls - 8))


def test_a_certified_run_that_is_reopened_answers_and_stops_with_its_certificate():
    states, _ = play(RULES, lambda n: 0.999, questions=lambda n: 0)
    again = retarget(states[-1], RULES, target_changed=False)
    state, actions = decide(again, Started(handed=1), RULES)
    assert isinstance(actions[-1], AskHanded)
    state, actions = decide(state, answered_handed(1, 0), RULES)
    assert isinstance(actions[-1], Stop)
    assert state.verdict == states[-1].verdict
    assert state.iteration == states[-1].iteration + 1


def test_without_a_call_left_nothing_handed_in_is_asked():
    states, _ = play(dataclasses.replace(RULES, oracle_calls=30), lambda n: 0.5, questions=lambda n: 1)
    spent = dataclasses.replace(RULES, oracle_calls=30)
    again = retarget(states[-1], spent, target_changed=False)
    _, actions = decide(again, Started(handed=5), spent)
    assert isinstance(actions[-1], Stop)
    some = dataclasses.replace(RULES, oracle_calls=32)
    state, actions = decide(again, Started(handed=5), some)
    assert actions[-1] == AskHanded(2)
    state, actions = decide(state, answered_handed(2, 3), some)
    assert isinstance(actions[-1], Stop)
    assert state.handed == 3


def test_a_checkpoint_of_before_there_was_a_queue_is_read():
    data = FRESH.to_json()
    del data["handed"]
    assert PolicyState.from_json(data) == FRESH


# ---- the ground ---------------------------------------------------------------------------------------


def test_what_is_walked_adds_up_and_is_forgotten_when_exploration_changes():
    state, _ = decide(WALKING, BlockEnded((100.0,) * 4, 0, (Stretch(0, 300.0, 100.0),)), RULES)
    state, _ = decide(state, BlockEnded((100.0,) * 4, 0, (Stretch(0, 300.0, 50.0, dissociated=1),)), RULES)
    assert state.ground == (Stretch(0, 300.0, 150.0, dissociated=1),)
    assert PolicyState.from_json(json.loads(json.dumps(state.to_json()))) == state
    state = dataclasses.replace(state, audits=(AuditRecord(5, (0.1,), (0.2,)),))
    elsewhere = retarget(state, RULES, target_changed=False, explore_changed=True)
    assert (elsewhere.ground, elsewhere.present_audits) == ((), ())
    stricter = retarget(state, RULES, target_changed=True)
    assert (stricter.ground, len(stricter.present_audits)) == (state.ground, 1)


def blind(n):
    return tuple(Stretch(0, 300.0, blind=1) for _ in range(n))


def test_audits_that_are_no_evidence_end_a_run_that_has_nothing_else():
    walked = dataclasses.replace(WALKING, walked_fs=(RULES.time_fs,) * 4)
    few, actions = decide(walked, Answered(3, 0, 0, (), 1.0, blind=blind(BLIND - 1)), RULES)
    assert not isinstance(actions[-1], Stop)
    assert (few.calls, few.n_labels, few.audits) == (23, WALKING.n_labels + BLIND - 1, ())
    _, actions = decide(few, Answered(1, 0, 0, (), 1.0, blind=blind(1)), RULES)
    assert isinstance(actions[-1], Stop)
    assert "vanishes by symmetry" in actions[-1].verdict.message
    seeing = dataclasses.replace(few, audits=(AuditRecord(5, (0.1,) * 9, (0.2,) * 9),))
    _, actions = decide(seeing, Answered(1, 0, 0, (), 1.0, blind=blind(1)), RULES)
    assert not isinstance(actions[-1], Stop)
    unwalked = dataclasses.replace(few, walked_fs=(0.0,) * 4)
    _, actions = decide(unwalked, Answered(1, 0, 0, (), 1.0, blind=blind(1)), RULES)
    assert not isinstance(actions[-1], Stop)


def test_a_certificate_names_where_its_audits_were_not():
    record = AuditRecord(30, (0.05,) * 9, (0.2,) * 9, start=0, temperature=300.0)
    audits = (record,) * 40
    state = dataclasses.replace(
        WALKING,
        walked_fs=(RULES.time_fs,) * 4,
        audits=audits,
        certification=advance(Certification(), audits, RULES.target),
        ground=(Stretch(0, 300.0, 1.0), Stretch(1, 300.0, 1.0)),
    )
    _, actions = decide(state, Started(), RULES)
    message = actions[-1].verdict.message
    assert message.startswith("target reached")
    assert message.endswith("not audited, and nothing is claimed of it: start 2")

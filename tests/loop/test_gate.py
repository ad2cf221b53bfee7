"""The four answers, one test for each row of the table in `thalweg.loop.walking.gate`."""

import json
import math

import pytest
from blocks import LIMITS, block, moment

from thalweg.explorers.limits import WalkEvent
from thalweg.labelling.question import Reason
from thalweg.loop.walking.gate import CAUSES, SANE_FRACTION, GateAnswer, judge, reason_at


def test_nothing_above_a_label_limit_is_trusted():
    judgement = judge(3, block([moment(1, 0.1), moment(2, 0.19, 2.9)]), LIMITS)
    assert judgement.answer is GateAnswer.TRUST
    assert judgement.walker == 3
    assert judgement.moment is None
    assert judgement.reason is None


def test_above_the_label_limit_the_worst_moment_is_labelled():
    judgement = judge(0, block([moment(1, 0.25), moment(2, 0.41), moment(3, 0.1)]), LIMITS)
    assert judgement.answer is GateAnswer.LABEL
    assert judgement.moment.step == 2
    assert judgement.reason.text == "Cu1 uncertain, 0.41 eV/Å (limit 0.2)"
    assert (judgement.reason.cause, judgement.reason.atom, judgement.reason.element) == ("uncertain", 1, "Cu")


def test_novelty_is_asked_about_where_it_crossed_however_sure_the_committee_is():
    judgement = judge(0, block([moment(1, 0.15), moment(2, 0.05, 4.0), moment(3, 0.05, 5.0)]), LIMITS)
    assert judgement.answer is GateAnswer.LABEL
    assert judgement.moment.step == 2
    assert judgement.reason.cause == "novel"
    assert judgement.reason.text == "Cu1 in an environment not seen before, novelty 4 (limit 3)"


def test_an_atom_that_lost_neighbours_is_said_to_have_lost_them():
    lost = block([moment(1, 0.15), moment(2, 0.05, 1000.0)])
    assert judge(0, lost, LIMITS).reason.text == "Cu1 has fewer neighbours than its like in any label"


def test_above_a_break_limit_the_walker_steps_back_to_where_it_was_well_below():
    sane = SANE_FRACTION * LIMITS.break_ - 0.01
    broken = block(
        [moment(1, 0.1), moment(2, sane), moment(3, 0.55)],
        event=WalkEvent.BREAK_UNCERTAIN,
        value=0.7,
        limit=0.6,
    )
    judgement = judge(0, broken, LIMITS)
    assert judgement.answer is GateAnswer.BACKTRACK
    assert judgement.moment.step == 2
    assert judgement.reason.text == "Cu1 uncertain, 0.7 eV/Å (limit 0.6)"


@pytest.mark.parametrize(
    ("event", "cause"), [(WalkEvent.BREAK_UNCERTAIN, "uncertain"), (WalkEvent.BREAK_NOVEL, "novel")]
)
def test_a_break_without_a_moment_well_below_asks_about_the_last_one_before_it(event, cause):
    judgement = judge(
        0, block([moment(1, 0.55), moment(2, 0.58)], event=event, value=11.0, limit=10.0), LIMITS
    )
    assert judgement.answer is GateAnswer.BACKTRACK
    assert judgement.moment.step == 2
    assert judgement.reason.cause == cause


INSANE = {
    WalkEvent.NOT_FINITE: "energy, forces or positions are not finite",
    WalkEvent.TOO_CLOSE: "Cu1 and Cu0 too close, 0.4 Å (limit 0.5)",
    WalkEvent.TOO_HOT: "too hot, 0.4 K (limit 0.5)",
    WalkEvent.ENERGY_SPIKE: "potential energy rose by 0.4 eV/atom (limit 0.5)",
}


@pytest.mark.parametrize("event", INSANE)
def test_what_is_unphysical_is_stepped_back_from_to_a_trusted_moment(event):
    trajectory = [moment(1, 0.1), moment(2, 0.19), moment(3, 0.45), moment(4, 0.5)]
    judgement = judge(0, block(trajectory, event=event, value=0.4, limit=0.5), LIMITS)
    assert judgement.answer is GateAnswer.BACKTRACK
    assert judgement.moment.step == 2
    assert judgement.reason.text == INSANE[event]
    assert judgement.reason.cause == event.value


def test_where_none_was_trusted_the_last_moment_below_the_break_limit_does():
    judgement = judge(0, block([moment(1, 0.4), moment(2, 0.59)], event=WalkEvent.TOO_HOT), LIMITS)
    assert judgement.answer is GateAnswer.BACKTRACK
    assert judgement.moment.step == 1


@pytest.mark.parametrize("event", INSANE)
def test_what_is_unphysical_with_nothing_sane_before_is_rejected(event):
    judgement = judge(0, block([moment(1, 0.55), moment(2, 0.1, 12.0)], event=event), LIMITS)
    assert judgement.answer is GateAnswer.REJECT
    assert judgement.moment is None
    assert judgement.reason.cause == event.value


def test_every_event_that_stops_or_asks_has_a_cause():
    assert set(CAUSES) == {e for e in WalkEvent if e.is_label or e.is_break or e.is_insane}


def test_the_reason_of_a_moment_names_what_is_above_its_limit():
    assert reason_at(moment(1, 0.3, 9.0), LIMITS).cause == "uncertain"
    assert reason_at(moment(1, 0.1, 9.0), LIMITS).cause == "novel"
    assert reason_at(moment(1, 0.1, 1.0), LIMITS).cause == "uncertain"


def test_a_reason_is_strict_json_also_without_a_limit():
    reason = Reason("random", -1, "", 0.3, math.inf, "drawn at random")
    assert json.loads(json.dumps(reason.to_json(), allow_nan=False))["limit"] is None
    assert Reason("uncertain", 1, "Cu", 0.3, 0.2, "").to_json()["limit"] == 0.2

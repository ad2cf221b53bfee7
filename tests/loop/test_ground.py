"""The table of what was walked and audited, and what a statement does not cover."""

import pytest

from thalweg.loop.deciding.audit_record import AuditRecord, Target
from thalweg.loop.deciding.ground import Stretch, covered, describe_ground, ground_table

TARGET = Target(0.1, 0.9)


def audit(start, temperature, *errors):
    return AuditRecord(5, errors, (0.2,) * len(errors), start=start, temperature=temperature)


GROUND = covered(
    (),
    [
        Stretch(0, 300.0, 1000.0),
        Stretch(1, 300.0, 500.0),
        Stretch(0, 600.0, 1000.0),
        Stretch(0, 300.0, 250.0),
    ],
)
AUDITS = (audit(0, 300.0, 0.05, 0.06), audit(0, 600.0, 0.05, 0.15), audit(1, 300.0, 0.01, 0.02))


def described(ground, audits, **options):
    return describe_ground(ground, audits, TARGET, sent_back=options.get("sent_back", True))


def test_stretches_of_one_place_add_up():
    assert [(row.start, row.temperature, row.time_fs) for row in GROUND] == [
        (0, 300.0, 1250.0),
        (0, 600.0, 1000.0),
        (1, 300.0, 500.0),
    ]


def test_a_row_has_the_audits_of_its_place_and_none_else():
    rows = ground_table(GROUND, AUDITS[:2], 0.1)
    assert [(row.start, row.audits, row.atoms, row.within) for row in rows] == [
        (1, 1, 2, 1.0),
        (1, 1, 2, 0.5),
        (2, 0, 0, None),
    ]
    assert rows[0].walked_ps == pytest.approx(1.25)


def test_nothing_is_added_where_all_was_audited_and_good():
    assert described(GROUND[:1], AUDITS[:1]) == ""


def test_where_no_audit_was_nothing_is_claimed():
    assert described(GROUND, (AUDITS[0], AUDITS[2])) == (
        "not audited, and nothing is claimed of it: start 1 at 600 K"
    )
    assert described(GROUND, AUDITS[:1]).endswith("claimed of it: start 1 at 600 K, start 2 at 300 K")


def test_a_start_without_any_audit_is_named_as_a_whole():
    ground = covered(GROUND, [Stretch(1, 600.0, 100.0)])
    text = described(ground, (AUDITS[0], audit(0, 600.0, 0.01)))
    assert text == "not audited, and nothing is claimed of it: start 2"


def test_what_falls_below_the_target_by_itself_is_said_although_the_whole_is_good():
    good = [audit(0, 300.0, *[0.01] * 40), audit(1, 300.0, 0.01)]
    text = described(GROUND, (*good, audit(0, 600.0, 0.01, 0.5)))
    assert text == "below the target by itself: 600 K 50.0 % of 2 atoms"
    assert described(GROUND, (*good, audit(0, 600.0, 0.01, 0.02))) == ""


def test_walks_that_parted_are_counted_and_said():
    ground = covered(GROUND, [Stretch(0, 300.0, dissociated=1), Stretch(0, 600.0, dissociated=1, flowed=1)])
    sent_back = described(ground, AUDITS)
    assert "2 walks fell apart and 1 cell flowed: they were sent back, and nothing is claimed" in sent_back
    assert "they are among these numbers" in described(ground, AUDITS, sent_back=False)


def test_audits_of_which_nobody_knows_where_they_were_made_say_nothing_of_places():
    assert described(GROUND, (AuditRecord(5, (0.1,), (0.2,)),)) == ""

"""Along a dial: the better neighbour first, none that is out of the question, and a step up only where it pays."""

from types import SimpleNamespace

import pytest

from labelled_shells import shells
from thalweg.features.defaults import default_basis
from thalweg.fitting import FitSettings, assembly, make_baseline
from thalweg.fitting.assembly import Design
from thalweg.fitting.ladder import small
from thalweg.fitting.screening import DECISIVE, LONGER, Sample, Screen, ScreeningSetup

DIAL = [ScreeningSetup(r_cut) for r_cut in (4.0, 5.0, 6.0, 7.0)]


@pytest.fixture
def screen(monkeypatch):
    labelled = shells(12, peak=2.6)
    return Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings(), {1: (4, 2)})


def went(screen, scores, start=1, **how):
    """The cutoff chosen, and those looked at in order."""
    looked = []

    def fit(setup):
        looked.append(setup.r_cut)
        return SimpleNamespace(score=scores[DIAL.index(setup)])

    screen.fit = fit
    chosen, _ = screen.downhill(DIAL, DIAL[start], **how)
    return chosen.r_cut, looked


def test_both_neighbours_are_looked_at_where_nothing_is_known(screen):
    assert went(screen, (0.2, 0.0, 0.1, 0.3)) == (5.0, [5.0, 4.0, 6.0])


def test_the_neighbour_that_was_better_before_is_tried_first(screen):
    hints = {DIAL[0]: 1.02, DIAL[2]: 1.0}
    chosen, looked = went(screen, (0.2, 0.0, -0.1, -0.05), hints=hints)
    assert chosen == 6.0
    assert looked[:3] == [5.0, 6.0, 7.0]


def test_a_neighbour_that_was_far_worse_is_not_tried(screen):
    hints = {DIAL[0]: 1.001 + DECISIVE, DIAL[2]: 0.999 + DECISIVE}
    assert went(screen, (-0.2, 0.0, 0.1, 0.3), hints=hints) == (5.0, [5.0, 6.0])


def test_a_step_up_must_be_worth_what_it_costs(screen):
    scores = (0.2, 0.0, -0.5 * LONGER, -0.5)
    assert went(screen, scores, upward=LONGER)[0] == 5.0
    assert went(screen, scores)[0] == 7.0
    assert went(screen, (-0.5 * LONGER, 0.0, 0.2, 0.3), upward=LONGER)[0] == 4.0


def test_the_work_of_another_look_is_counted_on(screen):
    screen.fit(ScreeningSetup(4.0, weight=1))
    other = screen.again(small(1), Sample(12, 1))
    assert other.work == screen.work > 0.0
    assert other.n_labels == 12
    assert other.degrees == small(1)


def test_design_rows_are_made_once_and_stress_only_where_it_is_labelled(screen, monkeypatch):
    made, plain = [], assembly.design_rows
    monkeypatch.setattr(assembly, "design_rows", lambda *a, **k: made.append(k) or plain(*a, **k))
    basis = default_basis(("Cu",), True, 4.0, max_degree=(4, 2))
    design = Design(basis, kept=True)
    assert design.rows(0, screen.all[0]).stress is not None
    assert design.rows(1, screen.sample[1]).stress is None
    assert design.rows(0, screen.all[0]) is design.rows(0, screen.all[0])
    assert made == [{"stress": True}, {"stress": False}]
    unkept = Design(basis)
    assert unkept.rows(0, screen.all[0]) is not unkept.rows(0, screen.all[0])

"""The search for hyperparameters: down, in the box, in few evaluations, and the same each time."""

import numpy as np
import pytest

from thalweg.models.descent import LONGEST, Point, descend, lowest_in_box, updated

WIDE = [(-50.0, 50.0)] * 3
H = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, -0.5], [0.0, -0.5, 2.0]])
GOAL = np.array([1.0, -2.0, 0.5])


class Counted:
    """A function of x that counts how often it is asked, and whether for its curvature."""

    def __init__(self, value, gradient, curvature=None):
        self.value, self.gradient, self.curvature = value, gradient, curvature
        self.asked, self.curved = [], 0

    def __call__(self, x, curved):
        self.asked.append(x.copy())
        self.curved += curved
        return Point(x, self.value(x), self.gradient(x), self.curvature if curved else None)


def bowl(curvature=H):
    return Counted(
        lambda x: 0.5 * float((x - GOAL) @ H @ (x - GOAL)), lambda x: H @ (x - GOAL), curvature=curvature
    )


def valley():
    """Rosenbrock's."""
    value = lambda x: float(100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)  # noqa: E731
    gradient = lambda x: np.array(  # noqa: E731
        [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
    )
    return Counted(value, gradient, curvature=np.diag([800.0, 200.0]))


def test_a_known_curvature_leads_there_in_one_step():
    function = bowl()
    found = descend(function, np.zeros(3), WIDE, max_evaluations=20, enough=1e-9)
    np.testing.assert_allclose(found.x, GOAL, atol=1e-8)
    assert len(function.asked) == 2
    assert function.curved == 1


def test_a_wrong_curvature_is_mended_by_the_gradients_met():
    function = bowl(curvature=np.diag([50.0, 0.5, 9.0]))
    found = descend(function, np.zeros(3), WIDE, max_evaluations=40, enough=1e-9)
    np.testing.assert_allclose(found.x, GOAL, atol=1e-4)
    assert 2 < len(function.asked) < 40


def test_a_curvature_that_is_given_later_is_taken_up():
    class Knowing(Counted):
        def __call__(self, x, curved):
            point = super().__call__(x, curved)
            return Point(x, point.value, point.gradient, np.diag([50.0, 0.5, 9.0]) if curved else H)

    plain, knowing = bowl(curvature=np.diag([50.0, 0.5, 9.0])), bowl()
    knowing = Knowing(knowing.value, knowing.gradient)
    for function in (plain, knowing):
        found = descend(function, np.zeros(3), WIDE, max_evaluations=40, enough=1e-9)
        np.testing.assert_allclose(found.x, GOAL, atol=1e-4)
    assert len(knowing.asked) <= 6 < len(plain.asked)


def test_the_box_holds_and_its_edge_is_found():
    bounds = [(-50.0, 0.25), (-1.0, 50.0), (-50.0, 50.0)]
    function = bowl()
    found = descend(function, np.zeros(3), bounds, max_evaluations=20, enough=1e-9)
    lower, upper = np.array(bounds).T
    assert all((lower - 1e-12 <= x).all() and (x <= upper + 1e-12).all() for x in function.asked)
    slope = found.gradient
    assert found.x[0] == pytest.approx(0.25)
    assert found.x[1] == pytest.approx(-1.0)
    assert slope[0] < 0
    assert slope[1] > 0
    assert slope[2] == pytest.approx(0.0, abs=1e-8)


def test_a_curved_valley_is_followed_and_the_value_never_rises():
    function = valley()
    found = descend(function, np.array([-1.2, 1.0]), [(-5.0, 5.0)] * 2, max_evaluations=200, enough=1e-10)
    np.testing.assert_allclose(found.x, [1.0, 1.0], atol=1e-3)
    assert found.value == min(function.value(x) for x in function.asked)


def test_it_ends_where_a_step_promises_too_little_and_at_the_last_evaluation():
    few, many = valley(), valley()
    start, bounds = np.array([-1.2, 1.0]), [(-5.0, 5.0)] * 2
    assert descend(few, start, bounds, max_evaluations=200, enough=3.0).value > 0.1
    assert len(few.asked) < 20
    descend(many, start, bounds, max_evaluations=7, enough=0.0)
    assert len(many.asked) == 7


def test_a_point_without_a_number_is_stepped_back_from():
    plain = bowl(curvature=0.2 * H)  # steps five times too long
    wild = Counted(
        lambda x: float("nan") if abs(x).max() > 2.5 else plain.value(x), plain.gradient, curvature=0.2 * H
    )
    found = descend(wild, np.zeros(3), WIDE, max_evaluations=60, enough=1e-9)
    np.testing.assert_allclose(found.x, GOAL, atol=1e-3)
    assert any(abs(x).max() > 2.5 for x in wild.asked)


def test_steps_are_not_endless():
    step = lowest_in_box(np.array([-1.0, 0.0]), np.diag([1e-9, 1.0]), np.full(2, -99.0), np.full(2, 99.0))
    assert step.tolist() == [LONGEST, 0.0]


def test_updates_keep_the_curvature_positive_and_take_on_what_was_met():
    rng = np.random.default_rng(0)
    curvature = np.eye(3)
    for _ in range(30):
        s = rng.standard_normal(3)
        curvature = updated(curvature, s, H @ s)
    np.testing.assert_allclose(curvature, H, rtol=0.05, atol=0.05)
    bent = updated(curvature, np.ones(3), -np.ones(3))  # negative curvature met
    assert np.linalg.eigvalsh(bent).min() > 0.0

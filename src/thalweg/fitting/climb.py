"""The ladder of sizes: how large a basis the labels pay for.

All labels, bases each some two times larger. The first is the largest that the labels determine amply (AMPLY), the
second of the ladder at most. From there on a basis is fitted only if what it is forecast to gain is worth its work:

    s          -d log(held-out error) / d log(features) of the last step
    s'         s² / (s + SHALLOW), of the next step: learning curves flatten near their floor, and steep ones are far
               from it; FIRST_SLOPE before there was a step
    forecast   s' times the step in log(features)
    price      PRICE times the work of the next over all work so far, LITTLE at least (thalweg.fitting.work), less
               with more effort

Where the step after the next is forecast to be worth its price as well, and the labels have LEAP numbers for each
coefficient there, the next is left out. If the error there has not fallen, the basis that was left out is looked at
after all. The search for hyperparameters begins near those of the best basis below, or the sample's; where the sample
was looked at with another basis, at several places again. Where the sample holds nearly all labels, its word is enough
for the first basis. Work is counted and not timed, so that the same labels give the same basis on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from thalweg.features import AceBasis
from thalweg.fitting.assembly import FitSettings, Fitted, Start, assemble, steps_for
from thalweg.fitting.choice import Choice, Tell
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.ladder import SIZES
from thalweg.fitting.screening import Screen, ScreeningSetup, basis_of
from thalweg.fitting.work import Extent

SHALLOW = 0.2
"""Slope of a step after which the next is half as steep."""
FIRST_SLOPE = 0.3
PRICE = 0.07
"""Least fall of the log error that is worth as much work as all before."""
LEAP = 10
"""Numbers in the labels for each coefficient, from which on a basis may be the next but one."""
LITTLE = 1e11
"""Operations so few that a price is not in proportion to fewer: seconds."""
AMPLY = 30
"""Numbers in the labels for each coefficient, from which on a basis is no risk."""
MOSTLY = 0.8
"""Share of the labels in a sample from which on its word is taken for the first basis."""
SCREENED = 1
"""The basis, by its place on the ladder, with which the sample was looked at last: none larger is the first."""
MOST_FEATURES = 4500
"""Of one element: some 15 to 50 µs per atom and step, by shape and cutoff."""
NUMBERS_EACH = 3
"""Fewest numbers in the labels for each coefficient: with fewer a basis is hardly better than the one before."""
WORK = 2e13
"""Operations that the fit of the largest basis may take, at an effort of 1."""


def choose_size(screen: Screen, spread: Spread, setup: ScreeningSetup, tell: Tell) -> tuple[Fitted, Choice]:
    """Climb while it pays, from the hyperparameters that the screen found."""
    elements, screened = screen.baseline.elements, screen.fit(setup)
    ladder = [basis_of(elements, setup, degrees) for degrees in SIZES[len(elements)][setup.weight]]
    place = _first(ladder, screen.all)
    climb = _Climb(screen, spread, ladder, tell, screen.work, screened.start)
    if ladder[place] != screen.basis(setup):
        climb.stand(place, anew=True)
    elif screen.n_labels < MOSTLY * len(screen.all):
        climb.stand(place)
    else:
        climb.look(place, screened.score)
    while (step := climb.next_step(place)) is not None:
        place = climb.step(place, step)
    best = climb.best()
    return best, _size_choice(ladder, climb.scores, best.basis, climb.reason)


def _first(ladder: list[AceBasis], labelled: Labelled) -> int:
    """Where the climb begins."""
    numbers = _numbers(labelled)
    ample = [k for k, basis in enumerate(ladder[: SCREENED + 1]) if AMPLY * basis.n_columns <= numbers]
    return max(ample, default=0)


@dataclass(eq=False)
class _Climb:
    """Where the climb has been.

    work : of the whole fit so far
    start : hyperparameters of the best place, or of the sample
    scores : by place on the ladder
    reason : why it went no further, once it does not
    """

    screen: Screen
    spread: Spread
    ladder: list[AceBasis]
    tell: Tell
    work: float
    start: Start
    scores: dict[int, float] = field(default_factory=dict)
    reason: str = "the largest of the ladder"
    _best: Fitted | None = None

    def best(self) -> Fitted:
        """The fit of least held-out error; a place only looked at is stood upon if that has it."""
        place = min(self.scores, key=self.scores.__getitem__)
        if self._best is None or self._best.basis != self.ladder[place]:
            self.stand(place)
        assert self._best is not None
        return self._best

    def look(self, place: int, score: float) -> None:
        """Take the word of a sample that holds nearly all labels for what they all say."""
        self.scores[place] = score
        self._say(place)

    def stand(self, place: int, *, anew: bool = False) -> None:
        """Fit the basis at a place, near the best below or the sample's, and perhaps anew."""
        basis = self.ladder[place]
        assembly = assemble(self.screen.all, basis, self.screen.baseline, self.spread, self.screen.settings)
        fitted = assembly.near(self.start)
        if anew:
            fitted = min(fitted, assembly.anew(), key=Fitted.score)
        self.work += self._work(place)
        self.scores[place] = fitted.score()
        if self._best is None or fitted.score() < self._best.score():
            self._best, self.start = fitted, fitted.start
        self._say(place)

    def _say(self, place: int) -> None:
        first = next(iter(self.scores.values()))
        error = np.exp(self.scores[place] - first)
        self.tell(f"{self.ladder[place].n_features} features: held-out error {error:.2f}")

    def step(self, place: int, by: int) -> int:
        """Go up, and look at what was left out if that was no gain; the place from which to go on."""
        self.stand(place + by)
        if by > 1 and self.scores[place + by] >= self.scores[place]:
            self.stand(place + by - 1)
        return place + by

    def next_step(self, place: int) -> int | None:
        """How many places to go up, 1 or 2; None, and the reason, where none is worth its work."""
        if place + 1 == len(self.ladder):
            return None
        too_large = too_much(self.ladder[place + 1], self.screen.all, self.screen.settings)
        gain, price = self._forecast(place, 1), self._price(place, self.work)
        if too_large is not None or gain < price:
            features = self.ladder[place + 1].n_features
            self.reason = f"the next one, {features} features, {too_large or self._not_worth(place, gain)}"
            return None
        return 2 if self._may_leap(place) else 1

    def _may_leap(self, place: int) -> bool:
        """Whether the step after the next is worth its work, too."""
        if place + 2 >= len(self.ladder):
            return False
        beyond, labelled = self.ladder[place + 2], self.screen.all
        if LEAP * beyond.n_columns > _numbers(labelled) or too_much(beyond, labelled, self.screen.settings):
            return False
        return self._forecast(place, 2) >= self._price(place + 1, self.work + self._work(place + 1))

    def _work(self, place: int) -> float:
        basis = self.ladder[place]
        extent = Extent.of(self.screen.all, basis.r_cut)
        return extent.fit(basis, steps_for(extent, basis))

    def _price(self, place: int, before: float) -> float:
        """Of the step up from a place, after so much work."""
        effort = max(self.screen.settings.effort, 1.0)
        return PRICE / effort * self._work(place + 1) / max(before, LITTLE)

    def _forecast(self, place: int, by: int) -> float:
        """Fall of the log error by the last of some steps from a place that was stood upon."""
        slope = self._slope(place)
        for _ in range(by - 1):
            slope = _flatter(slope)
        below, above = (self.ladder[place + k].n_features for k in (by - 1, by))
        return slope * float(np.log(above / below))

    def _slope(self, place: int) -> float:
        """Forecast of the next step's slope."""
        below = [k for k in self.scores if k < place]
        if not below:
            return FIRST_SLOPE
        last = max(below)
        growth = np.log(self.ladder[place].n_features / self.ladder[last].n_features)
        return _flatter(float((self.scores[last] - self.scores[place]) / growth))

    def _not_worth(self, place: int, gain: float) -> str:
        """In words."""
        times = self._work(place + 1) / self.work
        worth = f"a forecast {1.0 - np.exp(-gain):.1%}" if gain > 0 else "no gain by forecast"
        return f"would cost {times:.2g} times all work so far for {worth}"


def _flatter(slope: float) -> float:
    """Slope of the step after one of this slope; none where that was uphill."""
    return slope**2 / (slope + SHALLOW) if slope > 0.0 else 0.0


def _size_choice(ladder: list[AceBasis], scores: dict[int, float], best: AceBasis, reason: str) -> Choice:
    first = next(iter(scores.values()))
    tried = tuple(
        {
            "max_degree": list(ladder[place].max_degree),
            "n_features": ladder[place].n_features,
            "error": round(float(np.exp(score - first)), 4),
        }
        for place, score in sorted(scores.items())
    )
    steps = ", ".join(f"{trial['n_features']} features {trial['error']:.2f}" for trial in tried)
    return Choice("max_degree", list(best.max_degree), f"held-out error by size: {steps}; {reason}", tried)


def too_much(basis: AceBasis, labelled: Labelled, settings: FitSettings) -> str | None:
    """Why a basis is beyond the limits, in words, or None."""
    extent = Extent.of(labelled, basis.r_cut)
    work = extent.fit(basis, steps_for(extent, basis))
    if work > WORK * settings.effort:
        return f"takes more work than allowed (effort {work / WORK:.1f} would do)"
    if basis.n_features > MOST_FEATURES:
        return f"is beyond {MOST_FEATURES}, the limit of time per atom"
    if basis.n_columns * NUMBERS_EACH > _numbers(labelled):
        return f"has fewer than {NUMBERS_EACH} of the labels' numbers for each coefficient"
    return None


def _numbers(labelled: Labelled) -> int:
    """Most numbers that labels of these structures hold."""
    return sum(3 * len(structure) + 7 for structure, _ in labelled)

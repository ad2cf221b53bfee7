"""The ladder of sizes: how large a basis the labels pay for.

All labels, bases each some two times larger, until PATIENCE steps lower the held-out error by less than GAIN, or the
next one would take more work or time per atom than allowed. Work is counted and not timed, so that the same labels give
the same basis on every machine:

    work = DESIGN m n + m n² + EVIDENCE n³      m rows, n columns; some 2e10 a second and core

A larger basis can follow what a small one calls noise, so noise is learned anew on each rung; and what a small basis
smooths over may ask for another cutoff or radial exponent, so on the second rung those next to the chosen ones are
tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.fitting.assembly import FitSettings, Fitted, fit_basis
from thalweg.fitting.choice import RADIAL, Choice, Tell
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.held_out import HeldOutErrors
from thalweg.fitting.screening import CUTOFF_STEP, EXPONENTS, Screen, rounded
from thalweg.fitting.spread import Law

SIZES: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((12, 10, 8, 8), (14, 11, 11, 8), (14, 11, 11, 10), (16, 14, 12, 11)),
    2: ((8, 7, 5), (12, 9, 7), (12, 10, 8), (12, 10, 8, 6)),
    3: ((6, 5, 3), (7, 5, 5), (9, 7, 6), (10, 8, 6, 3)),
}
"""Degrees by number of elements; for more elements the default alone."""
GAIN = 0.015
PATIENCE = 2
"""Steps without such a gain that end the ladder: one may be bad luck of a few structures."""
MOST_FEATURES = 3000
"""Of one element: some 10 µs per atom and step."""
WORK = 2e13
_DESIGN, _EVIDENCE = 2000.0, 40.0


@dataclass(eq=False)
class _Rung:
    """A basis, its errors, and the laws of noise under which it was fitted.

    What was fitted is held as long as it is of use, since its sums are large.
    """

    basis: AceBasis
    errors: HeldOutErrors
    laws: tuple[Law, Law]
    fitted: Fitted | None


class _Climb:
    """The way up the ladder of sizes; noise is learned anew on each rung, since a larger basis can follow more."""

    def __init__(self, screen: Screen, spread: Spread, r_cut: float, tell: Tell) -> None:
        self.screen, self.spread, self.tell = screen, spread, tell
        self.r_cut, self.exponent = r_cut, screen.exponent
        self.rungs: list[_Rung] = []

    def basis(self, degrees: tuple[int, ...], r_cut: float, exponent: int) -> AceBasis:
        """Of some size, cutoff and exponent."""
        return default_basis(self.screen.baseline.elements, True, r_cut, None, degrees, exponent)

    def fit(self, basis: AceBasis) -> _Rung:
        """A basis fitted under the noise learned last, from the hyperparameters of the rung below."""
        start = self.rungs[-1].fitted if self.rungs else None
        fitted = fit_basis(
            self.screen.all, basis, self.screen.baseline, self.spread, self.screen.settings, start
        )
        rung = _Rung(basis, fitted.held_out, self.screen.laws, fitted)
        first = self.rungs[0] if self.rungs else rung
        relative = np.exp(self.score(rung) - self.score(first))
        self.tell(
            f"{basis.n_features} features, cutoff {basis.r_cut:g} Å, exponent {basis.radial_exponent}: "
            f"held-out error {relative:.2f}"
        )
        return rung

    def stand_on(self, rung: _Rung) -> None:
        """Go on from a rung."""
        self.rungs.append(rung)
        self.spread = self.screen.relearned(rung.errors, self.spread)

    def let_go(self) -> None:
        """Of what was fitted on rungs that are neither the last nor, so far, the best."""
        best = self.best
        for passed in self.rungs[:-1]:
            if passed is not best:
                passed.fitted = None

    def score(self, rung: _Rung) -> float:
        """Of its errors under the noise learned last."""
        return rung.errors.score(self.spread)

    @property
    def best(self) -> _Rung:
        """The rung of least score so far."""
        return min(self.rungs, key=self.score)

    def settled(self) -> Fitted:
        """The best rung under the noise that its errors say, if it then predicts better."""
        best = self.best
        if best.fitted is None:  # let go, and the best again by the noise learned since
            best = self.fit(best.basis)
        assert best.fitted is not None
        newest = self.screen.relearned(best.errors, self.spread)
        fitted = _with_newest_noise(best.fitted, newest, self.screen.settings)
        if fitted is best.fitted:
            self.screen.laws = best.laws
        return fitted

    def look_around(self) -> Choice:
        """Exponents and cutoffs next to those in force, with the size of the last rung."""
        here = self.rungs.pop()
        degrees = here.basis.max_degree
        found = {(self.r_cut, self.exponent): here}

        def score(r_cut: float, exponent: int) -> float:
            if (r_cut, exponent) not in found:
                found[r_cut, exponent] = self.fit(self.basis(degrees, r_cut, exponent))
            return self.score(found[r_cut, exponent])

        for exponent in (self.exponent - 1, self.exponent + 1):
            if exponent in EXPONENTS and score(self.r_cut, exponent) < score(self.r_cut, self.exponent):
                self.exponent = exponent
                break
        for r_cut in (self.r_cut / CUTOFF_STEP, self.r_cut * CUTOFF_STEP):
            if score(rounded(r_cut), self.exponent) < score(self.r_cut, self.exponent):
                self.r_cut = rounded(r_cut)
                break
        best = found[self.r_cut, self.exponent]
        self.stand_on(best)
        return _radial_choice({key: self.score(rung) for key, rung in found.items()}, best.basis)


def choose_size(
    screen: Screen, spread: Spread, r_cut: float, fixed: bool, tell: Tell
) -> tuple[Fitted, list[Choice]]:
    """Climb while it pays; the screen keeps the laws of noise of what comes of it.

    `fixed`: the user has said the cutoff.
    """
    climb, choices = _Climb(screen, spread, r_cut, tell), list[Choice]()
    reason, misses = "the largest of the ladder", 0
    for degrees in SIZES[len(screen.baseline.elements)]:
        basis = climb.basis(degrees, climb.r_cut, climb.exponent)
        too_large = too_much(basis, screen.all, screen.settings) if climb.rungs else None
        if too_large is not None:
            reason = f"the next one, {basis.n_features} features, {too_large}"
            break
        climb.stand_on(climb.fit(basis))
        if len(climb.rungs) == 2 and not fixed:
            choices.append(climb.look_around())
        climb.let_go()
        scores = [climb.score(rung) for rung in climb.rungs]
        gain = 1.0 - np.exp(scores[-1] - min(scores[:-1], default=np.inf))
        misses = misses + 1 if gain < GAIN else 0
        if misses == PATIENCE:
            reason = (
                f"the last {PATIENCE} steps lowered the held-out error by less than {GAIN:.1%} or not at all"
            )
            break
    choices.append(_size_choice([rung.basis for rung in climb.rungs], scores, climb.best.basis, reason))
    return climb.settled(), choices


def _radial_choice(scores: dict[tuple[float, int], float], best: AceBasis) -> Choice:
    least = scores[best.r_cut, best.radial_exponent]
    tried = tuple(
        {"r_cut": r_cut, "radial_exponent": exponent, "error": round(float(np.exp(score - least)), 4)}
        for (r_cut, exponent), score in scores.items()
    )
    others = ", ".join(
        f"{trial['error']:.3f} at {trial['r_cut']} Å with {trial['radial_exponent']}"
        for trial in tried
        if (trial["r_cut"], trial["radial_exponent"]) != (best.r_cut, best.radial_exponent)
    )
    why = f"held-out error relative to it with {best.n_features} features and all labels: {others}"
    return Choice(RADIAL, [best.r_cut, best.radial_exponent], why, tried)


def _with_newest_noise(fitted: Fitted, spread: Spread, settings: FitSettings) -> Fitted:
    """The same basis under another spread, if that is another and predicts better."""
    if np.array_equal(spread.energy, fitted.spread.energy) and np.array_equal(
        spread.forces, fitted.spread.forces
    ):
        return fitted
    again = fit_basis(fitted.labelled, fitted.basis, fitted.baseline, spread, settings, fitted)
    return min(again, fitted, key=lambda trial: trial.held_out.score(spread))


def _size_choice(bases: list[AceBasis], scores: list[float], best: AceBasis, reason: str) -> Choice:
    tried = tuple(
        {
            "max_degree": list(basis.max_degree),
            "n_features": basis.n_features,
            "error": round(float(np.exp(score - scores[0])), 4),
        }
        for basis, score in zip(bases, scores, strict=True)
    )
    steps = ", ".join(f"{trial['n_features']} features {trial['error']:.2f}" for trial in tried)
    return Choice("max_degree", list(best.max_degree), f"held-out error by size: {steps}; {reason}", tried)


def too_much(basis: AceBasis, labelled: Labelled, settings: FitSettings) -> str | None:
    """Why a basis is beyond the limits, in words, or None."""
    m, n = sum(3 * len(structure) + 7 for structure, _ in labelled), basis.n_columns
    work = _DESIGN * m * n + m * n**2 + _EVIDENCE * n**3
    if work > WORK * settings.effort:
        return f"takes more work than allowed (effort {work / WORK:.1f} would do)"
    if basis.n_features > MOST_FEATURES:
        return f"is beyond {MOST_FEATURES}, the limit of time per atom"
    if n > m:
        return "has more coefficients than the labels have numbers"
    return None

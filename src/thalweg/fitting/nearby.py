"""A basis' neighbours compared with it, within an allowance of work: how a run finds a better basis as it goes.

A place has dials, as in `thalweg.fitting.screening`, each gone along downhill in the held-out error from the present
basis:

    r_cut      CUTOFF_STEP times longer or shorter, within CUTOFFS of the automatic cutoff
    size       the next larger or smaller basis of the ladder (thalweg.fitting.ladder)
    exponent   of the radial transform, one more or less
    weight     of radial against angular degrees, one more or less, at nearly as many features

All labels, the same folds and reference energies for all bases. The work of a fit is counted before it is begun
(thalweg.fitting.work); one that does not fit into what is left of the allowance is left out. Nothing depends on time or
chance: the same labels, present basis and allowance give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from thalweg.errors import check
from thalweg.features import AceBasis
from thalweg.features.defaults import automatic_cutoff, default_basis
from thalweg.fitting.assembly import ENOUGH, FitSettings, Fitted, Start, fit_basis
from thalweg.fitting.choice import Choice, Tell, Wanted, silent
from thalweg.fitting.climb import NUMBERS_EACH
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.ladder import SIZES, Degrees
from thalweg.fitting.screening import CUTOFFS, EXPONENTS, rounded
from thalweg.fitting.work import Extent
from thalweg.models.training import Baseline

CUTOFF_STEP = 1.2
ANEW_STEPS, NEAR_STEPS = 18, 5
"""Evaluations of held-out errors where nothing is known, and near the hyperparameters of another fit."""
BETTER = 0.005
"""Fall of the log of the held-out error from which on a neighbour is taken."""
PRICE = 0.05
"""The same for a basis of e times as many features: it takes so much longer at every step."""
SIZE = "max_degree"
_LARGER = 1.15
"""Features over the present ones from which on a basis is of another size."""


@dataclass(frozen=True, eq=False)
class Present:
    """Where the search begins.

    Attributes
    ----------
    basis : in force
    start : hyperparameters found for it or for a basis like it (`Fitted.start`); None: looked for anew
    wanted : what the user fixed, which is not searched
    spread : noise of each label over that of an ordinary one; None: all alike
    """

    basis: AceBasis
    start: Start | None = None
    wanted: Wanted = field(default_factory=Wanted)
    spread: Spread | None = None

    @property
    def steps(self) -> int:
        """Evaluations of held-out errors that its own fit is given."""
        return NEAR_STEPS if self.start else ANEW_STEPS


@dataclass(frozen=True, eq=False)
class Nearby:
    """The best basis met.

    Attributes
    ----------
    fitted : of the best basis; its `start` is where a next search begins
    before : score of the present basis on the same folds
    work : spent, in counted operations
    choices : dial by dial
    """

    fitted: Fitted
    before: float
    work: float
    choices: tuple[Choice, ...] = ()

    @property
    def gain(self) -> float:
        """By how much the held-out error is lower than the present basis'; 0 where that stays the best."""
        return 1.0 - float(np.exp(self.fitted.score() - self.before))


def least_work(labelled: Labelled, present: Present) -> float:
    """The allowance from which on `choose_nearby` does anything: the present basis and one like it."""
    extent = Extent.of(labelled, present.basis.r_cut)
    return extent.fit(present.basis, present.steps) + extent.fit(present.basis, NEAR_STEPS)


def choose_nearby(
    labelled: Labelled,
    present: Present,
    baseline: Baseline,
    settings: FitSettings,
    allowance: float,
    tell: Tell = silent,
) -> Nearby | None:
    """Compare a basis with its neighbours, and go downhill in the held-out error as far as the allowance goes.

    Parameters
    ----------
    labelled : at least ENOUGH, none of an isolated atom; label i is in fold i mod 5
    present : the basis in force, and what is known of it
    allowance : most work, in operations as `thalweg.fitting.work` counts them; some 2e10 a second and core
    tell : takes a line on each dial

    Returns
    -------
    Nearby, or None where the allowance is below `least_work`

    Raises
    ------
    InputError
        Fewer than ENOUGH labels.
    """
    check(
        len(labelled) >= ENOUGH,
        f"basis: {len(labelled)} labels are too few to choose by; {ENOUGH} are needed",
    )
    if allowance < least_work(labelled, present):
        return None
    spread = Spread.alike(len(labelled)) if present.spread is None else present.spread
    search = _Search(labelled, present.basis, baseline, settings, spread, allowance)
    best = search.fit(present.basis, present.start, present.steps)
    before, choices = best.score(), []
    for dial, step in _dials(present, labelled):
        best, choice = _along(dial, step, best, search)
        if choice.tried:
            choices.append(choice)
            tell(f"{dial}: {choice.chosen_in_words}; {choice.why}")
    return Nearby(best, before, search.spent, tuple(choices))


@dataclass(eq=False)
class _Search:
    """Fits within an allowance; what each basis' labels hold is counted once for a cutoff."""

    labelled: Labelled
    present: AceBasis
    baseline: Baseline
    settings: FitSettings
    spread: Spread
    allowance: float
    spent: float = 0.0
    _extents: dict[float, Extent] = field(default_factory=dict)

    def extent(self, basis: AceBasis) -> Extent:
        if basis.r_cut not in self._extents:
            self._extents[basis.r_cut] = Extent.of(self.labelled, basis.r_cut)
        return self._extents[basis.r_cut]

    def work(self, basis: AceBasis, steps: int) -> float:
        return self.extent(basis).fit(basis, steps)

    def affords(self, basis: AceBasis) -> bool:
        """Whether a basis fits into what is left, and is not larger than labels can say anything about."""
        enough = self.extent(basis).n_rows >= NUMBERS_EACH * basis.n_columns
        smaller = basis.n_columns <= self.present.n_columns * _LARGER
        return (enough or smaller) and self.spent + self.work(basis, NEAR_STEPS) <= self.allowance

    def fit(self, basis: AceBasis, start: Start | None, steps: int = NEAR_STEPS) -> Fitted:
        self.spent += self.work(basis, steps)
        return fit_basis(self.labelled, basis, self.baseline, self.spread, self.settings, start, steps)


Step = Callable[[AceBasis, int], AceBasis | None]
"""The neighbour of a basis on a dial, in one direction (-1 or 1); None at its end."""


def _dials(present: Present, labelled: Labelled) -> Iterator[tuple[str, Step]]:
    """What may be turned."""
    wanted, elements = present.wanted, present.basis.elements
    periodic = any(bool(structure.pbc.any()) for structure, _ in labelled)
    if wanted.r_cut is None:
        yield "r_cut", partial(_longer, automatic=automatic_cutoff(elements, periodic))
    if not wanted.sized:
        yield SIZE, _larger
    yield "radial_exponent", _steeper
    if not wanted.sized:
        yield "radial_weight", _heavier


def _along(dial: str, step: Step, best: Fitted, search: _Search) -> tuple[Fitted, Choice]:
    """Downhill along one dial from the best basis so far, in the first direction that is downhill."""
    from_here, tried = best, [best]
    for direction in (1, -1):
        while (basis := step(best.basis, direction)) is not None and search.affords(basis):
            fitted = search.fit(basis, best.start)
            tried.append(fitted)
            if fitted.score() > best.score() - _enough(best.basis, basis):
                break
            best = fitted
        if best is not from_here:
            break
    return best, _choice(dial, best, tried)


def _enough(now: AceBasis, then: AceBasis) -> float:
    """Fall of the log error that is worth the step: a larger basis costs more at every step of every walk."""
    return max(BETTER, PRICE * float(np.log(then.n_features / now.n_features)))


def _choice(dial: str, best: Fitted, tried: list[Fitted]) -> Choice:
    trials = tuple(
        {
            dial: _value(dial, one.basis),
            "n_features": one.basis.n_features,
            "error": round(float(np.exp(one.score() - best.score())), 4),
        }
        for one in sorted(tried, key=lambda one: (one.basis.n_features, one.basis.r_cut))
    )
    others = ", ".join(
        f"{trial['error']:.3f} with {trial[dial]}"
        for trial in trials
        if trial[dial] != _value(dial, best.basis)
    )
    why = f"held-out error relative to it: {others}"
    return Choice(dial, _value(dial, best.basis), why, trials if len(tried) > 1 else ())


def _value(dial: str, basis: AceBasis) -> Any:
    value = getattr(basis, dial)
    return list(value) if isinstance(value, tuple) else value


# --- neighbours -----------------------------------------------------------------------------------------


def _with(
    basis: AceBasis,
    r_cut: float | None = None,
    degrees: Degrees | None = None,
    exponent: int | None = None,
    weight: int | None = None,
) -> AceBasis:
    """The basis with something else."""
    return default_basis(
        basis.elements,
        periodic=True,
        r_cut=r_cut or basis.r_cut,
        max_degree=degrees or basis.max_degree,
        radial_exponent=exponent or basis.radial_exponent,
        radial_weight=weight or basis.radial_weight,
    )


def _longer(basis: AceBasis, direction: int, automatic: float) -> AceBasis | None:
    r_cut = rounded(basis.r_cut * CUTOFF_STEP**direction)
    inside = CUTOFFS[0] <= r_cut / automatic <= CUTOFFS[1]
    return _with(basis, r_cut=r_cut) if inside else None


def _steeper(basis: AceBasis, direction: int) -> AceBasis | None:
    exponent = basis.radial_exponent + direction
    return _with(basis, exponent=exponent) if exponent in EXPONENTS else None


def _larger(basis: AceBasis, direction: int) -> AceBasis | None:
    """The next basis of another size, of the ladder or with all degrees one more or less."""
    ladder = SIZES.get(len(basis.elements), {}).get(basis.radial_weight)
    if ladder is None:
        degrees = tuple(max(degree + direction, 1) for degree in basis.max_degree)
        return _with(basis, degrees=degrees) if degrees != basis.max_degree else None
    rungs = [_with(basis, degrees=degrees) for degrees in ladder]
    if direction > 0:
        larger = [rung for rung in rungs if rung.n_features > _LARGER * basis.n_features]
        return min(larger, key=lambda rung: rung.n_features, default=None)
    smaller = [rung for rung in rungs if _LARGER * rung.n_features < basis.n_features]
    return max(smaller, key=lambda rung: rung.n_features, default=None)


def _heavier(basis: AceBasis, direction: int) -> AceBasis | None:
    """The basis of the ladder with another radial weight and nearly as many features."""
    ladder = SIZES.get(len(basis.elements), {}).get(basis.radial_weight + direction)
    if ladder is None:
        return None
    rungs = [_with(basis, degrees=degrees, weight=basis.radial_weight + direction) for degrees in ladder]
    return min(rungs, key=lambda rung: abs(np.log(rung.n_features / basis.n_features)))

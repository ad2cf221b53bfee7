"""The ladder of sizes: how large a basis the labels pay for.

All labels, bases each some two times larger, until PATIENCE steps lower the held-out error by less than GAIN, or the
next one would take more work or time per atom than allowed. The search for hyperparameters begins near those of the
best one below; on the first rung, and where that gains less, it begins at several places again: the sample's minimum
need not be that of all labels, and what holds more functions should not do worse. Work is counted and not timed, so
that the same labels give the same basis on every machine:

    work = DESIGN m n + m n² + EVIDENCE n³      m rows, n columns; some 2e10 a second and core
"""

from __future__ import annotations

import numpy as np

from thalweg.features import AceBasis
from thalweg.fitting.assembly import FitSettings, Fitted, Start, assemble
from thalweg.fitting.choice import Choice, Tell
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.ladder import SIZES
from thalweg.fitting.screening import Screen, ScreeningSetup, basis_of

GAIN = 0.015
PATIENCE = 2
"""Steps without such a gain that end the ladder: one may be bad luck of a few structures."""
MOST_FEATURES = 4500
"""Of one element: some 15 to 50 µs per atom and step, by shape and cutoff."""
NUMBERS_EACH = 3
"""Fewest numbers in the labels for each coefficient: with fewer a basis is hardly better than the one before."""
WORK = 2e13
_DESIGN, _EVIDENCE = 2000.0, 40.0


def choose_size(screen: Screen, spread: Spread, setup: ScreeningSetup, tell: Tell) -> tuple[Fitted, Choice]:
    """Climb while it pays, from the hyperparameters that the screen found."""
    best: Fitted | None = None
    bases, scores = list[AceBasis](), list[float]()
    reason, misses = "the largest of the ladder", 0
    elements = screen.baseline.elements
    for degrees in SIZES[len(elements)][setup.weight]:
        basis = basis_of(elements, setup, degrees)
        too_large = too_much(basis, screen.all, screen.settings) if bases else None
        if too_large is not None:
            reason = f"the next one, {basis.n_features} features, {too_large}"
            break
        fitted = _fit_rung(screen, basis, spread, best, screen.fit(setup).start)
        gain = _gain(fitted, best)
        bases.append(basis)
        scores.append(fitted.score())
        tell(f"{basis.n_features} features: held-out error {np.exp(scores[-1] - scores[0]):.2f}")
        if scores[-1] == min(scores):
            best = fitted
        misses = misses + 1 if gain < GAIN else 0
        if misses == PATIENCE:
            reason = (
                f"the last {PATIENCE} steps lowered the held-out error by less than {GAIN:.1%} or not at all"
            )
            break
    assert best is not None  # the first rung is always stood upon
    return best, _size_choice(bases, scores, best.basis, reason)


def _fit_rung(
    screen: Screen, basis: AceBasis, spread: Spread, best: Fitted | None, of_sample: Start
) -> Fitted:
    """One basis, from the hyperparameters of the best one below or of the sample, and anew where that is not enough."""
    assembly = assemble(screen.all, basis, screen.baseline, spread, screen.settings)
    fitted = assembly.near(best.start if best else of_sample)
    if best is not None and _gain(fitted, best) >= GAIN:
        return fitted
    return min(fitted, assembly.anew(), key=Fitted.score)


def _gain(fitted: Fitted, best: Fitted | None) -> float:
    """By how much a fit lowers the least held-out error so far, relative to it; 1 for the first."""
    return 1.0 - float(np.exp(fitted.score() - best.score())) if best else 1.0


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
    if n * NUMBERS_EACH > m:
        return f"has fewer than {NUMBERS_EACH} of the labels' numbers for each coefficient"
    return None

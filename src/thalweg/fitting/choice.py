"""The basis that the labels ask for: cutoff and size by held-out errors, within a limit of work.

    1  spread    errors of a small basis on a sample of the labels say how noise grows (thalweg.fitting.spread)
    2  cutoff    the same sample and basis at a ladder of cutoffs, from the automatic one downhill
    3  exponent  of the radial transform: 1 resolves all distances alike, 3 favours short ones; where it is not the
                 one assumed so far, the ladder of cutoffs is gone along once more
    4  stress    labels of stress are held against the best of these
    5  size      all labels, a ladder of bases, each some two times larger, until PATIENCE steps lower the held-out
                 error by less than GAIN, or the next one would take more work or time per atom than allowed

Held-out error: mean absolute errors in 5-fold cross-validation, geometric mean of those of energies and forces. Work is
counted and not timed, so that the same labels give the same basis on every machine:

    work = DESIGN m n + m n² + EVIDENCE n³      m rows, n columns; some 2e10 a second and core

What the user has fixed is not searched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.defaults import automatic_cutoff, default_basis, ordered_elements
from thalweg.fitting.assembly import ENOUGH, FitSettings, Fitted, fit_basis, typical_score
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.screening import FIRST_EXPONENT, Screen
from thalweg.fitting.spread import Law, StressFindings
from thalweg.models.training import Baseline

CUTOFF_STEP = 1.12
CUTOFFS = (0.55, 2.0)
"""Shortest and longest cutoff over the automatic one."""
EXPONENTS = (1, 2, 3)
SIZES: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((12, 10, 8, 8), (14, 11, 11, 8), (14, 11, 11, 10), (16, 14, 12, 11)),
    2: ((8, 7, 5), (10, 8, 6), (10, 8, 6, 5)),
    3: ((6, 5, 3), (7, 5, 5), (9, 7, 6), (10, 8, 6, 3)),
}
"""Degrees by number of elements; for more elements the default alone."""
GAIN = 0.015
PATIENCE = 2
"""Steps without such a gain that end the ladder: one may be bad luck of a few structures."""
MOST_FEATURES = 3000
"""Of one element: some 10 µs per atom and step."""
WORK = 5e12
_DESIGN, _EVIDENCE = 2000.0, 20.0


@dataclass(frozen=True)
class Choice:
    """One decision: the setting, its value, why in words, and what was compared."""

    setting: str
    chosen: Any
    why: str
    tried: tuple[dict[str, Any], ...] = ()

    @property
    def chosen_in_words(self) -> str:
        """The value for people."""
        if self.setting == "r_cut":
            return f"{self.chosen:g} Å"
        return "by the labels" if isinstance(self.chosen, dict) else str(self.chosen)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "setting": self.setting,
            "chosen": self.chosen,
            "why": self.why,
            "tried": [dict(trial) for trial in self.tried],
        }


@dataclass(frozen=True)
class Wanted:
    """What the user fixed; None is chosen."""

    r_cut: float | None = None
    correlation_order: int | None = None
    max_degree: tuple[int, ...] | None = None

    @property
    def sized(self) -> bool:
        """Whether the size is fixed."""
        return self.max_degree is not None or self.correlation_order is not None

    def basis(
        self, elements: Iterable[str], periodic: bool, r_cut: float | None = None, exponent: int = 3
    ) -> AceBasis:
        """The default basis with what is wanted."""
        r_cut = self.r_cut or r_cut
        return default_basis(elements, periodic, r_cut, self.correlation_order, self.max_degree, exponent)


@dataclass(eq=False)
class Chosen:
    """A fitted basis and how it was chosen."""

    fitted: Fitted
    choices: list[Choice] = field(default_factory=list)
    stress: StressFindings | None = None


def choose(labelled: Labelled, baseline: Baseline, wanted: Wanted, settings: FitSettings) -> Chosen:
    """Choose a basis for labels in shuffled order, none of an isolated atom, and fit it."""
    elements = ordered_elements(baseline.elements)
    periodic = any(bool(structure.pbc.any()) for structure, _ in labelled)
    if len(labelled) < ENOUGH:
        fitted = fit_basis(
            labelled, wanted.basis(elements, periodic), baseline, Spread.alike(len(labelled)), settings
        )
        why = f"{len(labelled)} labels are too few to choose by; the defaults of the elements"
        return Chosen(fitted, [Choice("basis", _named(fitted.basis), why)])
    screen = Screen(labelled, baseline, settings)
    r_cut, choices = wanted.r_cut or automatic_cutoff(elements, periodic), []
    screen.learn_spread(r_cut)
    cutoff = choose_cutoff(screen, r_cut) if wanted.r_cut is None else None
    exponent = choose_exponent(screen, r_cut if cutoff is None else cutoff.chosen)
    if cutoff is not None:
        if exponent.chosen != FIRST_EXPONENT:
            cutoff = choose_cutoff(screen, cutoff.chosen, start=r_cut)
        choices.append(cutoff)
        r_cut = cutoff.chosen
    choices += [exponent, _noise_law(screen)]
    spread, stress = screen.judge(r_cut)
    if wanted.sized or len(elements) not in SIZES:
        basis = wanted.basis(elements, periodic, r_cut, screen.exponent)
        return Chosen(fit_basis(labelled, basis, baseline, spread, settings), choices, stress)
    fitted, choice = _choose_size(labelled, baseline, spread, settings, (r_cut, screen.exponent))
    return Chosen(fitted, [*choices, choice], stress)


def _noise_law(screen: Screen) -> Choice:
    """The laws of noise that the screen has learned."""
    of_energy, of_forces = screen.laws
    words = [
        f"energies' {_in_words(of_energy, 'eV/atom above the lowest')}",
        f"forces' {_in_words(of_forces, 'eV/Å rms')}",
    ]
    chosen = {
        name: law.limit if np.isfinite(law.limit) else None
        for name, law in (("energy", of_energy), ("forces", of_forces))
    }
    return Choice("noise", chosen, f"by the likelihood of held-out errors: {', '.join(words)}")


def _in_words(law: Law, unit: str) -> str:
    if not np.isfinite(law.limit):
        return "is uniform"
    return f"grows from {law.limit:g} {unit} on"


def choose_cutoff(screen: Screen, near: float, start: float | None = None) -> Choice:
    """Go along a ladder of cutoffs from `near`, downhill in the held-out error; `start`: its middle rung."""
    errors: dict[int, float] = {}
    middle = near if start is None else start
    best = round(float(np.log(near / middle) / np.log(CUTOFF_STEP)))

    def error(step: int) -> float:
        if step not in errors:
            factor = CUTOFF_STEP**step
            inside = CUTOFFS[0] <= factor <= CUTOFFS[1]
            errors[step] = screen.score(_rounded(middle * factor)) if inside else np.inf
        return errors[step]

    for direction in (1, -1):
        while error(best + direction) < error(best):
            best += direction
    known = {k: float(np.exp(e - errors[best])) for k, e in sorted(errors.items()) if np.isfinite(e)}
    tried = tuple(
        {"r_cut": _rounded(middle * CUTOFF_STEP**k), "error": round(e, 4)} for k, e in known.items()
    )
    others = ", ".join(f"{t['error']:.3f} at {t['r_cut']} Å" for t in tried if t["error"] != 1.0)
    why = f"held-out error relative to it: {others} ({screen.n_labels} labels, {screen.n_features} features)"
    return Choice("r_cut", _rounded(middle * CUTOFF_STEP**best), why, tried)


def choose_exponent(screen: Screen, r_cut: float) -> Choice:
    """The radial exponent of least held-out error at a cutoff; the screen goes on with it."""
    errors = {}
    for exponent in EXPONENTS:
        screen.exponent = exponent
        errors[exponent] = screen.score(r_cut)
    best = min(errors, key=errors.__getitem__)
    screen.exponent = best
    tried = tuple(
        {"radial_exponent": k, "error": round(float(np.exp(e - errors[best])), 4)} for k, e in errors.items()
    )
    others = ", ".join(f"{t['error']:.3f} with {t['radial_exponent']}" for t in tried if t["error"] != 1.0)
    return Choice("radial_exponent", best, f"held-out error relative to it at {r_cut:g} Å: {others}", tried)


def _choose_size(
    labelled: Labelled,
    baseline: Baseline,
    spread: Spread,
    settings: FitSettings,
    radial: tuple[float, int],
) -> tuple[Fitted, Choice]:
    elements = baseline.elements
    best: Fitted | None = None
    lowest = np.inf
    tried: list[dict[str, Any]] = []
    reason = "the largest of the ladder"
    start, misses = None, 0
    for degrees in SIZES[len(elements)]:
        basis = default_basis(elements, True, radial[0], None, degrees, radial[1])
        reason_to_stop = too_much(basis, labelled, settings) if best is not None else None
        if reason_to_stop is not None:
            reason = f"the next one, {basis.n_features} features, {reason_to_stop}"
            break
        fitted = fit_basis(labelled, basis, baseline, spread, settings, start)
        error = float(np.exp(typical_score(fitted)))
        tried.append({"max_degree": list(degrees), "n_features": basis.n_features, "error": error})
        start = fitted.model.fitted.x
        gain = 1.0 - error / lowest
        if gain > 0:
            best, lowest = fitted, error
        misses = misses + 1 if gain < GAIN else 0
        if misses == PATIENCE:
            reason = (
                f"the last {PATIENCE} steps lowered the held-out error by less than {GAIN:.1%} or not at all"
            )
            break
    assert best is not None
    first = tried[0]["error"]
    steps = ", ".join(f"{t['n_features']} features {t['error'] / first:.2f}" for t in tried)
    why = f"held-out error by size: {steps}; {reason}"
    return best, Choice("max_degree", list(best.basis.max_degree), why, tuple(tried))


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


def _rounded(length: float) -> float:
    return round(length, 2)


def _named(basis: AceBasis) -> dict[str, Any]:
    return {"r_cut": basis.r_cut, "max_degree": list(basis.max_degree)}

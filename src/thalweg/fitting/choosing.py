"""The basis that the labels ask for: cutoff and size by held-out errors, within a limit of work.

    1  spread    errors of a small basis on a sample of the labels say how noise grows (thalweg.fitting.spread)
    2  cutoff    the same sample and basis at a ladder of cutoffs, from the automatic one downhill
    3  exponent  of the radial transform: 1 resolves all distances alike, 3 favours short ones; where it is not the
                 one assumed so far, the ladder of cutoffs is gone along once more
    4  stress    labels of stress are held against the best of these
    5  size      all labels, a ladder of bases (thalweg.fitting.climb)

Held-out error: geometric mean of the typical errors of energies and of forces in 5-fold cross-validation
(thalweg.fitting.held_out). What the user has fixed is not searched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.defaults import automatic_cutoff, ordered_elements
from thalweg.fitting.assembly import ENOUGH, FitSettings, fit_basis
from thalweg.fitting.choice import Choice, Chosen, Tell, Wanted, silent
from thalweg.fitting.climb import SIZES, choose_size
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.screening import CUTOFF_STEP, EXPONENTS, FIRST_EXPONENT, Screen, rounded
from thalweg.fitting.spread import Law
from thalweg.models.training import Baseline

CUTOFFS = (0.55, 2.0)
"""Shortest and longest cutoff over the automatic one."""


def choose(
    labelled: Labelled, baseline: Baseline, wanted: Wanted, settings: FitSettings, tell: Tell = silent
) -> Chosen:
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
    choices.append(exponent)
    tell(
        f"{screen.n_features} features, {screen.n_labels} labels: cutoff {r_cut:g} Å, exponent {exponent.chosen}"
    )
    spread, stress = screen.judge(r_cut)
    climbed: list[Choice] = []
    if wanted.sized or len(elements) not in SIZES:
        basis = wanted.basis(elements, periodic, r_cut, screen.exponent)
        fitted = fit_basis(labelled, basis, baseline, spread, settings)
    else:
        fitted, climbed = choose_size(screen, spread, r_cut, wanted.r_cut is not None, tell)
    return Chosen(fitted, [*choices, _noise_law(screen), *climbed], stress)


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
            errors[step] = screen.score(rounded(middle * factor)) if inside else np.inf
        return errors[step]

    for direction in (1, -1):
        while error(best + direction) < error(best):
            best += direction
    known = {k: float(np.exp(e - errors[best])) for k, e in sorted(errors.items()) if np.isfinite(e)}
    tried = tuple({"r_cut": rounded(middle * CUTOFF_STEP**k), "error": round(e, 4)} for k, e in known.items())
    others = ", ".join(f"{t['error']:.3f} at {t['r_cut']} Å" for t in tried if t["error"] != 1.0)
    why = f"held-out error relative to it: {others} ({screen.n_labels} labels, {screen.n_features} features)"
    return Choice("r_cut", rounded(middle * CUTOFF_STEP**best), why, tried)


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


def _named(basis: AceBasis) -> dict[str, Any]:
    return {"r_cut": basis.r_cut, "max_degree": list(basis.max_degree)}

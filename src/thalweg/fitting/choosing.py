"""The basis that the labels ask for: cutoff, size and noise by held-out errors, within a limit of work.

    1  screen    a small basis on a sample of the labels; radial exponent and weight, cutoff and laws of noise, one dial
                 after the other (thalweg.fitting.screening)
    2  again     with the second basis of the ladder of sizes and a larger sample, from there: what a small basis
                 smooths over may ask for another cutoff, and what it calls noise a larger one may follow. Places that
                 the small one found worse by more than 3 % are not looked at again
    3  stress    labels of stress are held against the best of these
    4  size      all labels, a ladder of bases (thalweg.fitting.climb)

Held-out error: geometric mean of the typical errors of energies and of forces in 5-fold cross-validation
(thalweg.fitting.held_out). What the user has fixed is not searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.defaults import automatic_cutoff, ordered_elements
from thalweg.fitting.assembly import ENOUGH, FitSettings, fit_basis
from thalweg.fitting.choice import Choice, Chosen, Tell, Wanted, silent
from thalweg.fitting.climb import SCREENED, choose_size
from thalweg.fitting.data import Labelled
from thalweg.fitting.doubt import Doubt
from thalweg.fitting.ladder import SIZES, nearest_weight, rung, small
from thalweg.fitting.screening import FIRST_WEIGHT, LONGER, SECOND_SAMPLE, Screen, ScreeningSetup, Trial
from thalweg.fitting.spread import Law
from thalweg.models.training import Baseline


def choose(
    labelled: Labelled,
    baseline: Baseline,
    wanted: Wanted,
    settings: FitSettings,
    tell: Tell = silent,
    doubt: Doubt | None = None,
) -> Chosen:
    """Choose a basis for labels in shuffled order, none of an isolated atom, and fit it.

    `doubt` says which of them count less, whatever the basis.
    """
    doubt = Doubt.none(len(labelled)) if doubt is None else doubt
    elements = ordered_elements(baseline.elements)
    periodic = any(bool(structure.pbc.any()) for structure, _ in labelled)
    if len(labelled) < ENOUGH:
        fitted = fit_basis(labelled, wanted.basis(elements, periodic), baseline, doubt.spread, settings)
        why = f"{len(labelled)} labels are too few to choose by; the defaults of the elements"
        return Chosen(fitted, [Choice("basis", _named(fitted.basis), why)])
    automatic = automatic_cutoff(elements, periodic)
    sized = wanted.sized or len(elements) not in SIZES
    degrees = small(len(elements))
    weight = FIRST_WEIGHT
    if sized:
        weight = nearest_weight(wanted.radial_weight, degrees)
        degrees = {weight: degrees[weight]}
    screen = Screen(labelled, baseline, settings, degrees, doubt=doubt)
    setup = ScreeningSetup(wanted.r_cut or automatic, weight=weight)
    free = automatic if wanted.r_cut is None else None
    setup, choices = settle(screen, setup, free, tell)
    if not sized:
        screen = screen.again(rung(len(elements), SCREENED), SECOND_SAMPLE)
        setup, choices = settle(screen, setup, free, tell, choices)
    spread, stress = screen.judge(setup)
    if sized:
        basis = wanted.basis(elements, periodic, setup.r_cut, setup.exponent)
        fitted = fit_basis(labelled, basis, baseline, spread, settings, screen.fit(setup).start)
    else:
        fitted, size = choose_size(screen, spread, setup, tell)
        choices.append(size)
    return Chosen(fitted, choices, stress)


def settle(
    screen: Screen,
    setup: ScreeningSetup,
    automatic: float | None,
    tell: Tell = silent,
    earlier: Sequence[Choice] = (),
) -> tuple[ScreeningSetup, list[Choice]]:
    """Each dial in turn, from a setup on.

    Parameters
    ----------
    automatic : the cutoff to stay near; None where it is fixed
    earlier : what a smaller basis said, from which this setup comes
    """
    choices = []
    sample = f"({screen.n_labels} labels, {screen.basis(setup).n_features} features)"
    said = {choice.setting: choice.tried for choice in earlier}

    def turned(setting: str, dial: list[ScreeningSetup], **upward: float) -> ScreeningSetup:
        name = setting.removeprefix("radial_")
        errors = {trial[setting]: trial["error"] for trial in said.get(setting, ())}
        hints = {place: errors[getattr(place, name)] for place in dial if getattr(place, name) in errors}
        best, trials = screen.downhill(dial, setup, hints, **upward)
        choices.append(_choice(setting, getattr(best, name), trials, sample))
        return best

    setup = turned("radial_exponent", screen.exponents(setup))
    if len(screen.degrees) > 1:
        setup = turned("radial_weight", screen.weights(setup))
    if automatic is not None:
        setup = turned("r_cut", screen.cutoffs(setup, automatic), upward=LONGER)
    setup, noise = settle_noise(screen, setup)
    choices.append(noise)
    shape = f"cutoff {setup.r_cut:g} Å, exponent {setup.exponent}, radial weight {setup.weight}"
    tell(f"{sample[1:-1]}: {shape}; {choices[-1].why}")
    return setup, choices


def settle_noise(screen: Screen, setup: ScreeningSetup) -> tuple[ScreeningSetup, Choice]:
    """The laws of noise alone."""
    setup, of_energy = screen.downhill(screen.energy_laws(setup), setup)
    setup, of_forces = screen.downhill(screen.forces_laws(setup), setup)
    words = [
        f"energies' {_in_words(setup.energy, 'eV/atom above the lowest')}",
        f"forces' {_in_words(setup.forces, 'eV/Å rms')}",
    ]
    tried = tuple(
        {"energy": _limit(t.value.energy), "forces": _limit(t.value.forces), "error": round(t.error, 4)}
        for t in [*of_energy, *of_forces]
    )
    chosen = {"energy": _limit(setup.energy), "forces": _limit(setup.forces)}
    return setup, Choice("noise", chosen, f"by held-out errors: {', '.join(words)}", tried)


def _choice(setting: str, chosen: Any, trials: list[Trial], sample: str) -> Choice:
    """What a dial said."""
    name = setting.removeprefix("radial_")
    unit, word = (" Å", "at") if setting == "r_cut" else ("", "with")
    tried = tuple({setting: getattr(t.value, name), "error": round(t.error, 4)} for t in trials)
    others = ", ".join(
        f"{trial['error']:.3f} {word} {trial[setting]}{unit}" for trial in tried if trial[setting] != chosen
    )
    if not others:
        return Choice(setting, chosen, "a smaller basis was clear about it", tried)
    return Choice(setting, chosen, f"held-out error relative to it: {others} {sample}", tried)


def _limit(law: Law) -> float | None:
    return law.limit if np.isfinite(law.limit) else None


def _in_words(law: Law, unit: str) -> str:
    if not np.isfinite(law.limit):
        return "is uniform"
    return f"grows from {law.limit:g} {unit} on"


def _named(basis: AceBasis) -> dict[str, Any]:
    return {"r_cut": basis.r_cut, "max_degree": list(basis.max_degree)}

"""A potential from labels that are all there, without the loop; its error bounds come from cross-validation.

Notation
    K        folds; label i, in an order shuffled by the seed, is in fold i mod K
    S_k      sums over the labels of fold k that the posterior needs (thalweg.models.folds)
    full     model fitted to S_1 + ... + S_K
    out_k    model fitted to all S_j with j != k, with the hyperparameters of the full one

Each label is compared with what out_k, which has not seen it, predicts: committee deviation d_i and force
error e_i of every atom. The conformal map from d to a bound on e (thalweg.calibration) is learned from these
pairs, as a run learns it from the oracle's answers; and so are the factors that widen the spread of energies and stress
(thalweg.calibration.widening). The full model has seen 1 / (1 - 1/K) times as many labels: its
deviations are smaller, by sqrt(1 - 1/K) where labels and not the prior decide, and its errors hardly, since the misfit
of the basis stays. So the map is learned from sqrt(1 - 1/K) d_i, what the full model would state of the same atom.

Folds are drawn at random: the bounds speak of structures like the training set's. Consecutive frames of one
trajectory are near-copies of each other, and then bounds are too small; give the frames thinned out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from thalweg.calibration import BoundMap, Calibration, CalibrationSpec, Compared
from thalweg.calibration.fit import fit_bounds
from thalweg.calibration.widening import fit_widening
from thalweg.coherence import Coherence
from thalweg.errors import check
from thalweg.features import AceBasis
from thalweg.features.batch import numbers_of
from thalweg.features.defaults import automatic_cutoff, ordered_elements
from thalweg.fitting.alternative import make_alternative
from thalweg.fitting.assembly import ENOUGH, FitSettings, Fitted, fit_basis
from thalweg.fitting.choice import Choice, Chosen, Tell, Wanted, silent
from thalweg.fitting.choosing import choose, settle_noise
from thalweg.fitting.data import Labelled, data_hash, make_baseline
from thalweg.fitting.doubt import check_labels, doubt_of
from thalweg.fitting.ladder import nearest_weight
from thalweg.fitting.novelty import fold_novelty
from thalweg.fitting.references import References, find_references, is_isolated_atom
from thalweg.fitting.revealing import Revelation, reveal
from thalweg.fitting.screening import Screen, ScreeningSetup
from thalweg.fitting.spread import StressFindings
from thalweg.models import BayesianLinear
from thalweg.potential import N_DRAWS, ErrorBounds, Potential

DEFAULTS = FitSettings()
ANYTHING = Wanted()
_ALL_ALIKE = 1e9
"""Half-life, in answers, of a calibration in which no answer is older than another."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Outcome of a fit.

    Attributes
    ----------
    potential : Potential
    model : BayesianLinear
    answers : tuple of Answer
        Errors of each label as predicted without it, and the deviations that a model of as many labels as the
        potential's would state; empty for fewer than two labels.
    n_folds : int
    seconds : mapping
        Wall time of the steps: choice, calibration, alternative.
    references : References
        Where the reference energies come from.
    coherence : Coherence
        What was found when energies, forces and stress were held against each other.
    choices : tuple of Choice
        What was chosen by the labels, and why; empty for a given basis.
    stress : StressFindings or None
        What was found about the stress labels; None where there are few.
    """

    potential: Potential
    model: BayesianLinear
    answers: tuple[Compared, ...]
    n_folds: int
    seconds: dict[str, float]
    references: References
    coherence: Coherence
    choices: tuple[Choice, ...] = ()
    stress: StressFindings | None = None


def fit_labels(labelled: Labelled, basis: AceBasis, settings: FitSettings = DEFAULTS) -> Fit:
    """Fit a potential of a given basis to labelled structures.

    Raises
    ------
    InputError
        No label with at least two atoms (or a periodic one), an element outside the basis, or forces of
        another shape than the structure's.
    """
    clock = _Clock()
    order = _shuffled(labelled, settings, basis.r_cut)
    useful = [labelled[i] for i in order]
    references = find_references(labelled, basis.elements, basis.r_cut)
    baseline = make_baseline(labelled, basis.elements, references)
    coherence = check_labels(labelled, basis.elements, basis.r_cut)
    doubt = doubt_of(coherence, order)
    spread, stress = doubt.spread, None
    if len(useful) >= ENOUGH:
        screen = Screen(useful, baseline, settings, doubt=doubt)
        weight = nearest_weight(basis.radial_weight, screen.degrees)
        setup, _ = settle_noise(screen, ScreeningSetup(basis.r_cut, basis.radial_exponent, weight))
        spread, stress = screen.judge(setup)
    clock.lap("choice")
    fitted = fit_basis(useful, basis, baseline, spread, settings)
    clock.lap("fit")
    return _finished(Chosen(fitted, [], stress), labelled, references, coherence, settings, clock)


def fit_chosen(
    labelled: Labelled,
    wanted: Wanted = ANYTHING,
    settings: FitSettings = DEFAULTS,
    tell: Tell = silent,
) -> Fit:
    """Fit a potential whose basis the labels choose, but for what is wanted (`thalweg.fitting.choosing`).

    `tell` takes a line on each basis that was tried, as it comes.

    Raises
    ------
    InputError
        As `fit_labels`.
    """
    clock = _Clock()
    numbers = {int(z) for structure, _ in labelled for z in structure.numbers}
    elements = ordered_elements(chemical_symbols[z] for z in numbers)
    periodic = any(bool(structure.pbc.any()) for structure, _ in labelled)
    reach = wanted.r_cut or automatic_cutoff(elements, periodic)
    order = _shuffled(labelled, settings, reach)
    references = find_references(labelled, elements, reach)
    baseline = make_baseline(labelled, elements, references)
    coherence = check_labels(labelled, elements, reach)
    clock.lap("coherence")
    useful = [labelled[i] for i in order]
    chosen = choose(useful, baseline, wanted, settings, tell, doubt_of(coherence, order))
    clock.lap("fit")
    return _finished(chosen, labelled, references, coherence, settings, clock)


def _shuffled(labelled: Labelled, settings: FitSettings, reach: float) -> list[int]:
    """Places of the labels that are not of isolated atoms, in the order of the folds."""
    useful = [i for i, pair in enumerate(labelled) if not is_isolated_atom(pair[0], reach)]
    check(len(useful) > 0, "fit: every label is of an isolated atom; at least one other label is needed")
    check(
        any(labelled[i][1].has_forces for i in useful),
        "fit: no label has forces (eV/Å), and energies alone are not enough; check the column names, "
        "for example Properties=species:S:1:pos:R:3:forces:R:3",
    )
    order = np.random.default_rng(settings.seed).permutation(len(useful))
    return [useful[i] for i in order]


def _finished(
    chosen: Chosen,
    labelled: Labelled,
    references: References,
    coherence: Coherence,
    settings: FitSettings,
    clock: _Clock,
) -> Fit:
    """Bounds and novelty of a fitted basis."""
    fitted = chosen.fitted
    held_out = _out_of_fold(fitted) if fitted.n_folds > 1 else ()
    answers = tuple(one.answer for one in held_out if one.answer is not None)
    residuals = [one.residuals for one in held_out]
    bounds = _bounds(answers, fitted.basis, settings.confidence)
    novelty = fold_novelty(fitted.labelled, fitted.basis, fitted.n_folds)
    widening = fit_widening(residuals, np.ones(len(residuals)))
    clock.lap("calibration")
    x = fitted.model.fitted.x
    alternative = make_alternative(fitted.labelled, fitted.basis, fitted.baseline, x, fitted.spread)
    clock.lap("alternative")
    potential = Potential.from_model(
        fitted.model,
        fitted.basis,
        fitted.baseline,
        novelty=novelty,
        bounds=bounds,
        provenance=_provenance(labelled, settings),
    ).stating(fitted.model.member_deltas(N_DRAWS), widening, alternative)
    return Fit(
        potential,
        fitted.model,
        answers,
        fitted.n_folds,
        clock.laps,
        references,
        coherence,
        tuple(chosen.choices),
        chosen.stress,
    )


def _out_of_fold(fitted: Fitted) -> list[Revelation]:
    return reveal(fitted.model, fitted.sums, fitted.basis, fitted.baseline, fitted.labelled, fitted.spread)


def _bounds(answers: Sequence[Compared], basis: AceBasis, confidence: float) -> ErrorBounds:
    """The conformal map of these answers, all of one age; without any, the prior's."""
    spec = CalibrationSpec(confidence=confidence, half_life=_ALL_ALIKE)
    chosen: BoundMap = (
        fit_bounds(answers, spec, alpha=1 - confidence, n_answers=len(answers))
        if answers
        else Calibration(spec).bounds
    )
    return ErrorBounds(confidence, *chosen.lines(numbers_of(basis.elements)))


def _provenance(labelled: Labelled, settings: FitSettings) -> dict[str, object]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("thalweg")
    except PackageNotFoundError:  # run from a source tree that is not installed
        number = "unknown"
    return {
        "made_by": "thalweg fit",
        "version": number,
        "oracles": sorted({label.oracle for _, label in labelled}),
        "n_labels": len(labelled),
        "charges": sorted({structure.charge or 0 for structure, _ in labelled}),
        "data_hash": data_hash(labelled),
        "seed": settings.seed,
    }


class _Clock:
    """Wall time between laps, s."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now

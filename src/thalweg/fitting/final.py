"""A potential from labels that are all there, without the loop; its error bounds come from cross-validation.

Notation
    K        folds; label i, in an order shuffled by the seed, is in fold i mod K
    S_k      sums over the labels of fold k that the posterior needs (thalweg.models.gram)
    full     model fitted to S_1 + ... + S_K
    out_k    model fitted to all S_j with j != k, with the hyperparameters of the full one

Each label is compared with what out_k, which has not seen it, predicts: committee deviation d_i and force
error e_i of every atom. The conformal map from d to a bound on e (thalweg.calibration) is learned from these
pairs, as a run learns it from the oracle's answers. Rows are made once; a fold costs one factorisation more.

Folds are drawn at random: the bounds speak of structures like the training set's. Consecutive frames of one
trajectory are near-copies of each other, and then bounds are too small; give the frames thinned out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.calibration import Answer, BoundMap, Calibration, CalibrationSpec, Stream
from thalweg.calibration.fit import fit_bounds
from thalweg.errors import check
from thalweg.features import AceBasis, Features
from thalweg.features.batch import numbers_of, species_of
from thalweg.features.zbl import ZblBaseline
from thalweg.label import Label
from thalweg.models import BayesianLinear, SmoothnessPrior
from thalweg.models.gram import Grams
from thalweg.models.noise import hold_noise
from thalweg.models.training import Baseline, estimate_reference_energies, observe
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import FloatArray, Structure
from thalweg.uncertainty.novelty import NoveltyFit

Labelled = Sequence[tuple[Structure, Label]]

N_FOLDS = 5
_FIRST_LABELS = 32
"""Labels, in shuffled order, from which the features' scale is taken."""
_ALL_ALIKE = 1e9
"""Half-life, in answers, of a calibration in which no answer is older than another."""


@dataclass(frozen=True)
class FitSettings:
    """Committee's n_members; seed of its draws and of the folds; confidence of the bounds."""

    n_members: int = 8
    seed: int = 1
    confidence: float = 0.95
    tune_evaluations: int = 40


@dataclass(frozen=True, eq=False)
class Fit:
    """Outcome of a fit.

    Attributes
    ----------
    potential : Potential
    model : BayesianLinear
    answers : tuple of Answer
        Deviations and errors of each label as predicted without it; empty for fewer than two labels.
    n_folds : int
    seconds : mapping
        Wall time of the steps: features, fit, calibration.
    """

    potential: Potential
    model: BayesianLinear
    answers: tuple[Answer, ...]
    n_folds: int
    seconds: dict[str, float]


def fit_labels(labelled: Labelled, basis: AceBasis, settings: FitSettings = FitSettings()) -> Fit:
    """Fit a potential to labelled structures.

    Raises
    ------
    InputError
        No label with at least two atoms (or a periodic one), an element outside the basis, or forces of
        another shape than the structure's.
    """
    baseline = make_baseline(labelled, basis)
    useful = [pair for pair in labelled if not is_isolated_atom(pair[0])]
    check(len(useful) > 0, "fit: no label of more than an isolated atom; at least one is needed")
    clock = _Clock()
    order = np.random.default_rng(settings.seed).permutation(len(useful))
    shuffled = [useful[i] for i in order]
    n_folds = min(N_FOLDS, len(useful))
    first, folds = _sum_rows(shuffled, basis, baseline, settings, n_folds)
    clock.lap("features")
    n = first.prior.n_columns
    model = first.refitted(Grams.total(n, folds), len(useful))
    model.tune(settings.tune_evaluations)
    hold_noise(model)
    clock.lap("fit")
    answers = _out_of_fold(model, folds, shuffled, basis, baseline) if n_folds > 1 else ()
    bounds = _bounds(answers, basis, settings.confidence)
    novelty = _novelty(useful, basis).model()
    clock.lap("calibration")
    potential = Potential.from_model(
        model, basis, baseline, novelty=novelty, bounds=bounds, provenance=_provenance(labelled, settings)
    )
    return Fit(potential, model, answers, n_folds, clock.laps)


def is_isolated_atom(structure: Structure) -> bool:
    """One atom in empty space: its label is a reference energy and says nothing of interactions."""
    return len(structure) == 1 and not structure.pbc.any()


def make_baseline(labelled: Labelled, basis: AceBasis) -> Baseline:
    """Core repulsion, and reference energies: of isolated atoms where all are labelled, else fitted."""
    elements = basis.elements
    energies = np.full(len(elements), np.nan)
    for structure, label in labelled:
        if is_isolated_atom(structure):
            energies[species_of(structure, elements)[0]] = label.energy
    if np.isnan(energies).any():
        structures = [structure for structure, _ in labelled]
        energies = estimate_reference_energies(structures, [label.energy for _, label in labelled], elements)
    return Baseline(elements, energies, ZblBaseline(elements))


def _sum_rows(
    labelled: Labelled, basis: AceBasis, baseline: Baseline, settings: FitSettings, n_folds: int
) -> tuple[BayesianLinear, list[Grams]]:
    """A model that fixes the scale by the first labels, and the sums over each fold's scaled rows."""
    features = Features(basis)
    prior = SmoothnessPrior.for_basis(basis)
    first = BayesianLinear(prior, n_members=settings.n_members, seed=settings.seed)
    first.fit_batch([observe(features, *pair, baseline) for pair in labelled[:_FIRST_LABELS]])
    scale = first.fitted.scale
    folds = [Grams(prior.n_columns) for _ in range(n_folds)]
    for index, pair in enumerate(labelled):
        for block in observe(features, *pair, baseline):
            folds[index % n_folds].add(block, block.rows / scale)
    return first, folds


def _out_of_fold(
    model: BayesianLinear, folds: list[Grams], labelled: Labelled, basis: AceBasis, baseline: Baseline
) -> tuple[Answer, ...]:
    """Each label beside the prediction of the model that has not seen its fold."""
    n_folds, ones = len(folds), np.ones(len(basis.elements))
    answers = []
    for k in range(n_folds):
        held_out = labelled[k::n_folds]
        others = Grams.total(model.prior.n_columns, folds[:k] + folds[k + 1 :])
        potential = Potential.from_model(
            model.refitted(others, len(labelled) - len(held_out)),
            basis,
            baseline,
            novelty=None,
            bounds=ErrorBounds(0.95, ones, 0 * ones),
            provenance={},
        )
        answers += [_answer(potential, structure, label) for structure, label in held_out]
    return tuple(answers)


def _answer(potential: Potential, structure: Structure, label: Label) -> Answer:
    prediction = potential.predict(structure)
    error = np.linalg.norm(prediction.forces - label.forces, axis=1)
    # A fold is a fair sample of the training set, as an audit is of a trajectory.
    return Answer(Stream.AUDIT, structure.numbers, prediction.forces_deviation, np.asarray(error))


def _bounds(answers: Sequence[Answer], basis: AceBasis, confidence: float) -> ErrorBounds:
    """The conformal map of these answers, all of one age; without any, the prior's."""
    spec = CalibrationSpec(confidence=confidence, half_life=_ALL_ALIKE)
    chosen: BoundMap = (
        fit_bounds(answers, spec, alpha=1 - confidence, n_answers=len(answers))
        if answers
        else Calibration(spec).bounds
    )
    return ErrorBounds(confidence, *chosen.lines(numbers_of(basis.elements)))


def _novelty(labelled: Labelled, basis: AceBasis) -> NoveltyFit:
    features = Features(basis)
    fit = NoveltyFit(len(basis.elements), basis.n_features)
    for structure, _ in labelled:
        fit.add(features.phi([structure]), species_of(structure, basis.elements))
    return fit


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
        "data_hash": data_hash(labelled),
        "seed": settings.seed,
    }


def data_hash(labelled: Labelled) -> str:
    """SHA-256 of the structures and their energies and forces, in any order."""
    parts = []
    for structure, label in labelled:
        numbers: FloatArray = np.concatenate([[label.energy], label.forces.ravel()]).astype("<f8")
        parts.append(structure.content_hash + hashlib.sha256(numbers.tobytes()).hexdigest())
    return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()


class _Clock:
    """Wall time between laps, s."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now

"""What a fitted model could say of the error of a force: deviations by more or fewer draws, exact, with rivals.

Every signal is calibrated alike, as `thalweg fit` calibrates its own: each fold is predicted by the model without it,
and the map from deviation to bound is learned from these. Rivals (members that differ in an assumption) are those of
the product, and are left out where it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from reference_sets import Labelled
from uncertainty_answers import SetAnswers

from thalweg.calibration import BoundMap, CalibrationSpec, Compared, Stream
from thalweg.calibration.fit import fit_bounds
from thalweg.features import AceBasis, Features, design_rows
from thalweg.models import BayesianLinear, Observation
from thalweg.models.gram import Grams
from thalweg.models.training import Baseline, observe
from thalweg.structure import FloatArray, IntArray, Structure

N_FOLDS = 5
N_DRAWS = 32
RIVAL_SHARE = 0.2
"""Weight of each rival's square beside the mean square of the draws."""
_ALL_ALIKE = 1e9
_RIVALS = "thalweg.models.rivals"

Combine = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Squares of the draws' (n_atoms, 32) and rivals' (n_atoms, K) deviations and of the exact one (n_atoms,) to one."""

SIGNALS: dict[str, Combine] = {
    "largest of 8 draws": lambda draws, _rivals, _exact: draws[:, :8].max(axis=1),
    "rms of 8 draws": lambda draws, _rivals, _exact: draws[:, :8].mean(axis=1),
    "rms of 16 draws": lambda draws, _rivals, _exact: draws[:, :16].mean(axis=1),
    "rms of 32 draws": lambda draws, _rivals, _exact: draws.mean(axis=1),
    "exact sd": lambda _draws, _rivals, exact: exact,
}
WITH_RIVALS: dict[str, Combine] = {
    "rms of 8 draws and rivals": lambda draws, rivals, _exact: (
        draws[:, :8].mean(axis=1) + RIVAL_SHARE * rivals.sum(axis=1)
    ),
    "exact sd and rivals": lambda _draws, rivals, exact: exact + RIVAL_SHARE * rivals.sum(axis=1),
}


def signals() -> dict[str, Combine]:
    """Those that this version of the product can give."""
    return SIGNALS | (WITH_RIVALS if find_spec(_RIVALS) else {})


@dataclass(frozen=True, eq=False)
class Stated:
    """One set by a model: elements and force errors (eV/Å) of its atoms, what each signal says of them, and owners."""

    numbers: IntArray
    error: FloatArray
    owner: IntArray
    deviation: dict[str, FloatArray] = field(default_factory=dict)

    def answers(self, name: str, narrower: float) -> list[Compared]:
        """By structure, for the calibration."""
        parts = [self.owner == k for k in np.unique(self.owner)]
        own = narrower * self.deviation[name]
        return [Compared(Stream.AUDIT, self.numbers[p], own[p], self.error[p]) for p in parts]


class SignalModel:
    """A fitted model that states its signals."""

    def __init__(self, model: BayesianLinear, basis: AceBasis, baseline: Baseline) -> None:
        self.model, self.baseline, self.features = model, baseline, Features(basis)
        model.n_members = N_DRAWS
        draws = model.member_deltas()
        rivals = import_module(_RIVALS).rival_deltas(model) if find_spec(_RIVALS) else draws[:0]
        self.members = np.concatenate([draws, rivals])

    def stated(self, labelled: Labelled) -> Stated:
        """All signals of the structures whose forces are labelled."""
        parts = [self._one(structure) for structure, label in labelled if label.has_forces]
        known = [pair for pair in labelled if pair[1].has_forces]
        error = [
            np.linalg.norm(forces - label.forces, axis=1)
            for (forces, _), (_, label) in zip(parts, known, strict=True)
        ]
        squares = [np.concatenate(own) for own in zip(*(squares for _, squares in parts), strict=True)]
        return Stated(
            np.concatenate([structure.numbers for structure, _ in known]),
            np.concatenate(error),
            np.repeat(np.arange(len(known)), [len(structure) for structure, _ in known]),
            {name: np.sqrt(combine(*squares)) for name, combine in signals().items()},
        )

    def _one(self, structure: Structure) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
        """Forces of the mean, and squared deviations per atom: draws, rivals, exact."""
        n = len(structure)
        rows = design_rows(self.features, structure, stress=False).forces
        forces = (rows @ self.model.mean).reshape(n, 3) + self.baseline.compute(structure)[1]
        squares = ((rows @ self.members.T).reshape(n, 3, -1) ** 2).sum(axis=1)
        exact = self.model.variance(rows).reshape(n, 3).sum(axis=1)
        return forces, (squares[:, :N_DRAWS], squares[:, N_DRAWS:], exact)


def compare_signals(
    model: BayesianLinear, basis: AceBasis, baseline: Baseline, train: Labelled, tests: dict[str, Labelled]
) -> dict[str, dict[str, SetAnswers]]:
    """Of each test set and signal, errors and bounds; the bounds by folds of the training set."""
    held_out = _by_folds(model, basis, baseline, train)
    whole = SignalModel(model.refitted(model.grams, model.n_labels), basis, baseline)
    found = {key: whole.stated(part) for key, part in tests.items() if any(lb.has_forces for _, lb in part)}
    out: dict[str, dict[str, SetAnswers]] = {key: {} for key in found}
    narrower = np.sqrt(1.0 - 1.0 / N_FOLDS)
    for name in signals():
        bounds = bound_map([answer for part in held_out for answer in part.answers(name, narrower)])
        for key, part in found.items():
            deviation = part.deviation[name]
            stated = bounds.bound(part.numbers, deviation)
            out[key][name] = SetAnswers(part.owner, part.numbers, part.error, deviation, stated)
    return out


def bound_map(answers: list[Compared]) -> BoundMap:
    """The product's map from deviations to bounds at 95 %, by answers of one age."""
    return fit_bounds(answers, CalibrationSpec(half_life=_ALL_ALIKE), alpha=0.05, n_answers=len(answers))


def _by_folds(model: BayesianLinear, basis: AceBasis, baseline: Baseline, train: Labelled) -> list[Stated]:
    """What the model without each fold says of it, under the hyperparameters of the whole."""
    features = Features(basis)
    order = np.random.default_rng(0).permutation(len(train))
    mixed = [train[i] for i in order]
    observed = [observe(features, structure, label, baseline) for structure, label in mixed]
    out = []
    for k in range(N_FOLDS):
        others = [one for i, one in enumerate(observed) if i % N_FOLDS != k]
        fitted = model.refitted(_sums(others, model.fitted.scale), len(others))
        out.append(SignalModel(fitted, basis, baseline).stated(mixed[k::N_FOLDS]))
    return out


def _sums(observations: list[Observation], scale: FloatArray) -> Grams:
    grams = Grams(len(scale))
    grams.add_many([block for observation in observations for block in observation], scale)
    return grams

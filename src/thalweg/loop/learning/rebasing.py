"""A run chooses its basis from its labels as it goes, at FIRST_CHOICE labels and whenever they have doubled.

The present basis is compared with its neighbours by what each label leaves to a model of the others
(thalweg.fitting.dials), hyperparameters and all. The best is adopted where its error is lower by MARGIN / sqrt(n) of n
labels at least and the basis is another one; until then the old potential stays in force. Where not even one neighbour
is better, the next doubling is let pass.

How a change goes. The same labels in the same order, the same reference energies: a new learner takes them in together,
with the hyperparameters of the comparison, and goes on label by label. From then on left-out labels say how energies
weigh against forces. Deviations of the new basis are of another size: the calibration's window is filled anew with
predictions of each label by a model without it (`calibrated_anew`). Walkers go on where they are, and audits made
before stay in their window: they were made with the worse model, so that what they certify holds.

How much it may take. Work is counted, not timed, so that a run is the same on every machine:

    allowance = LEAST + SHARE work of the run - work spent on looking round before
    work of the run: STEP for each step, atom and feature;  LABEL m n² for each label of m rows, n columns;  CALL a call
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.calibration import Calibration, Stream
from thalweg.errors import ModelError
from thalweg.features.zbl import ZblBaseline
from thalweg.fitting.choice import Wanted
from thalweg.fitting.data import Spread
from thalweg.fitting.dials import Neighbourhood, look_round
from thalweg.fitting.left_out_fit import Hyper, LeftOutFit, fit_left_out, rows_of, work_of
from thalweg.fitting.revealing import Revelation, reveal
from thalweg.fitting.work import N_FOLDS
from thalweg.labelling.question import QuestionKind
from thalweg.loop.learning.basing import Basing, BasisChoice, describe
from thalweg.loop.learning.comparing import STREAMS
from thalweg.loop.learning.learner import Learner, Tuning
from thalweg.loop.learning.searching import by_left_out
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.models.folds import FoldSums
from thalweg.models.training import Baseline, observe

MARGIN = 0.67
"""Share by which the error of left-out labels must be lower, times sqrt(n_labels): 15 % at 20 labels, 7 % at 80."""
SHARE = 0.6
"""Of the run's counted work that looking round may take: less than a third of its time, of which about half is counted
(not the evidence, novelty, store and processes)."""
LEAST = 2e10
"""Work that it may always take: some seconds on one core."""
STEP, LABEL, CALL = 160.0, 2.0, 2e8
"""Work of a step for each atom and feature; of learning, over m n²; of a call, however long it takes."""
POLISH = 20
"""Evaluations of the errors of left-out labels for what is adopted."""
SOON = 1.2
"""Growth of the labels after which it is tried again, where the allowance did not do for a look round."""

Met = tuple[QuestionKind, float | None]
"""The kind of question that gave a label, and the temperature (K) of the walker that met the structure."""


def is_due(setup: Setup, state: LoopState) -> bool:
    """Whether a look round is due."""
    return setup.config.model.basis == "automatic" and state.policy.n_labels >= state.basing.next_at


def work_of_block(atom_steps: int, learner: Learner) -> float:
    """What walkers have done, `atom_steps` being their steps times atoms."""
    return STEP * atom_steps * learner.basis.n_features


@dataclass(frozen=True, eq=False)
class Rebased:
    """What came of a look round: the learner and the calibration in force, and what to keep of it."""

    learner: Learner
    calibration: Calibration
    basing: Basing


def look_for_basis(
    setup: Setup, state: LoopState, learner: Learner, met: Sequence[Met], under_way: Sequence[int]
) -> Rebased:
    """Look round, and adopt a better basis where there is one; where the present one stays, `learner` may be tuned.

    Parameters
    ----------
    met : how the labelled structures were, in the order of learning
    under_way : numbers of the questions put and not answered
    """
    basing = state.basing
    allowance = LEAST + SHARE * (basing.work + _work_of_labels(learner, state.policy.calls)) - basing.spent
    found = _looked_round(setup, learner, allowance)
    n, basing = learner.n_labels, replace(basing, next_at=_next(learner.n_labels, found))
    if found is None:
        return Rebased(learner, state.calibration, basing)
    changed = _is_adopted(learner, found)
    basing = replace(
        basing, spent=basing.spent + found.work, choices=(*basing.choices, _choice(n, found, changed))
    )
    if not changed:
        if learner.search is by_left_out:
            learner.go_to(found.present.hyper.x)  # as at any tuning
        return Rebased(learner, state.calibration, basing)
    fresh = _learned_anew(learner, _polished(learner, found.best))
    spent = basing.spent + _work_of_change(fresh)
    basing = replace(basing, basis=found.best.basis, n_batch=n, earlier=tuple(under_way), spent=spent)
    return Rebased(fresh, calibrated_anew(state.calibration, fresh, met), basing)


def _is_adopted(learner: Learner, found: Neighbourhood) -> bool:
    """Whether the best one met is another basis, and worth beginning anew.

    Other hyperparameters alone are not: of some twenty labels they gain in energies and lose in forces, which are what
    the target is about.
    """
    return found.best is not found.present and bool(found.gain >= MARGIN / np.sqrt(learner.n_labels))


def _next(n_labels: int, found: Neighbourhood | None) -> int:
    """Labels at the next look: twice as many, four times where no neighbour is better, soon where work was lacking."""
    if found is None:
        return math.ceil(SOON * n_labels)
    return n_labels * (4 if found.best is found.present else 2)


def _work_of_labels(learner: Learner, calls: int) -> float:
    return LABEL * rows_of(learner.labelled) * learner.basis.n_columns**2 + CALL * calls


def _work_of_change(fresh: Learner) -> float:
    """Of the last search, of learning anew, and of the folds of the calibration."""
    n, n_rows = float(fresh.basis.n_columns), rows_of(fresh.labelled)
    return work_of(n_rows, fresh.basis, POLISH) + 2.0 * n_rows * n**2 + 3.0 * n**3


def wanted(setup: Setup) -> Wanted:
    """What the configuration fixes of the basis."""
    model = setup.config.model
    return Wanted(model.r_cut, model.correlation_order, model.max_degree, model.radial_weight or 1)


def _looked_round(setup: Setup, learner: Learner, allowance: float) -> Neighbourhood | None:
    """None where the allowance does not do, or a label has absurd numbers."""
    fitted = learner.model.fitted
    hyper = Hyper(learner.model.prior, fitted.x)
    try:
        return look_round(
            learner.labelled,
            learner.basis,
            hyper,
            learner.baseline,
            wanted(setup),
            allowance,
            fitted.scale,
        )
    except ModelError:
        return None


def _choice(n_labels: int, found: Neighbourhood, changed: bool) -> BasisChoice:
    before = describe(found.present.basis)
    # of a basis that stays nothing is claimed that other hyperparameters of its own would bring
    by_basis = float(np.exp(found.best.score - found.present.score))
    return BasisChoice(
        n_labels=n_labels,
        changed=changed,
        error=1.0 - found.gain if changed else by_basis,
        before=before,
        after=describe(found.best.basis) if changed else before,
        tried=len(found.tried),
        work=found.work,
    )


def _polished(learner: Learner, best: LeftOutFit) -> LeftOutFit:
    """Hyperparameters looked for with more steps than are spent on a comparison."""
    try:
        return fit_left_out(learner.labelled, best.basis, learner.baseline, best.hyper, POLISH)
    except ModelError:  # at the edge of what double precision can tell apart
        return best


def _learned_anew(learner: Learner, best: LeftOutFit) -> Learner:
    """A learner of the same labels in the basis found, in the steps in which a resumed run makes it again."""
    elements = learner.basis.elements
    fresh = Learner(
        best.basis,
        Baseline(elements, learner.baseline.reference_energies, ZblBaseline(elements)),
        n_members=learner.model.n_members,
        seed=learner.model.seed,
        search=by_left_out,
    )
    n, x = learner.n_labels, tuple(float(value) for value in best.hyper.x)
    fresh.replay(n, learner.labelled, [Tuning(n, x)])
    return fresh


# --- calibration ----------------------------------------------------------------------------------------


def calibrated_anew(calibration: Calibration, learner: Learner, met: Sequence[Met]) -> Calibration:
    """The calibration with a window of this learner's own predictions, each label's by a model without it.

    Audits among them count as queries: what is said of coverage is counted on audits that were predicted before they
    were learned.
    """
    fresh = Calibration(calibration.spec)
    for one, (_, temperature) in zip(_left_out_answers(learner, met), met, strict=True):
        fresh = fresh.record_residuals(one.residuals)
        if one.answer is not None:
            fresh = fresh.record(replace(one.answer, temperature=temperature))
    return replace(
        fresh,
        n_answers=max(calibration.n_answers, fresh.n_answers),
        n_residuals=max(calibration.n_residuals, fresh.n_residuals),
        working_alpha=None,
        alphas=(),
    )


def _left_out_answers(learner: Learner, met: Sequence[Met]) -> list[Revelation]:
    """In the order of learning."""
    labelled, n_folds = learner.labelled, min(N_FOLDS, learner.n_labels)
    sums = FoldSums(learner.model.fitted.scale, n_folds)
    for i, (structure, label) in enumerate(labelled):
        for block in observe(learner.features, structure, label, learner.baseline):
            sums.add(i % n_folds, block)
    sums.close()
    spread = Spread.alike(len(labelled))
    found = reveal(learner.model, sums, learner.basis, learner.baseline, labelled, spread)
    return [one.of_stream(_stream(kind)) for one, (kind, _) in zip(found, met, strict=True)]


def _stream(kind: QuestionKind) -> Stream:
    return STREAMS[QuestionKind.QUERY if kind is QuestionKind.AUDIT else kind]

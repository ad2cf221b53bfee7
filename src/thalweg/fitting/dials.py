"""Better bases next to a present one, within an allowance of work: how a run chooses its basis from its labels.

From the best basis so far these neighbours are asked, and the first that lowers the error of left-out labels enough
(thalweg.fitting.left_out_fit) is gone on from, until none does or the allowance is spent:

    far        CUTOFF_STEP times the cutoff and an exponent of 1, which resolves all distances alike: a long cutoff
               shows nothing of far neighbours under an exponent that blurs them, nor the other way round
    longer     CUTOFF_STEP times the cutoff, within CUTOFFS of the automatic one
    exponent   of the radial transform, one less
    larger     the next size of the ladder, if labels have NUMBERS_EACH numbers for each of its coefficients
    others     shorter, one more of the exponent; one more or less of the radial weight, at nearly as many features

The others are asked only where one of the first has brought something: where none has the present basis is good, and
that is found out cheaply. Enough is GAIN / sqrt(n) of n labels, for the error of an error falls in this way, and
LARGER at least where the basis or its cutoff becomes larger, since each step of a walker costs more then.

All labels, reference energies and core repulsion are the same for all. Nothing depends on time or chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from thalweg.errors import ModelError
from thalweg.features import AceBasis
from thalweg.features.defaults import automatic_cutoff, default_basis
from thalweg.fitting.choice import Wanted
from thalweg.fitting.climb import NUMBERS_EACH
from thalweg.fitting.data import Labelled
from thalweg.fitting.ladder import SIZES
from thalweg.fitting.left_out_fit import Hyper, LeftOutFit, fit_left_out, rows_of, work_of
from thalweg.fitting.screening import CUTOFFS, EXPONENTS, rounded
from thalweg.models.training import Baseline
from thalweg.structure import FloatArray

CUTOFF_STEP = 1.12
GAIN, LARGER = 0.2, 0.06
"""Share by which errors of left-out labels must fall, times sqrt(n_labels); and where basis or cutoff become larger."""
FIRST_STEPS, STEPS = 6, 4
"""Evaluations for the present basis, whose hyperparameters may be the evidence's, and for each neighbour."""
_SIZE = 1.15
"""Features over the present ones from which on a basis is of another size."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What came of looking round.

    Attributes
    ----------
    best : the best basis met, with its hyperparameters; the present one where no other is better
    present : the present one, its hyperparameters looked for in the same way
    tried : the others, in the order in which they were tried
    work : spent, as `thalweg.fitting.left_out_fit` counts it
    """

    best: LeftOutFit
    present: LeftOutFit
    tried: tuple[LeftOutFit, ...]
    work: float

    @property
    def gain(self) -> float:
        """Share by which the best one's error of left-out labels is lower than that of what is in force."""
        return 1.0 - float(np.exp(self.best.score - self.present.at_start))


def look_round(
    labelled: Labelled,
    present: AceBasis,
    start: Hyper,
    baseline: Baseline,
    wanted: Wanted,
    allowance: float,
    scale: FloatArray | None = None,
) -> Neighbourhood | None:
    """Compare a basis with its neighbours, as far as the allowance goes.

    Parameters
    ----------
    labelled : structures and labels, in the order of learning
    present : the basis in force
    start : its hyperparameters
    baseline : with core repulsion inside all labelled distances
    wanted : what the user fixed, which is not searched
    allowance : most work; None is returned where it does not do for the present basis and one neighbour
    scale : of the present basis' columns, shape (n_columns,)

    Raises
    ------
    ModelError
        A label has absurd numbers.
    """
    search = _Search(labelled, baseline, allowance)
    if search.work(present, FIRST_STEPS) + search.work(present, STEPS) > allowance:
        return None
    best = here = search.fit(present, start, FIRST_STEPS, scale)
    first, others = _moves(wanted, labelled, present)
    best = search.downhill(best, first)
    if best is not here:
        best = search.downhill(best, [*others, *first])
    return Neighbourhood(best, here, tuple(search.known.values())[1:], search.spent)


Move = Callable[[AceBasis], AceBasis | None]
"""From a basis to a neighbour; None where there is none."""


@dataclass(eq=False)
class _Search:
    """Fits within an allowance, each once."""

    labelled: Labelled
    baseline: Baseline
    allowance: float
    spent: float = 0.0
    known: dict[AceBasis, LeftOutFit] = field(default_factory=dict)

    def work(self, basis: AceBasis, steps: int) -> float:
        return work_of(rows_of(self.labelled), basis, steps)

    def fit(self, basis: AceBasis, start: Hyper, steps: int, scale: FloatArray | None = None) -> LeftOutFit:
        self.spent += self.work(basis, steps)
        self.known[basis] = fit_left_out(self.labelled, basis, self.baseline, start, steps, scale)
        return self.known[basis]

    def downhill(self, best: LeftOutFit, moves: list[Move]) -> LeftOutFit:
        """As long as one of the moves brings enough; one that did is tried again first."""
        fruitless = 0
        while fruitless < len(moves):
            found = self._better(moves[0](best.basis), best)
            if found is None:
                moves = [*moves[1:], moves[0]]
                fruitless += 1
            else:
                best, fruitless = found, 0
        return best

    def _better(self, basis: AceBasis | None, best: LeftOutFit) -> LeftOutFit | None:
        """The fit of a neighbour, where it has not been tried, can be afforded, and is better."""
        if basis is None or basis in self.known or self.spent + self.work(basis, STEPS) > self.allowance:
            return None
        try:
            found = self.fit(basis, best.hyper, STEPS)
        except ModelError:  # its columns cannot be told apart to rounding: no better
            return None
        is_larger = basis.n_features > _SIZE * best.basis.n_features or basis.r_cut > best.basis.r_cut
        needed = max(GAIN / np.sqrt(len(self.labelled)), LARGER * is_larger)
        return found if found.score < best.score + np.log(1.0 - needed) else None


# --- neighbours -----------------------------------------------------------------------------------------


def _moves(wanted: Wanted, labelled: Labelled, present: AceBasis) -> tuple[list[Move], list[Move]]:
    """What may be turned: the first ones and the others, the most promising first."""
    periodic = any(bool(structure.pbc.any()) for structure, _ in labelled)
    automatic, n_rows = automatic_cutoff(present.elements, periodic), rows_of(labelled)
    first: list[Move] = [partial(_transformed, by=-1)]
    others: list[Move] = [partial(_transformed, by=1)]
    if wanted.r_cut is None:
        longer: list[Move] = [
            partial(_far, automatic=automatic),
            partial(_scaled, by=CUTOFF_STEP, automatic=automatic),
        ]
        first = [*longer, *first]
        others = [partial(_scaled, by=1.0 / CUTOFF_STEP, automatic=automatic), *others]
    if not wanted.sized:
        first = [*first, partial(_larger, n_rows=n_rows)]
        others = [partial(_weighted, by=1), partial(_weighted, by=-1), *others]
    return first, others


def _scaled(basis: AceBasis, by: float, automatic: float) -> AceBasis | None:
    r_cut = rounded(basis.r_cut * by)
    inside = CUTOFFS[0] <= r_cut / automatic <= CUTOFFS[1]
    return replace(basis, r_cut=r_cut) if inside else None


def _far(basis: AceBasis, automatic: float) -> AceBasis | None:
    longer = _scaled(basis, CUTOFF_STEP, automatic)
    if longer is None or basis.radial_exponent == EXPONENTS[0]:
        return None
    return replace(longer, radial_exponent=EXPONENTS[0])


def _transformed(basis: AceBasis, by: int) -> AceBasis | None:
    exponent = basis.radial_exponent + by
    return replace(basis, radial_exponent=exponent) if exponent in EXPONENTS else None


def _ladder(basis: AceBasis, weight: int) -> list[AceBasis]:
    """Bases of this radial weight of all sizes."""
    degrees = SIZES.get(len(basis.elements), {}).get(weight, ())
    r_cut, exponent = basis.r_cut, basis.radial_exponent
    return [default_basis(basis.elements, True, r_cut, None, one, exponent, weight) for one in degrees]


def _weighted(basis: AceBasis, by: int) -> AceBasis | None:
    """With another radial weight and nearly as many features."""
    rungs = _ladder(basis, basis.radial_weight + by)
    size = np.log(basis.n_features)
    return min(rungs, key=lambda rung: abs(np.log(rung.n_features) - size), default=None)


def _larger(basis: AceBasis, n_rows: int) -> AceBasis | None:
    """The next basis of the ladder that is of another size, if the labels have enough numbers for it."""
    rungs = _ladder(basis, basis.radial_weight)
    larger = [rung for rung in rungs if rung.n_features > _SIZE * basis.n_features]
    found = min(larger, key=lambda rung: rung.n_features, default=None)
    return None if found is None or n_rows < NUMBERS_EACH * found.n_columns else found

"""What small bases make of a sample of the labels: by this, shape, cutoff and laws of noise are decided.

All are dials, gone along one after the other, downhill in the held-out error:

    exponent   of the radial transform: 1 resolves all distances alike, 3 favours short ones
    weight     of n against l in a basis' degrees: with as many features, 3 has fewer distances and more angles than 1
    r_cut      a ladder with steps of CUTOFF_STEP about the automatic cutoff
    energy     how much noisier energies of excited structures count (thalweg.fitting.spread)
    forces     how much noisier large forces count

The sample has no labels of stress: whether those agree with energies and forces is asked later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.fitting.assembly import Design, FitSettings, Start, assemble
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.doubt import Doubt
from thalweg.fitting.examiner import KEPT_BYTES, bare_potential
from thalweg.fitting.ladder import Degrees, small
from thalweg.fitting.spread import (
    ENERGY_LAWS,
    FORCES_LAWS,
    UNIFORM,
    Law,
    StressFindings,
    excess_energies,
    force_sizes,
    judge_stress,
)
from thalweg.fitting.work import Extent
from thalweg.models.training import Baseline
from thalweg.structure import FloatArray

_FIRST_STEPS, _STEPS = 18, 4
"""Towards the best hyperparameters of the first fit, and of the others from those of the first."""
CUTOFF_STEP = 1.12
CUTOFFS = (0.55, 2.0)
"""Shortest and longest cutoff over the automatic one."""
EXPONENTS = (1, 2, 3)
FIRST_EXPONENT, FIRST_WEIGHT = 2, 2
DECISIVE = 0.03
"""Share by which the held-out error of a smaller basis must be higher for a place not to be looked at again."""
_SAYS_SOMETHING = 0.01
"""Share of labels beyond a law's limit from which on it is another law than the next milder one."""
_BETTER = 1e-3
"""Fall of the log error below which two settings are alike."""
LONGER = 0.01
"""The same for a longer cutoff: a step of it has 40 % more neighbours, in every fit and at every step of dynamics."""


@dataclass(frozen=True)
class Sample:
    """How much is looked at: at least so many labels, and labels of so many atoms."""

    labels: int
    atoms: int


FIRST_SAMPLE, SECOND_SAMPLE = Sample(80, 6000), Sample(160, 12000)
"""For the small basis, and for one of the ladder: what far neighbours do is seen by energies first, one to a label."""


@dataclass(frozen=True)
class ScreeningSetup:
    """What is decided by small bases: a place on every dial."""

    r_cut: float
    exponent: int = FIRST_EXPONENT
    weight: int = 1
    energy: Law = UNIFORM
    forces: Law = UNIFORM


@dataclass(frozen=True)
class Trial:
    """A place on a dial, and the held-out error there over that of the place chosen."""

    value: ScreeningSetup
    error: float


@dataclass(frozen=True, eq=False)
class Screened:
    """What is kept of a fit, whose sums are large: its score, its hyperparameters, and its weights (n_columns,)."""

    score: float
    start: Start
    weights: FloatArray


class Screen:
    """Fits of one small basis to a sample; what came of them is kept.

    Parameters
    ----------
    labelled : in shuffled order; the first ones are the sample
    degrees : of the basis, for each radial weight that may be chosen; None: the small ones of so many elements
    sample : how many of the labels; None: the first sample
    doubt : how much noisier labels are that do not hold together with the others (`thalweg.fitting.doubt`)

    Attributes
    ----------
    work : of all fits so far, in counted operations (`thalweg.fitting.work`)
    """

    def __init__(
        self,
        labelled: Labelled,
        baseline: Baseline,
        settings: FitSettings,
        degrees: Mapping[int, Degrees] | None = None,
        sample: Sample | None = None,
        doubt: Doubt | None = None,
    ) -> None:
        self.all, self.baseline, self.settings = labelled, baseline, settings
        self.degrees = degrees or small(len(baseline.elements))
        atoms = np.cumsum([len(structure) for structure, _ in labelled])
        sample = sample or FIRST_SAMPLE
        n = max(min(sample.labels, len(labelled)), int(np.searchsorted(atoms, sample.atoms)))
        self.sample = [(structure, replace(label, stress=None)) for structure, label in labelled[:n]]
        self.energy_sizes = excess_energies(labelled, baseline.elements)
        self.force_sizes = force_sizes(labelled)
        self.doubt = Doubt.none(len(labelled)) if doubt is None else doubt
        self.work = 0.0
        self._known: dict[ScreeningSetup, Screened] = {}
        self._design: Design | None = None

    def again(self, degrees: Mapping[int, Degrees], sample: Sample) -> Screen:
        """Another look, with another basis and sample; its work is counted on."""
        other = Screen(self.all, self.baseline, self.settings, degrees, sample, self.doubt)
        other.work = self.work
        return other

    @property
    def n_labels(self) -> int:
        """Labels in the sample."""
        return len(self.sample)

    def basis(self, setup: ScreeningSetup) -> AceBasis:
        """The small basis."""
        return basis_of(self.baseline.elements, setup, self.degrees[setup.weight])

    def spread(self, setup: ScreeningSetup) -> Spread:
        """Of all labels under the laws of a setup, and by what is doubted; virials by doubt alone."""
        doubt = self.doubt.spread
        energy, forces = setup.energy(self.energy_sizes), setup.forces(self.force_sizes)
        return replace(doubt, energy=energy * doubt.energy, forces=forces * doubt.forces)

    def fit(self, setup: ScreeningSetup) -> Screened:
        """What the small basis makes of the sample."""
        if setup not in self._known:
            start = next((known.start for known in self._known.values()), None)
            spread = self.spread(setup).taken(range(self.n_labels))
            steps = _STEPS if start else _FIRST_STEPS
            design = self._design_of(self.basis(setup))
            assembly = assemble(self.sample, design.basis, self.baseline, spread, self.settings, design)
            fitted = assembly.searched(start, steps)
            self._known[setup] = Screened(fitted.score(), fitted.start, fitted.model.mean)
            self.work += Extent.of(self.sample, setup.r_cut).fit(design.basis, steps)
        return self._known[setup]

    def _design_of(self, basis: AceBasis) -> Design:
        """Of the sample; kept until another basis is asked for, as laws of noise need none of their own."""
        if self._design is None or self._design.basis != basis:
            n_bytes = 24.0 * sum(len(structure) for structure, _ in self.sample) * basis.n_columns
            self._design = Design(basis, kept=n_bytes <= KEPT_BYTES)
        return self._design

    def judge(self, setup: ScreeningSetup) -> tuple[Spread, StressFindings | None]:
        """The spread of all labels, virials too, and what was found about stress."""
        spread = self.spread(setup)
        spread = replace(spread, virial=spread.virial * setup.energy(self.energy_sizes))
        if not self.doubt.judges_stress:
            return spread, None
        potential = bare_potential(self.basis(setup), self.baseline, self.fit(setup).weights)
        return judge_stress(self.all, potential, spread)

    # --- dials ------------------------------------------------------------------------------------------

    def exponents(self, setup: ScreeningSetup) -> list[ScreeningSetup]:
        """The dial of exponents."""
        return [replace(setup, exponent=exponent) for exponent in EXPONENTS]

    def weights(self, setup: ScreeningSetup) -> list[ScreeningSetup]:
        """The dial of radial weights."""
        return [replace(setup, weight=weight) for weight in sorted(self.degrees)]

    def cutoffs(self, setup: ScreeningSetup, automatic: float) -> list[ScreeningSetup]:
        """The dial of cutoffs: steps about the setup's own, within CUTOFFS of the automatic one."""
        reach = round(np.log(CUTOFFS[1] / CUTOFFS[0]) / np.log(CUTOFF_STEP))
        rungs = [setup.r_cut * CUTOFF_STEP**k for k in range(-reach, reach + 1)]
        inside = [r for r in rungs if CUTOFFS[0] <= r / automatic <= CUTOFFS[1] or r == setup.r_cut]
        return [setup if r == setup.r_cut else replace(setup, r_cut=rounded(r)) for r in inside]

    def energy_laws(self, setup: ScreeningSetup) -> list[ScreeningSetup]:
        """The dial of laws for energies."""
        return [replace(setup, energy=law) for law in _that_say_something(ENERGY_LAWS, self.energy_sizes)]

    def forces_laws(self, setup: ScreeningSetup) -> list[ScreeningSetup]:
        """The dial of laws for forces."""
        return [replace(setup, forces=law) for law in _that_say_something(FORCES_LAWS, self.force_sizes)]

    def downhill(
        self,
        dial: list[ScreeningSetup],
        start: ScreeningSetup,
        hints: Mapping[ScreeningSetup, float] | None = None,
        upward: float = _BETTER,
    ) -> tuple[ScreeningSetup, list[Trial]]:
        """Along a dial from a place on it, as long as the score falls; what was tried, in the dial's order.

        `hints`: held-out errors that a smaller basis had at places of the dial, over that at the start. The better
        neighbour is tried first, and one that was worse by DECISIVE not at all. `upward`: fall of the score that is
        worth a step up.
        """
        best = dial.index(start)
        tried = {best: self.fit(start).score}
        hint = [(hints or {}).get(place, 1.0) for place in dial]
        beside = {step: hint[best + step] for step in (-1, 1) if 0 <= best + step < len(dial)}
        for step in sorted(
            (step for step in beside if beside[step] <= 1.0 + DECISIVE), key=beside.__getitem__
        ):
            while 0 <= best + step < len(dial):
                tried[best + step] = self.fit(dial[best + step]).score
                if tried[best + step] > tried[best] - (upward if step > 0 else _BETTER):
                    break
                best += step
        return dial[best], [
            Trial(dial[k], float(np.exp(score - tried[best]))) for k, score in sorted(tried.items())
        ]


def basis_of(elements: Sequence[str], setup: ScreeningSetup, degrees: Degrees) -> AceBasis:
    """The basis of these degrees at a setup."""
    return default_basis(
        elements,
        periodic=True,
        r_cut=setup.r_cut,
        max_degree=degrees,
        radial_exponent=setup.exponent,
        radial_weight=setup.weight,
    )


def _that_say_something(laws: tuple[Law, ...], sizes: FloatArray) -> Iterator[Law]:
    """Uniform noise, and the laws whose limit some labels are beyond."""
    return (law for law in laws if np.isinf(law.limit) or np.mean(sizes > law.limit) > _SAYS_SOMETHING)


def rounded(r_cut: float) -> float:
    """A cutoff as people write it, Å."""
    return round(r_cut, 2)

"""Everything that labels teach: posterior and novelty, and the potential made from them.

The state after n labels is a function of the labels in order, of the seed and of the points at which the evidence was
maximised. `replay` takes those points as given instead of searching for them again, and so reaches the same
bits in a fraction of the time. This is how a run resumes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.calibration import Stream
from thalweg.calibration.widening import Residuals, Revealed, composition
from thalweg.explorers.base import CoreField
from thalweg.features import AceBasis, DesignRows, Features, design_rows
from thalweg.features.batch import species_of
from thalweg.label import Label
from thalweg.loop.learning.searching import Search, by_evidence
from thalweg.models.environments import NoveltyModel
from thalweg.models.linear import BayesianLinear
from thalweg.models.observation import Block, Observation, RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.models.rivals import pulls_after, rival_deltas, rival_pulls
from thalweg.models.training import Baseline, make_observation
from thalweg.neighbours import neighbour_counts
from thalweg.potential import ErrorBounds, Potential, Prediction
from thalweg.structure import FloatArray, Structure
from thalweg.uncertainty.novelty import NoveltyFit

NOVELTY_GROWTH = 1.1
"""The novelty model is fitted again when the labels have grown by this factor."""


@dataclass(frozen=True)
class Tuning:
    """A point at which hyperparameters were looked for: how many labels there were, and what came out."""

    n_labels: int
    x: tuple[float, ...]


def _last_growth(first: int, n_labels: int) -> int:
    """After how many of these labels novelty was last fitted, the first time after `first`."""
    last = first
    for n in range(first + 1, n_labels + 1):
        if n >= NOVELTY_GROWTH * last:
            last = n
    return last


class Learner:
    """Learns labels one by one.

    Parameters
    ----------
    basis : AceBasis
    baseline : Baseline
        Reference energies, and the core repulsion to begin with: it is drawn in to end inside the shortest distance
        of each pair of elements that is labelled.
    n_members : int
        Committee members.
    seed : int
        Of the committee's random numbers.
    search : function
        How hyperparameters are looked for.
    """

    def __init__(
        self,
        basis: AceBasis,
        baseline: Baseline,
        *,
        n_members: int,
        seed: int,
        search: Search = by_evidence,
    ) -> None:
        self.basis = basis
        self.baseline = baseline
        self.features = Features(basis)
        table = basis.feature_table()
        prior = SmoothnessPrior(table.nu, table.n_sum, table.l_sum, len(basis.elements))
        self.model = BayesianLinear(prior, n_members=n_members, seed=seed)
        self.tunings: list[Tuning] = []
        self.labelled: list[tuple[Structure, Label]] = []  # learned, in their order
        self.search = search
        self._novelty_fit = NoveltyFit(len(basis.elements), basis.n_features)
        self._novelty: NoveltyModel | None = None
        self._pulls: FloatArray | None = None  # of the rivals, since the evidence was last maximised
        self._rivals: FloatArray | None = None  # by the labels learned until now
        self._novelty_labels = 0
        self._field: Potential | None = None
        self._force_square, self._n_atoms = 0.0, 0
        self._last_rows: tuple[Structure, DesignRows] | None = None
        self._last_energies: dict[tuple[tuple[int, int], ...], tuple[int, Block]] = {}

    @property
    def n_labels(self) -> int:
        """Labels learned."""
        return self.model.n_labels

    @property
    def force_scale(self) -> float:
        """Root mean square force on an atom over all labels, eV/Å."""
        return float(np.sqrt(self._force_square / max(self._n_atoms, 1)))

    @property
    def noise_forces(self) -> float:
        """What the model leaves unexplained of a force component, eV/Å."""
        return self.model.noise[RowKind.FORCES]

    @property
    def structures(self) -> list[Structure]:
        """Those learned, in their order."""
        return [structure for structure, _ in self.labelled]

    def learn(self, structure: Structure, label: Label, *, tune: bool = True) -> float | None:
        """Take in one label; returns the seconds spent on looking for hyperparameters, None if it was not due."""
        self._add(structure, label)
        seconds = None
        if tune and self.model.should_tune():
            seconds = self._tune()
            self._make_rivals()
        if self._novelty is None or self.n_labels >= NOVELTY_GROWTH * self._novelty_labels:
            self._refresh_novelty()
        return seconds

    def learn_first(self, labelled: Sequence[tuple[Structure, Label]]) -> None:
        """Take in the seeds together and look for hyperparameters."""
        self._add_first(labelled)
        self._tune()
        self._make_rivals()
        self._refresh_novelty()

    def replay(
        self, n_first: int, labelled: Sequence[tuple[Structure, Label]], tunings: Sequence[Tuning]
    ) -> None:
        """Learn again what was learned before, the first `n_first` labels together; same bits, no search."""
        points = {tuning.n_labels: tuning for tuning in tunings}
        # Of novelties and pulls that were made before the last ones nothing is left.
        novel_at, pulls_at = _last_growth(n_first, len(labelled)), max(points, default=0)
        for n in range(min(n_first, len(labelled)), len(labelled) + 1):
            if n > n_first:
                self._add(*labelled[n - 1])
            else:
                self._add_first(labelled[:n])
            self._set_tuning(points.get(n))
            if n == pulls_at:
                self._make_rivals()
            if n == novel_at:
                self._refresh_novelty()

    def _add_first(self, labelled: Sequence[tuple[Structure, Label]]) -> None:
        self.baseline = self.baseline.inside([structure for structure, _ in labelled])
        rows = [design_rows(self.features, structure) for structure, _ in labelled]
        observations = [
            make_observation(one, structure, label, self.baseline)
            for one, (structure, label) in zip(rows, labelled, strict=True)
        ]
        self.model.fit_batch(observations)
        for (structure, label), observation in zip(labelled, observations, strict=True):
            self._take_note(structure, label)
            self._remember(structure, observation)
        self._field = self._rivals = None

    def _add(self, structure: Structure, label: Label) -> None:
        # No label before has atoms nearer than its cutoffs: to draw them in changes no target already learned.
        self.baseline = self.baseline.inside([structure])
        observation = make_observation(self._rows(structure), structure, label, self.baseline)
        if self._pulls is not None:
            deltas = self._rival_deltas()
            self._pulls = pulls_after(self.model, self._pulls, deltas, observation)
        self.model.update(observation)
        self._last_rows = None
        self._remember(structure, observation)
        self._take_note(structure, label)
        if self._novelty is not None:  # a walker whose neighbours have left must not ask for the same again
            self._novelty = self._novelty_fit.guarded(self._novelty)
        self._field = self._rivals = None

    def _remember(self, structure: Structure, observation: Observation) -> None:
        """Keep the energy of the last label of each composition, against which the next one is held."""
        energy = next(block for block in observation if block.kind is RowKind.ENERGY)
        self._last_energies[composition(structure)] = len(structure), energy

    def _rows(self, structure: Structure) -> DesignRows:
        """Design rows, made once for what is compared and then learned."""
        if self._last_rows is None or self._last_rows[0] is not structure:
            self._last_rows = structure, design_rows(self.features, structure)
        return self._last_rows[1]

    def _take_note(self, structure: Structure, label: Label) -> None:
        """Environments for novelty, forces for their scale."""
        self._force_square += float((label.forces**2).sum())
        self._n_atoms += len(structure)
        self.labelled.append((structure, label))
        species = species_of(structure, self.basis.elements)
        counts = neighbour_counts(structure, self.basis.r_cut)
        self._novelty_fit.add(self.features.phi([structure]), species, counts)

    def _tune(self) -> float:
        start = time.perf_counter()
        self.search(self)
        self.tunings.append(Tuning(self.n_labels, tuple(float(v) for v in self.model.fitted.x)))
        return time.perf_counter() - start

    def go_to(self, x: FloatArray) -> None:
        """Take these hyperparameters, found elsewhere; as a tuning at this number of labels."""
        tuning = Tuning(self.n_labels, tuple(float(v) for v in x))
        self.tunings = [one for one in self.tunings if one.n_labels != self.n_labels]
        self._set_tuning(tuning)
        self._make_rivals()

    def _set_tuning(self, tuning: Tuning | None) -> None:
        if tuning is not None:
            self.model.set_hyperparameters(np.array(tuning.x))
            self.tunings.append(tuning)

    def _refresh_novelty(self) -> None:
        self._novelty = self._novelty_fit.model()
        self._novelty_labels = self.n_labels
        self._field = None

    # --- what was learned -------------------------------------------------------------------------------

    @property
    def field(self) -> CoreField:
        """The force field that walkers step on, with committee and novelty."""
        return CoreField(self.basis.elements, self._uncalibrated.force_field)

    @property
    def _uncalibrated(self) -> Potential:
        if self._field is None:
            self._field = self.potential(ErrorBounds.bare(len(self.basis.elements)))
        return self._field

    def predict(self, structure: Structure) -> Prediction:
        """What the model says now; its bounds are bare deviations until a calibration is applied."""
        return self._uncalibrated.predict(structure)

    def residuals(self, stream: Stream, structure: Structure, label: Label) -> Residuals:
        """What a label shows of the model that has not learned it yet: errors, and the spread of the posterior."""
        blocks = {
            block.kind: block
            for block in make_observation(self._rows(structure), structure, label, self.baseline)
        }
        energies = self._revealed_energies(structure, blocks[RowKind.ENERGY])
        return Residuals(
            stream,
            energies[0],
            self._revealed_forces(blocks.get(RowKind.FORCES)),
            self._revealed_virial(blocks.get(RowKind.VIRIAL)),
            energies[1] if len(energies) > 1 else None,
        )

    def _revealed_energies(self, structure: Structure, energy: Block) -> list[Revealed]:
        """The energy, and the energy less that of the label of this composition that was learned last.

        Both per sqrt(atom) of this one, and by one solution: that passes over the whole factor, however few the rows.
        """
        rows, targets, noises = [energy.rows], [energy.targets], [energy.label_noise]
        before = self._last_energies.get(composition(structure))
        if before is not None:
            atoms, block = before
            share = np.sqrt(len(structure) / atoms)  # rows are per sqrt(atom) already
            rows.append(energy.rows - share * block.rows)
            targets.append(energy.targets - share * block.targets)
            noises.append(float(np.hypot(energy.label_noise, share * block.label_noise)))
        stacked = np.concatenate(rows)
        errors = np.concatenate(targets) - stacked @ self.model.mean
        variances = self.model.variance(stacked)
        return [Revealed.of(errors[k : k + 1], variances[k : k + 1], noise) for k, noise in enumerate(noises)]

    def _revealed_forces(self, block: Block | None) -> Revealed | None:
        if block is None:
            return None
        # the committee is enough for a sum over many rows, and costs nothing more
        draws = block.rows @ self._uncalibrated.member_deltas.reshape(-1, block.rows.shape[1]).T
        return Revealed.summed(self._errors(block), np.mean(draws**2, axis=1), block.label_noise)

    def _revealed_virial(self, block: Block | None) -> Revealed | None:
        if block is None:
            return None
        return Revealed.of(self._errors(block), self.model.variance(block.rows), block.label_noise)

    def _errors(self, block: Block) -> FloatArray:
        return np.asarray(block.targets - block.rows @ self.model.mean)

    def force_rows(self, structure: Structure) -> FloatArray:
        """Whitened force rows (3 n_atoms, n_columns) for acquisition: row products are posterior covariances."""
        rows: DesignRows = design_rows(self.features, structure, stress=False)
        return self.model.whiten(rows.forces)

    def potential(
        self, bounds: ErrorBounds, provenance: dict[str, object] | None = None, *, reach: float = 1.0
    ) -> Potential:
        """The potential as learned so far; `reach` is the unit of its novelty, 1 that of the labels themselves."""
        return Potential.from_model(
            self.model,
            self.basis,
            self.baseline,
            novelty=None if self._novelty is None else self._novelty.in_units_of(reach),
            bounds=bounds,
            provenance=provenance or {},
            rivals=self._rival_deltas(),
        )

    def _make_rivals(self) -> None:
        self._pulls, self._field, self._rivals = rival_pulls(self.model), None, None

    def _rival_deltas(self) -> FloatArray:
        if self._rivals is None:
            self._rivals = rival_deltas(self.model, self._pulls)
        return self._rivals

"""Looks at what keeps a run from its target, and says it; asks the oracle whether it is smooth, where that is in doubt.

To be called right after a checkpoint, and once more when the run ends. What a look finds depends on the labels and the
state alone: a run that was killed meanwhile looks again, finds the answers that were given in the store, and says the
same.

Smoothness. About a labelled structure x, displaced by ±h u (u normal, rms h = STEP), with two more calls:

    second difference of forces    F(x + h u) - 2 F(x) + F(x - h u) = O(h²) + noise of variance 6 s²
    Simpson's rule for energies    E(x + h u) - E(x - h u) + h u · (F₊ + 4 F + F₋) / 3 = O(h⁵) + noise of variance 2 s²

The O(h²), which the model knows, is taken off. Forces of a smooth oracle give an s far below any target.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from thalweg.label import Label
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason, Reply
from thalweg.loop.deciding.advice import (
    Evidence,
    Settings,
    Smoothness,
    advise,
    floor_of,
    misfit_suspected,
    new,
    withdrawn,
)
from thalweg.loop.events import Answered
from thalweg.loop.learning.comparing import force_errors
from thalweg.loop.learning.learner import Learner
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling.teller import Teller
from thalweg.store import LabelRecord, Store
from thalweg.structure import FloatArray, Structure

GROWTH = 1.15
"""Labels are looked at again when there are so many times more."""
MOST_RESIDUALS = 24
"""Audited structures, the last ones, whose residuals are looked at: each costs a prediction."""
STEP = 1e-3
"""Å, root mean square over coordinates."""
LEAST_COMPONENTS = 24
"""Force components that an estimate of scatter rests on: small molecules are asked about twice."""
CALLS = 2
"""For a structure."""
SPARE = 10
"""Calls that must be left beside those of the measurement."""


class Adviser:
    """Looks, asks and says."""

    def __init__(self, setup: Setup, state: LoopState, labeller: Labeller, tell: Teller) -> None:
        self.setup, self.state, self.labeller, self.tell = setup, state, labeller, tell

    @property
    def due(self) -> bool:
        """Whether labels have grown enough since the last look, or some were withdrawn."""
        n, last = self.state.policy.n_labels, self.state.counsel.looked_at
        return bool(self.state.policy.present_audits) and (n >= GROWTH * last or n < last)

    def look(self, learner: Learner, store: Store) -> Answered | None:
        """Look where that is due; returns what asking the oracle has cost, None where it was not asked."""
        if not self.due:
            return None
        records = self._audited(store)
        evidence = self._evidence(learner, records)
        replies: list[Reply] = []
        if self._in_doubt(evidence):
            replies, smoothness = self._measure(learner, records)
            evidence = dataclasses.replace(evidence, smoothness=smoothness)
        self._conclude(evidence)
        return self._answered(learner, replies) if replies else None

    def last_look(self, learner: Learner, store: Store) -> None:
        """How it stands at the end of a run; nothing is asked any more."""
        if self.state.policy.present_audits:
            self._conclude(self._evidence(learner, self._audited(store)))

    def _audited(self, store: Store) -> list[LabelRecord]:
        """The last labels that were audits of what is walked now, in order."""
        audits = [one for one in store.labels_in_order() if one.kind == QuestionKind.AUDIT.value]
        return audits[-min(MOST_RESIDUALS, len(self.state.policy.present_audits)) :]

    def _evidence(self, learner: Learner, records: Sequence[LabelRecord]) -> Evidence:
        residuals = tuple(
            tuple(float(e) for e in force_errors(learner.predict(one.structure), one.label))
            for one in records
        )
        policy = self.state.policy
        return Evidence(
            target=self.setup.rules.target,
            settings=_settings(self.setup, learner, self.labeller.name),
            audits=policy.present_audits,
            n_labels=policy.n_labels,
            residuals=residuals,
            smoothness=self.state.counsel.smoothness,
        )

    def _in_doubt(self, evidence: Evidence) -> bool:
        """Whether residuals may be the oracle's, which has not been asked yet, and calls can be spared for it."""
        left = self.state.policy.calls_left(self.setup.rules)
        if self.labeller.under_way:
            return False  # answers come in the order of asking: at one of the next looks there are none
        return evidence.smoothness is None and misfit_suspected(evidence) and left >= 2 * CALLS + SPARE

    def _conclude(self, evidence: Evidence) -> None:
        before = self.state.counsel.advices
        now = advise(evidence, before)
        iteration = self.state.policy.iteration
        for one in withdrawn(before, now):
            self.tell.advice_withdrawn(iteration, one)
        for one in new(before, now):
            self.tell.advice(iteration, one)
        self.state.counsel = dataclasses.replace(
            self.state.counsel,
            looked_at=self.state.policy.n_labels,
            floor=floor_of(evidence.residuals),
            advices=now,
            smoothness=evidence.smoothness,
        )

    # --- whether the oracle is smooth --------------------------------------------------------------------

    def _measure(
        self, learner: Learner, records: Sequence[LabelRecord]
    ) -> tuple[list[Reply], Smoothness | None]:
        """Ask about the neighbourhood of the last audited structures; no scatter where calls failed."""
        replies: list[Reply] = []
        scatters: list[tuple[FloatArray, float]] = []
        components = 0
        for record in reversed(records[-2:]):
            if components >= LEAST_COMPONENTS:
                break
            sides = self._sides(record.structure, record.number)
            got = self.labeller.ask([self._question(side, record.number) for side in sides])
            replies += got
            labels = [reply.label for reply in got]
            if len(labels) == CALLS and labels[0] is not None and labels[1] is not None:
                scatters.append(_scatter(learner, record, sides, (labels[0], labels[1])))
                components += 3 * len(record.structure)
        if not scatters:
            return replies, None
        forces = np.concatenate([one for one, _ in scatters])
        energy = math.sqrt(sum(e * e for _, e in scatters) / len(scatters))
        calls = sum(reply.calls for reply in replies)
        return replies, Smoothness(float(np.sqrt(np.mean(forces**2))), energy, calls)

    def _sides(self, structure: Structure, number: int) -> tuple[Structure, Structure]:
        """x + h u and x - h u; u depends on the run's seed and the label's number alone."""
        rng = np.random.default_rng((self.setup.config.seed, number))
        shift = STEP * rng.standard_normal((len(structure), 3))
        if structure.fixed is not None:
            shift = np.where(structure.fixed, 0.0, shift)
        return (
            structure.with_positions(structure.positions + shift),
            structure.with_positions(structure.positions - shift),
        )

    def _question(self, side: Structure, number: int) -> Question:
        where = f"beside label {number}"
        reason = Reason(text=f"is the oracle smooth? {where}, {STEP:g} Å away", where=where)
        return Question(QuestionKind.PROBE, side, self.state.policy.iteration, reason)

    def _answered(self, learner: Learner, replies: Sequence[Reply]) -> Answered:
        return Answered(
            calls=sum(reply.calls for reply in replies),
            failed=sum(len(reply.failures) for reply in replies),
            queries=0,
            audits=(),
            force_scale=learner.force_scale,
            held=self.state.policy.held,
        )


def _settings(setup: Setup, learner: Learner, oracle: str) -> Settings:
    model = setup.config.model
    fixed = [f"model.{name}" for name in ("r_cut", "max_degree") if getattr(model, name) is not None]
    return Settings(learner.basis.r_cut, tuple(learner.basis.max_degree), tuple(fixed), oracle)


def _scatter(
    learner: Learner, record: LabelRecord, sides: tuple[Structure, Structure], labels: tuple[Label, Label]
) -> tuple[FloatArray, float]:
    """Scatter of each force component (eV/Å) and of the energy (eV), each a sample of the deviation s."""
    centre = record.structure
    known = [learner.predict(one).forces for one in (sides[0], centre, sides[1])]
    plus, middle, minus = labels[0].forces, record.label.forces, labels[1].forces
    bend = (plus - 2 * middle + minus) - (known[0] - 2 * known[1] + known[2])
    step = sides[0].positions - centre.positions
    work = float(np.sum(step * (plus + 4 * middle + minus))) / 3.0
    energy = labels[0].energy - labels[1].energy + work
    return bend.ravel() / math.sqrt(6.0), energy / math.sqrt(2.0)

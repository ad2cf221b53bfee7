"""The moments of one block that wait for a label: which are worth a question, and which is asked next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from thalweg.acquisition import SCORES, Candidate, Context, Strategy, select_batch
from thalweg.diversity import distance_fingerprint
from thalweg.explorers.base import Snapshot, Walker
from thalweg.features.batch import numbers_of
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Reason
from thalweg.loop.learning.comparing import predict
from thalweg.loop.learning.learner import Learner
from thalweg.loop.state import LoopState
from thalweg.loop.walking import gate
from thalweg.loop.walking.exploration import Walk, draw_audits
from thalweg.loop.walking.gate import GateLimits
from thalweg.structure import FloatArray, Structure


@dataclasses.dataclass(frozen=True, eq=False)
class Queued:
    """A moment in the queue."""

    walker: int
    moment: Snapshot
    reason: Reason
    asking: Walker

    @property
    def temperature(self) -> float:
        """K, of the walker's thermostat."""
        return self.asking.temperature

    @property
    def where(self) -> str:
        """Who asks, in words."""
        return self.asking.where(self.moment)


class Queue:
    """Audits in the order in which they were drawn; queries, the best of which is found again after each answer."""

    def __init__(self, labeller: Labeller, state: LoopState, strategy: Strategy) -> None:
        self.labeller, self.state, self.strategy = labeller, state, strategy
        self._queries: list[Queued] = []
        self._audits: list[Queued] = []
        self._learned: dict[str, FloatArray] = {}
        self._limits = GateLimits(np.inf, np.inf, np.inf, np.inf)

    @property
    def n_queries(self) -> int:
        """Queries that wait."""
        return len(self._queries)

    def take_queries(self, walk: Walk, limits: GateLimits) -> None:
        """Queue what the gate wants labelled."""
        self._limits = limits
        self._queries = self._worth_asking(
            Queued(j.walker, j.moment, j.reason, result.state)
            for j, result in zip(walk.judgements, walk.results, strict=True)
            if j.moment is not None and j.reason is not None
        )

    def draw_audits(self, walk: Walk, n: int) -> None:
        """Queue `n` moments of the block, drawn by chance alone."""
        drawn = draw_audits(walk, n, self.state.rng)
        reason = Reason("audit", -1, "", 0.0, 0.0, "audit: drawn at random")
        self._audits = self._worth_asking(
            Queued(walker, moment, reason, self.state.walkers[walker]) for walker, moment in drawn
        )

    def _worth_asking(self, moments: Iterable[Queued]) -> list[Queued]:
        """Each structure once, and none that is being asked about or that asking again would teach nothing of."""
        by_hash: dict[str, Queued] = {}
        for queued in moments:
            structure = queued.moment.structure
            if not (self.labeller.is_settled(structure) or self.labeller.is_under_way(structure)):
                by_hash.setdefault(structure.content_hash, queued)
        return list(by_hash.values())

    def pop_audits(self) -> list[Queued]:
        """All audits; none waits afterwards."""
        audits, self._audits = self._audits, []
        return audits

    def pop_queries(self, learner: Learner, n: int) -> list[Queued]:
        """The `n` best queries by the present model; of the others those wait on that are still above a limit."""
        queries = self._worth_asking(self._queries)  # an audit may have been of the same moment
        if self.strategy is not Strategy.RANDOM:
            queries = [fresh for queued in queries if (fresh := self._rescore(learner, queued)) is not None]
        if not queries:
            self._queries = []
            return []
        if len(queries) == 1 and self.strategy in SCORES:  # nothing to compare it with
            self._queries = []
            return queries
        candidates = [self._candidate(learner, queued.moment) for queued in queries]
        context = Context(
            pending=self._pending(learner),
            known=self._known(learner),
            noise=max(learner.noise_forces, 1e-3),
        )
        choices = select_batch(candidates, n, strategy=self.strategy, rng=self.state.rng, context=context)
        indices = [choice.index for choice in choices]
        self._queries = [queued for k, queued in enumerate(queries) if k not in indices]
        return [queries[k] for k in indices]

    def withdraw(self) -> None:
        """Nothing waits any longer: walkers ask again where they are uncertain again."""
        self._queries, self._audits = [], []

    def _rescore(self, learner: Learner, queued: Queued) -> Queued | None:
        """The same moment by the present model; None when an answer learned meanwhile has answered it too."""
        moment = queued.moment
        prediction = predict(learner, moment.structure, self.state.calibration, queued.temperature)
        moment = dataclasses.replace(moment, bound=prediction.forces_bound, novelty=prediction.novelty)
        bound, novelty = moment.bound_max or 0.0, moment.novelty_max or 0.0
        if bound < self._limits.label and novelty < self._limits.novelty_label:
            return None
        reason = queued.reason
        if reason.cause in ("uncertain", "novel"):
            reason = gate.reason_at(moment, self._limits)
        return dataclasses.replace(queued, moment=moment, reason=reason)

    def _candidate(self, learner: Learner, moment: Snapshot) -> Candidate:
        return self._asking(
            learner,
            moment.structure,
            bound=moment.bound_max or 0.0,
            novelty=(moment.novelty_max or 0.0) / self._limits.novelty_label,
        )

    def _pending(self, learner: Learner) -> tuple[Candidate, ...]:
        """Questions under way count as answered: none is chosen that would teach the same."""
        return tuple(
            self._asking(learner, question.structure, bound=0.0, novelty=0.0)
            for question in self.labeller.under_way
        )

    def _known(self, learner: Learner) -> FloatArray | None:
        """Fingerprints of what is learned, for the strategy that keeps away from them."""
        if self.strategy is not Strategy.FARTHEST or not learner.structures:
            return None
        for structure in learner.structures:
            if structure.content_hash not in self._learned:
                self._learned[structure.content_hash] = self._fingerprint(learner, structure)
        return np.stack([self._learned[structure.content_hash] for structure in learner.structures])

    @staticmethod
    def _fingerprint(learner: Learner, structure: Structure) -> FloatArray:
        return distance_fingerprint(structure, numbers_of(learner.basis.elements))

    def _asking(self, learner: Learner, structure: Structure, *, bound: float, novelty: float) -> Candidate:
        """A structure with what the strategy needs to know of it."""
        match self.strategy:
            case Strategy.RANDOM:
                return Candidate(bound=bound)
            case Strategy.FARTHEST:
                fingerprint = self._fingerprint(learner, structure)
                return Candidate(bound=bound, novelty=novelty, fingerprint=fingerprint)
        return Candidate(bound=bound, novelty=novelty, rows=learner.force_rows(structure))

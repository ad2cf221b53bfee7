"""The moments of one block that wait for a label: which of them are worth a question, and which is asked next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from thalweg.acquisition import Candidate, Context, Strategy, select_batch
from thalweg.diversity import distance_fingerprint
from thalweg.explorers.base import Snapshot
from thalweg.loop import conversation, gate
from thalweg.loop.comparing import predict
from thalweg.loop.desk import Desk
from thalweg.loop.exploration import Walk, draw_audits
from thalweg.loop.gate import Limits, Reason
from thalweg.loop.learner import Learner
from thalweg.loop.state import LoopState


@dataclasses.dataclass(frozen=True, eq=False)
class Queued:
    """A moment in the queue."""

    walker: int
    moment: Snapshot
    reason: Reason
    temperature: float

    @property
    def where(self) -> str:
        """Walker, time and temperature, in words."""
        return conversation.whereabouts(self.walker, self.moment.time_fs, self.temperature)


class Queue:
    """Audits in the order in which they were drawn; queries, the best of which is found anew after each answer."""

    def __init__(self, desk: Desk, state: LoopState, strategy: Strategy) -> None:
        self.desk, self.state, self.strategy = desk, state, strategy
        self._queries: list[Queued] = []
        self._audits: list[Queued] = []
        self._limits = Limits(np.inf, np.inf, np.inf, np.inf)

    @property
    def n_queries(self) -> int:
        """Queries that wait."""
        return len(self._queries)

    def take_queries(self, walk: Walk, limits: Limits) -> None:
        """Queue what the gate wants labelled."""
        self._limits = limits
        self._queries = self._worth_asking(
            Queued(j.walker, j.moment, j.reason, walk.results[j.walker].state.temperature)
            for j in walk.judgements
            if j.moment is not None and j.reason is not None
        )

    def draw_audits(self, walk: Walk, n: int) -> None:
        """Queue `n` moments of the block, drawn by chance alone."""
        drawn = draw_audits(walk, n, self.state.rng)
        reason = Reason("audit", -1, "", 0.0, 0.0, "audit: drawn by the clock")
        self._audits = self._worth_asking(
            Queued(walker, moment, reason, walk.results[walker].state.temperature) for walker, moment in drawn
        )

    def _worth_asking(self, moments: Iterable[Queued]) -> list[Queued]:
        """Each structure once, and none that asking again would teach nothing of."""
        by_hash: dict[str, Queued] = {}
        for queued in moments:
            if not self.desk.is_settled(queued.moment.structure):
                by_hash.setdefault(queued.moment.structure.content_hash, queued)
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
        candidates = [self._candidate(learner, queued) for queued in queries]
        context = Context(noise=max(learner.noise_forces, 1e-3))
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
        prediction = predict(learner, moment.structure, self.state.calibration)
        moment = dataclasses.replace(moment, bound=prediction.forces_bound, novelty=prediction.novelty)
        bound, novelty = moment.bound_max or 0.0, moment.novelty_max or 0.0
        if bound < self._limits.label and novelty < self._limits.novelty_label:
            return None
        reason = queued.reason
        if reason.cause in ("uncertain", "novel"):
            reason = gate.reason_at(moment, self._limits)
        return dataclasses.replace(queued, moment=moment, reason=reason)

    def _candidate(self, learner: Learner, queued: Queued) -> Candidate:
        moment = queued.moment
        structure = moment.structure
        if self.strategy is Strategy.RANDOM:
            return Candidate(bound=moment.bound_max or 0.0)
        fingerprint = None
        if self.strategy is Strategy.FARTHEST:
            fingerprint = distance_fingerprint(structure, sorted({int(z) for z in structure.numbers}))
        return Candidate(
            bound=moment.bound_max or 0.0,
            rows=None if self.strategy is Strategy.FARTHEST else learner.force_rows(structure),
            novelty=(moment.novelty_max or 0.0) / self._limits.novelty_label,
            fingerprint=fingerprint,
        )

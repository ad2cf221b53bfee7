"""A run folder read back: its labels in order, its audits, and its model after any number of labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systems import potential_of

from thalweg.config import validate
from thalweg.label import Label
from thalweg.loop.deciding.audit_record import AuditRecord, Target
from thalweg.loop.deciding.certification import Certification, advance
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.relearning import make_learner, references_of
from thalweg.loop.setup import Setup, prepare
from thalweg.loop.state import LoopState
from thalweg.oracles import make_oracle
from thalweg.potential import Potential
from thalweg.store import LabelRecord, SqliteStore
from thalweg.structure import Structure


@dataclass(frozen=True, eq=False)
class LearnedRun:
    """What a finished (or interrupted) run left behind."""

    folder: Path
    summary: dict[str, Any]
    setup: Setup
    labels: tuple[LabelRecord, ...]
    failed_at: tuple[float, ...]
    reference_energies: dict[int, float] | None
    state: LoopState

    @classmethod
    def read(cls, folder: Path) -> LearnedRun:
        """Raises StoreError where there is no run, RuntimeError where it has no checkpoint yet."""
        with SqliteStore.read(folder) as store:
            checkpoint = store.last_checkpoint()
            if checkpoint is None:
                raise RuntimeError(f"{folder}: the run has no checkpoint yet")
            config = validate(store.runs()[-1].config, source="saved configuration")
            oracle = make_oracle(config.oracle.model_dump())
            known = store.meta(f"reference_energies {oracle.fingerprint}") or {}
            setup = prepare(config, oracle)
            return cls(
                folder=folder,
                summary=json.loads((folder / "summary.json").read_text(encoding="utf-8")),
                setup=setup,
                labels=tuple(store.labels_in_order()),
                failed_at=tuple(attempt.recorded_at for attempt in store.attempts()),
                reference_energies=_complete(known),
                state=LoopState.from_json(checkpoint.state, setup.explorer),
            )

    @property
    def potential(self) -> Potential:
        """The model as the run left it."""
        return Potential.load(self.folder / "model")

    @property
    def labelled(self) -> list[tuple[Structure, Label]]:
        """Structures and labels in the order of learning."""
        return [(record.structure, record.label) for record in self.labels]

    @property
    def audits(self) -> tuple[AuditRecord, ...]:
        """The run's own audits, in order."""
        return self.state.policy.audits

    def calls_to_certificate(self) -> int | None:
        """Calls (audits and failures included) when the target was first certified; None if never."""
        target: Target = self.setup.rules.target
        asked = [record for record in self.labels if record.kind == "audit"]
        for n in range(1, min(len(asked), len(self.audits)) + 1):
            if advance(Certification(), self.audits[:n], target).certificate is not None:
                last = asked[n - 1]
                return (last.sequence or 0) + sum(time <= last.committed_at for time in self.failed_at)
        return None

    def learned_after(self, counts: Sequence[int]) -> Iterator[tuple[int, Potential]]:
        """The model after the first n labels in their order, for each n that the run reached.

        Learned again label by label, as the run did, in the basis that it has now. The bounds are bare deviations.
        """
        learner, n_first = self._seeded(), self.state.n_first
        for n in sorted(counts):
            if not n_first <= n <= len(self.labels):
                continue
            for record in self.labels[learner.n_labels : n]:
                learner.learn(record.structure, record.label)
            yield n, potential_of(learner)

    def _seeded(self) -> Learner:
        first = self.labelled[: self.state.n_first]
        references = references_of(self.setup, self.reference_energies, first)
        learner = make_learner(self.setup, references, self.state.basing.anew())
        learner.learn_first(first)
        return learner


def _complete(known: dict[str, float | None]) -> dict[int, float] | None:
    if not known or any(energy is None for energy in known.values()):
        return None
    return {int(number): float(energy) for number, energy in known.items() if energy is not None}

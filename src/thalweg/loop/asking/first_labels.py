"""The first calls of a run: isolated atoms, start structures and seeds; and the first model, learned from them.

Mistakes show here, while they are cheap: if the oracle refuses the first structure, or crashes on it at every attempt,
it ends the run before the others are asked about.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from thalweg.errors import OracleError
from thalweg.label import FailureKind, Label
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason, Reply
from thalweg.loop.asking.relaxing import relax
from thalweg.loop.beginning import REFUSED, RELAXED
from thalweg.loop.events import SeedsAnswered
from thalweg.loop.learning.learner import Learner
from thalweg.loop.learning.relearning import ReferenceEnergies, make_learner, references_of
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.loop.telling.teller import Teller
from thalweg.oracles.base import isolated_atom
from thalweg.store import Store
from thalweg.structure import Structure

_HOPELESS = (FailureKind.CRASHED, FailureKind.REFUSED, FailureKind.TIMED_OUT)
_IN_VAIN = 3
"""First structures in a row without a single label after which the others are not asked."""


def reference_energies(store: Store, labeller: Labeller, tell: Teller, setup: Setup) -> list[Reply]:
    """Ask for the isolated atoms; what comes of it is kept in the store.

    Where one fails the others are left out: reference energies are then fitted to the seeds.
    """
    numbers = setup.numbers if labeller.oracle.gives_isolated_atoms else ()
    replies: list[Reply] = []
    for first in range(0, len(numbers), setup.width):
        batch = [_about_atom(setup, number) for number in numbers[first : first + setup.width]]
        replies += labeller.ask(batch, width=setup.width)
        if not all(reply.label for reply in replies):
            break
    energies = {
        str(int(reply.question.structure.numbers[0])): reply.label.energy
        for reply in replies
        if reply.label is not None
    }
    tell.isolated_atoms(replies)
    store.set_meta(_key(labeller.fingerprint), energies)
    return replies


def _about_atom(setup: Setup, number: int) -> Question:
    where = f"isolated atom of {setup.symbol(number)}"
    return Question(QuestionKind.REFERENCE, isolated_atom(number), 0, Reason(text=where, where=where))


def known_energies(store: Store, fingerprint: str, setup: Setup) -> ReferenceEnergies:
    """The isolated atoms' energies (eV) by atomic number, as asked before; None where some are missing."""
    known: dict[str, float | None] = store.meta(_key(fingerprint)) or {}
    energies = [known.get(str(number)) for number in setup.numbers]
    if any(energy is None for energy in energies):
        return None
    return {n: float(energy) for n, energy in zip(setup.numbers, energies, strict=True) if energy is not None}


def _key(fingerprint: str) -> str:
    return f"reference_energies {fingerprint}"


class FirstLabels:
    """Asks for the first labels and learns them."""

    def __init__(
        self, setup: Setup, state: LoopState, labeller: Labeller, tell: Teller, stopwatch: Stopwatch
    ) -> None:
        self.setup, self.state, self.labeller, self.tell, self.stopwatch = (
            setup,
            state,
            labeller,
            tell,
            stopwatch,
        )

    def learn(self, store: Store) -> tuple[SeedsAnswered, Learner]:
        """Label isolated atoms and seeds, and learn them together; relax the start structures first where asked for.

        `setup` has the relaxed ones afterwards.

        Raises
        ------
        OracleError
            No label came of it, or the oracle does not do a start structure at all.
        """
        try:
            with self.stopwatch("oracle"):
                references = reference_energies(store, self.labeller, self.tell, self.setup)
            before = self._relax(store)
            known = {reply.question.structure.content_hash for reply in before if reply.label is not None}
            seeds = self.setup.seeds(self.state.rng)
            replies = [*before, *self._ask([seed for seed in seeds if seed.content_hash not in known])]
            if not any(reply.label for reply in replies):
                raise OracleError(_no_seed(replies, self.labeller.name))
        except OracleError:
            store.set_meta(REFUSED, True)
            raise
        by_structure = {reply.question.structure.content_hash: reply for reply in replies}
        self.tell.starts([by_structure.get(start.content_hash) for start in self.setup.structures])
        learner = self._learned(replies, known_energies(store, self.labeller.fingerprint, self.setup))
        every = [*references, *replies]
        event = SeedsAnswered(
            calls=sum(reply.calls for reply in every),
            failed=sum(len(reply.failures) for reply in every),
            labels=learner.n_labels,
            force_scale=learner.force_scale,
        )
        return event, learner

    def _relax(self, store: Store) -> list[Reply]:
        """Go on with relaxed starts, where that is asked for; returns what the oracle was asked for it."""
        if self.setup.config.system.relax == "none":
            return []
        with self.stopwatch("oracle"):
            done = relax(self.setup, self.labeller, self.tell)
        store.set_meta(RELAXED, [structure.content_hash for structure in done.structures])
        self.setup = dataclasses.replace(self.setup, structures=tuple(done.structures))
        return done.replies

    def _ask(self, structures: Sequence[Structure]) -> list[Reply]:
        total, width = len(structures), self.setup.width
        questions = [
            Question(QuestionKind.SEED, structure, 0, Reason(text=f"seed {k} of {total}", where=f"seed {k}"))
            for k, structure in enumerate(structures, start=1)
        ]
        replies: list[Reply] = []
        for first in range(0, total, width):
            before = self.labeller.account.calls
            with self.stopwatch("oracle"):
                batch = self.labeller.ask(questions[first : first + width], width=width)
            for number, reply in enumerate(batch, start=first + 1):
                self.tell.seed(number, total, reply, before + 1)
                before += reply.calls
            replies += batch
            self._give_up_where_hopeless(replies)
            in_vain = sum(bool(reply.failures) for reply in replies)
            if in_vain >= _IN_VAIN and not any(reply.label for reply in replies):
                break
        return replies

    def _give_up_where_hopeless(self, replies: Sequence[Reply]) -> None:
        """End the run where a start structure is refused, or fails the same way at every attempt."""
        starts = [start.content_hash for start in self.setup.structures]
        n_starts = len(starts)
        for reply in replies:
            if reply.question.structure.content_hash not in starts:
                continue
            number = 1 + starts.index(reply.question.structure.content_hash)
            failures = {(failure.kind, failure.message) for failure in reply.failures}
            if reply.label is None and len(failures) == 1 and (last := failures.pop())[0] in _HOPELESS:
                what = reply.question.structure.to_atoms().get_chemical_formula()
                late = last[0] is FailureKind.TIMED_OUT
                cure = "raise executor.timeout" if late else "choose an oracle that covers it"
                raise OracleError(
                    f"start structure {number} of {n_starts}: {self.labeller.name} cannot treat {what}: {last[1]}. "
                    f"Check the oracle's settings, or {cure}; then run the same command again"
                )

    def _learned(self, replies: Sequence[Reply], energies: ReferenceEnergies) -> Learner:
        labelled: list[tuple[Structure, Label]] = [
            (reply.question.structure, reply.label) for reply in replies if reply.label is not None
        ]
        references = references_of(self.setup, energies, labelled)
        self.tell.references(references, len(labelled))
        learner = make_learner(self.setup, references)
        start = time.perf_counter()
        with self.stopwatch("fit"):
            learner.learn_first(labelled)
        self.tell.tuned(self.state.policy.iteration, learner, time.perf_counter() - start)
        self.state.n_first = len(labelled)
        self.state.tunings = learner.tunings
        return learner


def _no_seed(replies: Sequence[Reply], oracle: str) -> str:
    failures = [failure for reply in replies for failure in reply.failures]
    if replies and not failures:
        return (
            "every first structure was withdrawn; withdraw with --ask-again what may be asked again, or choose another "
            "`seed` or `system` in the configuration"
        )
    if not failures:
        return f"the budget leaves no call of {oracle} for a first structure; raise budget.oracle_calls"
    first = failures[0]
    why = f"{first.kind.replace('_', ' ')}: {first.message}"
    return (
        f"{oracle} gave no label for any of the {len(replies)} first structures ({why}); try `thalweg doctor`"
    )

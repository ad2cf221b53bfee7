"""Whether a run's labels hold together (thalweg.coherence): looked at after the seeds, and again as labels come.

Findings are said once. A label whose numbers are unlike all others by far is taken out of the run, on record, and its
structure is asked about once more, where the budget has a call for that; if the same comes back it stays out. The run
is then in the same place as one whose user had withdrawn these labels (`thalweg labels RUN --withdraw`) and called it
again: the model, the calibration and the audits are made anew from the labels that are left, and walkers begin again.

To be called right after a checkpoint. A run that is killed anywhere in between goes on from that checkpoint, looks
again, and comes to the same end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thalweg.coherence import NAMES, Coherence, coherence_basis, hold_together
from thalweg.labelling.labeller import Labeller
from thalweg.loop.setup import Setup
from thalweg.loop.state import LoopState
from thalweg.loop.telling.teller import Teller
from thalweg.store import LabelRecord, Store

GROWTH = 2.0
"""Labels are looked at again when there are so many times more."""
ALONE = 25.0
"""How far, in units of what is usual, a label is from the others that is taken out."""
WHO = "thalweg run"
"""Who withdraws, on record."""


@dataclass(frozen=True)
class Outcast:
    """A label to be taken out: its number, its structure, why, and whether to ask again."""

    number: int
    structure_hash: str
    why: str
    ask_again: bool


class Holding:
    """Looks at the labels of a run."""

    def __init__(self, setup: Setup, state: LoopState, labeller: Labeller, tell: Teller) -> None:
        self.setup, self.state, self.labeller, self.tell = setup, state, labeller, tell
        periodic = any(bool(structure.pbc.any()) for structure in setup.structures)
        self.basis = coherence_basis(setup.basis.elements, periodic, setup.basis.r_cut)

    @property
    def due(self) -> bool:
        """Whether labels have grown enough since the last look."""
        n = self.state.policy.n_labels
        return n > 0 and n >= GROWTH * self.state.looked_at

    def look(self, store: Store) -> list[Outcast]:
        """Look at the labels where that is due: say what is new, or return what has to go first.

        Labels under way may be outcasts, too; nothing goes before they have come.
        """
        if not self.due:
            return []
        records = list(store.labels_in_order())
        found = hold_together([(record.structure, record.label) for record in records], self.basis)
        outcasts = [] if self.labeller.under_way else self._outcasts(records, found, store)
        if outcasts:
            return outcasts
        self.state.looked_at = self.state.policy.n_labels
        self._say(found, [record.number for record in records])
        return []

    def _say(self, found: Coherence, numbers: Sequence[int]) -> None:
        """Say what was not said before; the summary shows what is known as it is now."""
        places = {finding["key"]: place for place, finding in enumerate(self.state.findings)}
        for finding in found.findings:
            words = finding.words(numbers, "label")
            data = {"key": finding.key, "words": words, **finding.to_json(numbers)}
            if finding.key in places:
                self.state.findings[places[finding.key]] = data
            else:
                self.tell.finding(self.state.policy.iteration, words, data)
                self.state.findings.append(data)

    def _outcasts(self, records: Sequence[LabelRecord], found: Coherence, store: Store) -> list[Outcast]:
        """Labels that are unlike all others by far, in quantities that are not wrong as a whole."""
        before = {one.structure_hash for one in store.withdrawals() if one.who == WHO}
        room = self.labeller.room
        outcasts: list[Outcast] = []
        for place, record in enumerate(records):
            far = {k: found.odd[k][place] for k in NAMES if k not in found.doubted and found.alone(k, place)}
            kind = max(far, key=lambda k: far[k], default=None)
            if kind is None or far[kind] < ALONE:
                continue
            name = record.structure.content_hash
            why = f"{NAMES[kind]} unlike all others, off by {far[kind]:.0f} times what is usual"
            again = name not in before and len(outcasts) < room
            outcasts.append(Outcast(record.number, name, why, again))
        return outcasts


def take_out(store: Store, outcasts: Sequence[Outcast]) -> None:
    """Withdraw labels, all or none."""
    with store.transaction():
        for one in outcasts:
            store.withdraw_label(one.number, who=WHO, why=one.why, ask_again=one.ask_again)

"""Relaxes the start structures with the oracle, before anything else is asked.

Every step is a question on the one road to the oracle: counted within the budget, durable when it is answered, and
learned. A run that was interrupted takes the same steps again, and finds their answers in the store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator

from thalweg.label import Label
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason, Reply
from thalweg.loop.setup import Setup
from thalweg.loop.telling.teller import Teller
from thalweg.structure import Structure
from thalweg.units import GPa

if TYPE_CHECKING:
    import ase

FMAX = 0.03
"""eV/Å. Largest force at which a start counts as relaxed; strains of the cell are held to the same (ASE's filter)."""
MOST_STEPS = 200
"""For one start."""
SHARE = 1.0 / 3.0
"""Of the budget: the most calls that relaxing all starts may take."""


@dataclass
class Relaxation:
    """What came of relaxing: the starts as they are now, and every reply on the way there, in order."""

    structures: list[Structure] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)


class _NoAnswer(Exception):  # noqa: N818 - ends an optimisation, no fault
    """The oracle failed, or no call is left for a further step."""


class _Asking(Calculator):  # type: ignore[misc]  # ASE is untyped
    """The oracle as an optimiser knows it: each new geometry becomes a question."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, ask: Callable[[ase.Atoms], Label]) -> None:
        super().__init__()
        self._ask = ask

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        """Ask; ASE calls this once for each geometry."""
        super().calculate(atoms, properties or ["energy"], system_changes or [])
        label = self._ask(self.atoms)
        self.results = {"energy": label.energy, "forces": label.forces}
        if label.stress is not None:
            self.results["stress"] = label.stress


@dataclass
class _Path:
    """The steps of one start."""

    start: Structure
    number: int
    most: int
    labeller: Labeller
    tell: Teller
    pressure: float
    """Of the target, eV/Å³."""
    replies: list[Reply] = field(default_factory=list)
    known: dict[str, Label] = field(default_factory=dict)

    def ask(self, atoms: ase.Atoms) -> Label:
        """The oracle's answer about a geometry."""
        structure = dataclasses.replace(
            self.start, positions=atoms.get_positions(), cell=np.array(atoms.cell)
        )
        if structure.content_hash in self.known:
            return self.known[structure.content_hash]
        if len(self.replies) >= self.most:
            raise _NoAnswer
        where = f"start {self.number}, step {len(self.replies)}"
        question = Question(
            QuestionKind.RELAX, structure, 0, Reason(text=f"relaxation: {where}", where=where)
        )
        call = self.labeller.account.calls + 1
        replies = self.labeller.ask([question])
        if not replies:
            raise _NoAnswer
        self.replies += replies
        self.tell.failures(replies[0], call)
        if (label := replies[0].label) is None:
            raise _NoAnswer
        self.known[structure.content_hash] = label
        return label

    @property
    def labelled(self) -> list[tuple[Structure, Label]]:
        """The steps that were answered, in order."""
        return [(reply.question.structure, reply.label) for reply in self.replies if reply.label is not None]

    def lowest(self) -> tuple[Structure, Label]:
        """The step of lowest enthalpy."""
        return min(self.labelled, key=lambda one: one[1].energy + self._work(one[0]))

    def _work(self, structure: Structure) -> float:
        return self.pressure * structure.volume if self.pressure else 0.0


def relax(setup: Setup, labeller: Labeller, tell: Teller) -> Relaxation:
    """Relax every start as `system.relax` says; one that cannot be is left at the best step, or as it was."""
    done = Relaxation()
    budget = int(SHARE * setup.rules.oracle_calls)
    for number, start in enumerate(setup.structures, start=1):
        left = max(0, budget - sum(reply.calls for reply in done.replies))
        share = max(2, left // (len(setup.structures) - number + 1))
        path = _Path(start, number, min(MOST_STEPS, share), labeller, tell, _pressure(setup))
        converged = _descend(path, cell=setup.config.system.relax == "cell")
        done.replies += path.replies
        steps = path.labelled
        if not steps:  # the oracle's refusal is told when the start itself is asked about as a seed
            done.structures.append(start)
            continue
        best = steps[-1] if converged else path.lowest()
        done.structures.append(best[0])
        tell.relaxed(number, len(setup.structures), steps[0], best, len(steps), converged)
    return done


def _pressure(setup: Setup) -> float:
    """What the cell is relaxed to, eV/Å³: the pressure of npt, else none."""
    explore = setup.config.explore
    follows = setup.config.system.relax == "cell" and explore.ensemble == "npt"
    return explore.pressure * GPa if follows else 0.0


def _descend(path: _Path, *, cell: bool) -> bool:
    """Take steps until forces, and the strain of the cell where asked for, are small; whether they became so."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = path.start.to_atoms()
    atoms.calc = _Asking(path.ask)
    moved = FrechetCellFilter(atoms, scalar_pressure=path.pressure) if cell else atoms
    try:
        return bool(BFGS(moved, logfile=None).run(fmax=FMAX, steps=MOST_STEPS))
    except _NoAnswer:
        return False

"""Properties of the finished potential, next to the oracle's own: for now the equation of state.

The oracle's energies only check it; they are not learned. Their calls are reserved in the budget while the run learns.
"""

from __future__ import annotations

from thalweg.errors import InputError, OracleError
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason
from thalweg.loop.setup import Setup
from thalweg.potential import Potential
from thalweg.properties import equation_of_state, potential_equation_of_state
from thalweg.properties.results import EquationOfStateResult, PropertyResults
from thalweg.store import Store
from thalweg.structure import Structure

META_KEY = "properties"


def compute(setup: Setup, potential: Potential, labeller: Labeller, iteration: int) -> PropertyResults:
    """The properties that the configuration asks for; what cannot be had says why."""
    if not setup.config.properties.equation_of_state:
        return PropertyResults()
    asked = _Asked(labeller, iteration)
    return PropertyResults(_equation_of_state(setup.structures[0], potential, asked))


class _Asked:
    """The oracle's energy of a structure; counts the calls."""

    def __init__(self, labeller: Labeller, iteration: int) -> None:
        self._labeller, self._iteration, self.calls = labeller, iteration, 0

    def __call__(self, cell: Structure) -> float:
        volume = f"volume of {cell.volume:.1f} Å³"
        reason = Reason(text=f"equation of state: {volume}", where=f"equation of state, {volume}")
        replies = self._labeller.ask([Question(QuestionKind.PROPERTY, cell, self._iteration, reason)])
        if not replies:
            raise OracleError(f"the budget leaves no call for a {volume}; raise budget.oracle_calls")
        self.calls += replies[0].calls
        if replies[0].label is None:
            raise OracleError(f"the oracle failed at a {volume}: {replies[0].failures[-1].message}")
        return replies[0].label.energy


def _equation_of_state(structure: Structure, potential: Potential, asked: _Asked) -> EquationOfStateResult:
    try:
        learned = potential_equation_of_state(structure, potential)
        trusted = equation_of_state(structure, asked)
    except (InputError, OracleError) as error:
        return EquationOfStateResult(asked.calls, failed=str(error))
    return EquationOfStateResult(asked.calls, learned, trusted)


def recall(store: Store) -> PropertyResults:
    """What was computed at the end of the run, if it has come to its end."""
    return PropertyResults.from_json(store.meta(META_KEY) or {})

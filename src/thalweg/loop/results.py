"""What is asked of the finished potential, beside the oracle's own answer: for now the equation of state.

The oracle's energies for it check, they do not teach. Their calls are kept back from the budget while the run learns.
"""

from __future__ import annotations

from typing import Any

from thalweg.errors import InputError, OracleError
from thalweg.labelling.labeller import Labeller
from thalweg.labelling.question import Question, QuestionKind, Reason
from thalweg.loop.setup import Setup
from thalweg.potential import Potential
from thalweg.properties import equation_of_state, potential_equation_of_state
from thalweg.store import Store
from thalweg.structure import Structure

META_KEY = "properties"


def compute(setup: Setup, potential: Potential, labeller: Labeller, iteration: int) -> dict[str, Any]:
    """The properties that the configuration asks for, as plain data; what cannot be had says why."""
    if not setup.config.properties.equation_of_state:
        return {}
    asked = _Asked(labeller, iteration)
    return {"equation_of_state": _equation_of_state(setup.structures[0], potential, asked)}


def oracle_calls(results: dict[str, Any]) -> int:
    """Calls that the properties took."""
    return sum(int(one.get("oracle_calls", 0)) for one in results.values())


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


def _equation_of_state(structure: Structure, potential: Potential, asked: _Asked) -> dict[str, Any]:
    try:
        learned = potential_equation_of_state(structure, potential)
        trusted = equation_of_state(structure, asked)
    except (InputError, OracleError) as error:
        return {"failed": str(error), "oracle_calls": asked.calls}
    return {"potential": learned.to_json(), "oracle": trusted.to_json(), "oracle_calls": asked.calls}


def recall(store: Store) -> dict[str, Any]:
    """What was computed at the end of the run, if it has come to its end."""
    found: dict[str, Any] = store.meta(META_KEY) or {}
    return found


def describe(results: dict[str, Any]) -> list[str]:
    """One line for each property."""
    lines = []
    if eos := results.get("equation_of_state"):
        if "failed" in eos:
            lines.append(f"equation of state: {eos['failed']}")
        else:
            lines.append(
                f"equation of state: potential {_in_words(eos['potential'])}; oracle {_in_words(eos['oracle'])} "
                f"({eos['oracle_calls']} calls)"
            )
    return lines


def _in_words(eos: dict[str, Any]) -> str:
    spread = eos.get("bulk_modulus_uncertainty_GPa")
    margin = "" if spread is None else f" ± {spread:.1f}"
    return f"V0 {eos['volume'] / eos['n_atoms']:.2f} Å³/atom, B {eos['bulk_modulus_GPa']:.1f}{margin} GPa"

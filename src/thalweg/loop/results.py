"""What is asked of the finished potential, beside the oracle's own answer: for now the equation of state.

The oracle's energies for it are calls of their own, outside the budget: they check, they do not teach. They are
counted in the result.
"""

from __future__ import annotations

from typing import Any

from thalweg.errors import InputError, OracleError
from thalweg.label import Failure
from thalweg.labelling.labeller import Labeller
from thalweg.loop.setup import Setup
from thalweg.potential import Potential
from thalweg.properties import equation_of_state, potential_equation_of_state
from thalweg.store import SqliteStore
from thalweg.structure import Structure

META_KEY = "properties"


def compute(setup: Setup, potential: Potential, labeller: Labeller) -> dict[str, Any]:
    """The properties that the configuration asks for, as plain data; what cannot be had says why."""
    if not setup.config.properties.equation_of_state:
        return {}
    return {"equation_of_state": _equation_of_state(setup.structures[0], potential, labeller)}


def _equation_of_state(structure: Structure, potential: Potential, labeller: Labeller) -> dict[str, Any]:
    calls = 0

    def ask(cell: Structure) -> float:
        nonlocal calls
        attempts = labeller.submit(cell).result()
        calls += attempts.calls
        if attempts.label is None:
            raise OracleError(
                f"the oracle failed at a volume of {cell.volume:.1f} Å³: {_why(attempts.failures)}"
            )
        return attempts.label.energy

    try:
        learned = potential_equation_of_state(structure, potential)
        trusted = equation_of_state(structure, ask)
    except (InputError, OracleError) as error:
        return {"failed": str(error), "oracle_calls": calls}
    return {"potential": learned.to_json(), "oracle": trusted.to_json(), "oracle_calls": calls}


def _why(failures: tuple[Failure, ...]) -> str:
    return failures[-1].message if failures else "no reason given"


def recall(store: SqliteStore) -> dict[str, Any]:
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
                f"({eos['oracle_calls']} further calls)"
            )
    return lines


def _in_words(eos: dict[str, Any]) -> str:
    spread = eos.get("bulk_modulus_uncertainty_GPa")
    margin = "" if spread is None else f" ± {spread:.1f}"
    return f"V0 {eos['volume'] / eos['n_atoms']:.2f} Å³/atom, B {eos['bulk_modulus_GPa']:.1f}{margin} GPa"

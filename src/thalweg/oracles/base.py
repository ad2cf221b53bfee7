"""The contract of an oracle: structure in, typed outcome out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from thalweg.errors import InputError, OracleError
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.structure import FloatArray, Structure

ABSURD_FORCE = 1000.0
"""eV/Å. No bound system within reach of molecular dynamics shows such a force."""

MEMBERS = (
    "fingerprint",
    "display_name",
    "gives_stress",
    "gives_isolated_atoms",
    "rungs",
    "check_structure",
    "label",
)
"""What every oracle has."""


@runtime_checkable
class Oracle(Protocol):
    """A trusted method.

    `label` never raises: what went wrong is an outcome. An oracle can be pickled, so that a worker process has it, too.
    `thalweg.testing.OracleContract` holds an oracle to all of this.
    """

    @property
    def fingerprint(self) -> str:
        """Name and every setting that changes a number, as canonical JSON: the label's provenance."""
        ...

    @property
    def display_name(self) -> str:
        """What people call it, for example 'GFN2-xTB'."""
        ...

    @property
    def gives_stress(self) -> bool:
        """Whether periodic structures are labelled with a stress."""
        ...

    @property
    def gives_isolated_atoms(self) -> bool:
        """Whether `label` of one lone atom without periodicity is the isolated atom in its ground state."""
        ...

    @property
    def rungs(self) -> int:
        """How many different settings the ladder of retries has; `label` takes any attempt, also past its end."""
        ...

    def check_structure(self, structure: Structure) -> None:
        """Raise OracleError naming what the oracle cannot treat. Makes no call: what is known beforehand only."""
        ...

    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Label it. `attempt` counts retries (0 first): the ladder of more cautious settings."""
        ...


def as_oracle(thing: object) -> Oracle:
    """`thing`, which somebody handed in, as an oracle; raises InputError that names the members it lacks.

    An ASE calculator is one, too.
    """
    from thalweg.oracles.ase import AseOracle
    from thalweg.oracles.calculators import is_calculator

    if is_calculator(thing):
        return AseOracle(thing)
    lacking = [name for name in MEMBERS if not hasattr(thing, name)]
    if lacking or isinstance(thing, type):
        why = (
            f"it is a class; hand in an object, {thing.__name__}(...)"
            if isinstance(thing, type)
            else f"it has no {', '.join(lacking)}"
        )
        raise InputError(
            f"oracle: {type(thing).__name__} does not keep the contract of thalweg.oracles.base.Oracle: {why}"
        )
    return cast(Oracle, thing)


def isolated_atom(number: int) -> Structure:
    """One atom in empty space."""
    return Structure(np.array([number]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))


def is_isolated_atom(structure: Structure) -> bool:
    """Whether it is one atom without periodicity, of which nothing more is said: no ion, no excited state."""
    is_plain = not structure.charge and structure.multiplicity is None
    return len(structure) == 1 and not structure.pbc.any() and is_plain


def check_no_electrons(structure: Structure, who: str) -> None:
    """Raise OracleError where a structure says something of its electrons to a method that has none."""
    said = [name for name in ("charge", "multiplicity", "magmoms") if getattr(structure, name) is not None]
    if structure.charge == 0:
        said.remove("charge")
    if structure.multiplicity == 1:
        said.remove("multiplicity")
    if said:
        names = {
            "charge": "a charge",
            "multiplicity": "a multiplicity",
            "magmoms": "initial magnetic moments",
        }
        words = " and ".join(names[name] for name in said)
        raise OracleError(
            f"{who} has no electrons, and the structure has {words}: its energies and forces would be those without; "
            "take that out of the structure file, or choose a quantum oracle"
        )


def examine(structure: Structure, label: Label) -> Outcome:
    """The label, or an implausible Failure (shapes, non-finite numbers, absurd forces, no time spent)."""
    why = _implausible(structure, label)
    if why is None:
        return label
    return Failure(FailureKind.IMPLAUSIBLE, why, oracle=label.oracle, wall_time=label.wall_time)


def _implausible(structure: Structure, label: Label) -> str | None:
    """Why the label cannot be the structure's; None where nothing speaks against it."""
    n, forces, stress = len(structure), label.forces, label.stress
    largest = float(np.abs(forces).max(initial=0.0))
    why: str | None = None
    if forces.shape != (n, 3):
        why = f"{n} atoms were asked, forces of shape {forces.shape} came back"
    elif not (np.isfinite(label.energy) and np.isfinite(forces).all()):
        why = "energy or forces are not finite"
    elif not 0.0 < label.wall_time < np.inf:
        why = f"a wall time of {label.wall_time:g} s: nothing was computed"
    elif stress is not None and not np.isfinite(stress).all():
        why = "the stress is not finite"
    elif stress is not None and not structure.pbc.all():
        why = "a stress came back for a structure that is not periodic in three directions"
    elif largest > ABSURD_FORCE:
        why = f"a force component of {largest:.3g} eV/Å (anything above {ABSURD_FORCE:g} is absurd)"
    return why


def canonical_json(settings: Mapping[str, object]) -> str:
    """Settings as JSON with sorted keys and no spaces: equal settings give equal strings.

    Arrays and tuples become lists. Raises InputError for what JSON has no word for.
    """
    try:
        return json.dumps(settings, sort_keys=True, separators=(",", ":"), default=_array)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"settings of an oracle must be plain numbers, texts, lists and mappings: {error}"
        ) from None


def _array(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"got {type(value).__name__}")


def described(value: Any) -> Any:
    """Settings for a fingerprint: what JSON has no word for enters by its repr, without addresses in memory."""
    if isinstance(value, str | int | float | bool | np.ndarray | np.generic | None):
        return value
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def noise_from_net_force(forces: FloatArray) -> float:
    """Noise of the forces (eV/Å per component) that a net force betrays; forces of shape (n_atoms, 3).

    Errors e of s.d. σ, independent over n atoms, add up to a net force of s.d. σ √n, so σ ≈ rms(Σ f) / √n.
    """
    net = np.sum(forces, axis=0)
    return float(np.sqrt(np.mean(net**2) / len(forces)))

"""The contract of an oracle: structure in, typed outcome out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.structure import FloatArray, Structure

ABSURD_FORCE = 1000.0
"""eV/Å. No bound system within reach of molecular dynamics shows such a force."""


@runtime_checkable
class Oracle(Protocol):
    """A trusted method.

    `label` never raises for one bad structure: what went wrong is an outcome. It may raise OracleError
    when the system as a whole is out of reach, and `check_structure` does so before any call is made.
    Oracles are picklable by construction arguments, so that a process pool can rebuild them.
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

    def check_structure(self, structure: Structure) -> None:
        """Raise OracleError naming the element or the periodicity that the oracle cannot treat."""
        ...

    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Label it. `attempt` counts retries (0 first): the ladder of more cautious settings."""
        ...

    @property
    def rungs(self) -> int: ...

    @property
    def gives_isolated_atoms(self) -> bool: ...


def isolated_atom(number: int) -> Structure:
    """An atom in empty space."""
    return Structure(np.array([number]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))


def examine(structure: Structure, label: Label) -> Outcome:
    """The label, or an implausible Failure (shapes, non-finite numbers, absurd forces, no time spent)."""

    def implausible(why: str) -> Failure:
        return Failure(FailureKind.IMPLAUSIBLE, why, oracle=label.oracle, wall_time=label.wall_time)

    if label.forces.shape != (len(structure), 3):
        return implausible(
            f"{len(structure)} atoms were asked, forces of shape {label.forces.shape} came back"
        )
    if not (np.isfinite(label.energy) and np.isfinite(label.forces).all()):
        return implausible("energy or forces are not finite")
    if not label.wall_time > 0.0:
        return implausible(f"a wall time of {label.wall_time:g} s: nothing was computed")
    if label.stress is not None and not np.isfinite(label.stress).all():
        return implausible("the stress is not finite")
    largest = float(np.abs(label.forces).max())
    if largest > ABSURD_FORCE:
        return implausible(
            f"a force component of {largest:.3g} eV/Å (anything above {ABSURD_FORCE:g} is absurd)"
        )
    return label


def canonical_json(settings: Mapping[str, object]) -> str:
    """Settings as JSON with sorted keys and no spaces: equal settings give equal strings."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def noise_from_net_force(forces: FloatArray) -> float:
    """Noise of the forces (eV/Å per component) that a net force betrays; forces of shape (n_atoms, 3).

    Errors e of s.d. σ, independent over n atoms, add up to a net force of s.d. σ √n, so σ ≈ rms(Σ f) / √n.
    """
    net = np.sum(forces, axis=0)
    return float(np.sqrt(np.mean(net**2) / len(forces)))

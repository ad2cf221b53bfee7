"""Words that configuration, command line, code and files share, each list spelled here and nowhere else.

What a run wrote years ago is read by them: words are added, and never changed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Ensemble = Literal["nvt", "nve", "npt"]
"""What molecular dynamics holds constant."""
Coupling = Literal["isotropic", "axes", "full"]
"""What the barostat may change of the cell."""
Dissociation = Literal["stop", "walk"]
"""What becomes of a walker that has fallen apart."""
Relax = Literal["none", "positions", "cell"]
"""What of the start structures is relaxed before a run."""
Committee = Literal["whole", "screened"]
"""How the committee is looked at."""
Precision = Literal["double", "mixed"]
"""Arithmetic of the kernel: mixed keeps displacements, the core repulsion and sums over atoms in double precision."""
TrajectoryFormat = Literal["extxyz", "traj"]
"""What frames are written as."""


class QuestionKind(StrEnum):
    """Why a structure is put to the oracle."""

    REFERENCE = "reference"
    """An isolated atom, whose energy is that of its element."""
    SEED = "seed"
    """One of the first structures, start structures among them."""
    QUERY = "query"
    """The model is unsure of it."""
    AUDIT = "audit"
    """Drawn by chance, to measure the error."""
    HANDED = "handed"
    """Handed in from outside (`thalweg queue`)."""
    PROPERTY = "property"
    """The oracle's own value of a property, beside the model's."""
    CHECK = "check"
    """Drawn by chance at somebody's request (`thalweg audit`)."""
    RELAX = "relax"
    """A step on the way from a start structure to rest."""
    PROBE = "probe"
    """Beside a labelled structure, to measure whether the oracle is smooth."""

    @property
    def is_learned(self) -> bool:
        """Whether the answer teaches the model."""
        return self not in (
            QuestionKind.REFERENCE,
            QuestionKind.PROPERTY,
            QuestionKind.CHECK,
            QuestionKind.PROBE,
        )

"""What a run has chosen of its basis: part of the loop's state.

The learner after a choice is a function of these, of the labels in order and of the points of tuning: `n_batch` labels
are learned together in the chosen basis, the others one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from thalweg.features import AceBasis

FIRST_CHOICE = 20
"""Labels at which a run first looks for a better basis; again whenever they have doubled."""


@dataclass(frozen=True)
class BasisChoice:
    """One look round, as it is kept and shown.

    Attributes
    ----------
    n_labels : labels there were
    changed : whether the best one met was adopted
    error : its held-out error over that of what was in force; where the basis stayed, that of the best one met over
        that of the present one, each with its own hyperparameters
    before, after : `describe` of the two; equal where the basis stayed
    tried : bases compared with the one before
    work : spent, in multiplications (thalweg.fitting.left_out_fit)
    """

    n_labels: int
    changed: bool
    error: float
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    tried: int
    work: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "before": dict(self.before), "after": dict(self.after)}


@dataclass(frozen=True)
class Basing:
    """The basis in force, and what follows for the next look round.

    Attributes
    ----------
    basis : the chosen one; None: that of the configuration
    n_batch : labels that were learned together in it; 0: the first ones of the run
    next_at : labels at which to look next
    work : what the run has done by now, and `spent` what it has spent on looking round, in multiplications
    earlier : questions under way whose predictions are an earlier basis'
    choices : looks round, in order
    """

    basis: AceBasis | None = None
    n_batch: int = 0
    next_at: int = FIRST_CHOICE
    work: float = 0.0
    spent: float = 0.0
    earlier: tuple[int, ...] = ()
    choices: tuple[BasisChoice, ...] = ()

    def present(self, begun_with: AceBasis) -> AceBasis:
        """The basis in force, of a run that began with that one."""
        return begun_with if self.basis is None else self.basis

    def anew(self) -> Basing:
        """The same basis, learned from the first labels on: after labels were withdrawn."""
        return replace(self, n_batch=0, earlier=())

    def worked(self, work: float) -> Basing:
        """After so much more work of the run itself."""
        return replace(self, work=self.work + work)

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return {
            "basis": None if self.basis is None else self.basis.to_json(),
            "n_batch": self.n_batch,
            "next_at": self.next_at,
            "work": self.work,
            "spent": self.spent,
            "earlier": list(self.earlier),
            "choices": [choice.to_json() for choice in self.choices],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Basing:
        """Inverse of `to_json`; None, of a checkpoint before there were choices, gives a run that has made none."""
        if data is None:
            return cls()
        basis = data["basis"]
        return cls(
            **{
                **data,
                "basis": None if basis is None else AceBasis.from_json(basis),
                "earlier": tuple(data["earlier"]),
                "choices": tuple(BasisChoice(**choice) for choice in data["choices"]),
            }
        )


def describe(basis: AceBasis) -> dict[str, Any]:
    """A basis in the settings that a choice may change, and its size."""
    return {
        "r_cut": basis.r_cut,
        "max_degree": list(basis.max_degree),
        "radial_exponent": basis.radial_exponent,
        "radial_weight": basis.radial_weight,
        "n_features": basis.n_features,
    }

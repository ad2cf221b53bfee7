"""What was taken of a file of labels, in words and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from thalweg.store.quantities import brief

_PLURAL = {"energy": "energies", "forces": "forces", "stress": "stress"}


@dataclass(frozen=True)
class Taken:
    """Counts of one file's labels.

    Attributes
    ----------
    n_structures : int
        That have a label.
    names : mapping
        For `energy`, `forces` and `stress`: how many came from which name in the file.
    charges : mapping
        How many structures say that they have which charge (e).
    left_out : mapping
        Why structures have no label, and their places in the file, counted from 1.
    absent : mapping
        For `forces` and `stress`: structures in which these hold NaN; the rest of their label is taken.
    others : tuple of str
        Names of further families of labels that are in the file and were not taken.
    mixed_energies : bool
        Whether some structures have a `free_energy` that differs from their `energy`, and some an `energy` alone.
    oracles : mapping
        How many labels name which oracle (`oracle` in the comment line, as Thalweg writes it); none: "".
    multiplicities : mapping
        How many structures say that they have which multiplicity.
    unclear_spins : int
        Structures with a `spin` that is S to some programs, 2S or 2S + 1 to others.
    mixed_states : mapping
        Formulas that are there with more than one charge or multiplicity, and how often with which.
    """

    n_structures: int
    names: Mapping[str, Mapping[str, int]]
    charges: Mapping[str, int]
    left_out: Mapping[str, tuple[int, ...]]
    absent: Mapping[str, tuple[int, ...]]
    others: tuple[str, ...] = ()
    mixed_energies: bool = False
    oracles: Mapping[str, int] = field(default_factory=dict)
    multiplicities: Mapping[str, int] = field(default_factory=dict)
    unclear_spins: int = 0
    mixed_states: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Such as `energies 30 from REF_energy; forces 15 from REF_forces; stress none; charge -1 in 3`."""
        parts = [f"{_PLURAL[kind]} {_counted(self.names[kind])}" for kind in _PLURAL]
        if set(self.charges) - {"0"}:
            parts.append("charge " + ", ".join(f"{charge} in {n}" for charge, n in self.charges.items()))
        if set(self.multiplicities) - {"1"}:
            spins = ", ".join(f"{multiplicity} in {n}" for multiplicity, n in self.multiplicities.items())
            parts.append(f"multiplicity {spins}")
        return "; ".join(parts)

    @property
    def omissions(self) -> list[str]:
        """What was not taken: a line for each reason."""
        lines = [f"left out, {why}: {_structures(numbers)}" for why, numbers in self.left_out.items()]
        lines += [f"{kind} with NaN in them, not taken: {_structures(n)}" for kind, n in self.absent.items()]
        if self.unclear_spins:
            lines.append(
                f"not taken: spin ({self.unclear_spins}), which is S, 2S or 2S + 1; call it multiplicity"
            )
        return lines + [f"not taken: {names}" for names in self.others]

    @property
    def warnings(self) -> list[str]:
        """What in these counts may spoil a fit."""
        found = []
        if self.mixed_energies:
            found.append(
                f"energies {_counted(self.names['energy'])}: where these differ they are not one quantity (electronic "
                "smearing); give all structures a free_energy, to which forces belong"
            )
        if len(self.oracles) > 1:
            named = "; ".join(f"{brief(name) or 'none named'} ({n})" for name, n in self.oracles.items())
            found.append(f"labels of more than one oracle: {named}; their energies need not have one zero")
        found += [
            f"{formula} in more than one state ({states}): the potential sees neither charge nor spin; fit each by "
            "itself"
            for formula, states in self.mixed_states.items()
        ]
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "n_structures": self.n_structures,
            **{kind: dict(counts) for kind, counts in self.names.items()},
            "charges": dict(self.charges),
            "multiplicities": dict(self.multiplicities),
            "oracles": dict(self.oracles),
            "left_out": {why: list(numbers) for why, numbers in self.left_out.items()},
            "nan": {kind: list(numbers) for kind, numbers in self.absent.items()},
            "not_taken": list(self.others),
            "warnings": self.warnings,
        }


def _counted(names: Mapping[str, int]) -> str:
    return ", ".join(f"{n} from {name}" for name, n in names.items()) or "none"


def _structures(numbers: Sequence[int]) -> str:
    return f"{len(numbers)} (structure{'s' if len(numbers) > 1 else ''} {listed(numbers)})"


def listed(numbers: Sequence[int], most: int = 8) -> str:
    """Numbers with commas between, the first few of many."""
    return ", ".join(str(n) for n in numbers[:most]) + (", ..." if len(numbers) > most else "")

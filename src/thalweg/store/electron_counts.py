"""How many structures of a file say which charge and multiplicity, and which formulas say two things."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula

from thalweg.structure import Structure


@dataclass
class ElectronCounts:
    """Counted structure by structure; `unclear_spins` have a `spin` that may mean several things."""

    charges: Counter[str] = field(default_factory=Counter)
    multiplicities: Counter[str] = field(default_factory=Counter)
    unclear_spins: int = 0
    _states: dict[bytes, Counter[tuple[int, int]]] = field(default_factory=dict)

    def note(self, structure: Structure) -> None:
        """One structure more."""
        if structure.charge is not None:
            self.charges[str(structure.charge)] += 1
        if structure.multiplicity is not None:
            self.multiplicities[str(structure.multiplicity)] += 1
        state = structure.charge or 0, structure.multiplicity or 0
        self._states.setdefault(np.sort(structure.numbers).tobytes(), Counter())[state] += 1

    @property
    def mixed(self) -> dict[str, str]:
        """Formulas in more than one state, with how many in which; a multiplicity that is not said goes with any."""
        found = {}
        for numbers, states in self._states.items():
            spins = {multiplicity for _, multiplicity in states} - {0}
            if len({charge for charge, _ in states}) > 1 or len(spins) > 1:
                found[_formula(numbers)] = "; ".join(
                    f"charge {charge}{f', multiplicity {spin}' if spin else ''} in {n}"
                    for (charge, spin), n in states.items()
                )
        return found


def _formula(numbers: bytes) -> str:
    symbols = [chemical_symbols[z] for z in np.frombuffer(numbers, dtype=np.int64)]
    return str(Formula.from_list(symbols).format("hill"))

"""How true is what a potential states of its errors? Families of structures in distribution and out of it.

    python benchmarks/uncertainty.py DATA_DIR
    python benchmarks/uncertainty.py DATA_DIR --pairs si acac al

`DATA_DIR` holds the files named in `reference_sets.py` and `uncertainty_pairs.py`; pairs of `uncertainty_made.py` need
none of it. Each pair is fitted with a moderate basis (351 to 933 columns). The same script runs on an older version of
the product: what that does not state is left out.

Tables
    forces     bounds at 95 %: coverage, L (pinball loss over that of the best constant bound), rank correlation, AUROC
               of errors above target, silent failures; as shipped, and of other signals calibrated alike
    energies   rms error over stated, share within 2 standard deviations: energies, their differences, stress
    gate       wrong structures that are not asked about (`uncertainty_gate.py`)

A target is the 95 % quantile of the pair's errors in distribution; errors above twice of it are wrong.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common import parser, show, write
from threadpoolctl import threadpool_limits
from uncertainty_answers import SetAnswers
from uncertainty_gate import GATES, Asked, asked
from uncertainty_made import MADE
from uncertainty_pairs import READ, Pair
from uncertainty_scores import LEVEL
from uncertainty_shipped import ShippedAnswers, shipped
from uncertainty_signals import compare_signals
from uncertainty_tables import (
    KINDS,
    Row,
    calibrated_row,
    force_row,
    pooled_calibrated,
    pooled_forces,
    pooled_gate,
)

from thalweg.features.zbl import ZblBaseline
from thalweg.fitting import fit_labels
from thalweg.fitting.final import Fit
from thalweg.models.training import Baseline

SHIPPED = "as shipped"


@dataclass
class Measured:
    """All rows so far, over pairs.

    Attributes
    ----------
    forces : by signal, a row for each set
    calibrated : a row for each set and kind
    gates : by gate and pair, what is asked of each set
    """

    forces: dict[str, list[Row]] = field(default_factory=dict)
    calibrated: list[Row] = field(default_factory=list)
    gates: dict[str, dict[str, dict[str, Asked]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def pooled(self) -> dict[str, list[Row]]:
        """The three tables over all pairs."""
        return {
            "forces": [pooled_forces(signal, rows) for signal, rows in self.forces.items()],
            "energies": pooled_calibrated(self.calibrated),
            "gate": [pooled_gate(gate, pairs) for gate, pairs in self.gates.items()],
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        gates = {
            gate: {pair: {key: asdict(one) for key, one in sets.items()} for pair, sets in pairs.items()}
            for gate, pairs in self.gates.items()
        }
        rows = {"forces": self.forces, "energies": self.calibrated, "gates": gates}
        return {"seconds": self.seconds, "pooled": self.pooled(), "sets": rows}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("data", type=Path, help="folder of the reference data")
    names = [*READ, *MADE]
    arguments.add_argument("--pairs", nargs="+", choices=names, default=names)
    options = arguments.parse_args()
    found = Measured()
    for name in options.pairs:
        start = time.process_time()
        with threadpool_limits(limits=1, user_api="blas"):
            measure(READ[name](options.data) if name in READ else MADE[name](), found)
        found.seconds[name] = time.process_time() - start
        print(f"{name}: {found.seconds[name]:.0f} s of processor time", flush=True)
    show("bounds as shipped, by set", found.forces[SHIPPED])
    show("energies, differences, stress as shipped, by set", found.calibrated)
    for title, rows in found.pooled().items():
        show(f"{title}, all pairs", rows)
    write("uncertainty", found.to_json(), options.output)


def measure(pair: Pair, found: Measured) -> None:
    """Fit one pair, and add its rows."""
    fit = fit_labels(pair.train, pair.basis)
    answers = {test.name: shipped(fit.potential, test.labelled) for test in pair.tests}
    atoms = {name: one.atoms for name, one in answers.items() if one.atoms is not None}
    target = float(np.quantile(atoms["same"].error, LEVEL))
    for test in pair.tests:
        found.calibrated += _calibrated(pair.name, test.name, test.ood, answers[test.name])
    by_signal = {SHIPPED: atoms, **_signals(pair, fit)}
    for signal, sets in by_signal.items():
        rows = [
            force_row(pair.name, test.name, test.ood, sets[test.name], target)
            for test in pair.tests
            if test.name in sets
        ]
        found.forces.setdefault(signal, []).extend(rows)
    others = {name: one for name, one in atoms.items() if name != "same"}
    for gate, limit in GATES.items():
        found.gates.setdefault(gate, {})[pair.name] = asked(atoms["same"], others, target, limit)


def _calibrated(pair: str, test: str, ood: bool, answers: ShippedAnswers) -> list[Row]:
    rows = [calibrated_row(pair, test, ood, kind, answers.calibrated(kind)) for kind in KINDS]
    return [row for row in rows if row is not None]


def _signals(pair: Pair, fit: Fit) -> dict[str, dict[str, SetAnswers]]:
    """By signal and set."""
    potential, elements = fit.potential, pair.basis.elements
    zbl = None if potential.zbl is None else ZblBaseline(elements, potential.zbl)
    baseline = Baseline(elements, potential.reference_energies, zbl)
    tests = {test.name: test.labelled for test in pair.tests}
    by_set = compare_signals(fit.model, pair.basis, baseline, pair.train, tests)
    signals = next(iter(by_set.values()))
    return {signal: {name: own[signal] for name, own in by_set.items()} for signal in signals}


if __name__ == "__main__":
    main()

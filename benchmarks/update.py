"""Time to learn one more label, against the number of labels learned before.

    update      BayesianLinear.update: the posterior taken on by one label
    rows        making its design rows and targets (features, Jacobian)
    potential   afterwards: mean, committee of 8, native force field
    tune        maximising the evidence (20 evaluations at most), done when the labels have grown by half
    novelty     fitting the novelty model anew, done when they have grown by a tenth

Rattled malonaldehyde, GFN2-xTB labels (energy and 27 force components). Milliseconds; the least and the
median over the last `--window` labels before each count.

    python benchmarks/update.py [--counts 10 20 50 100 200 400]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from common import parser, show, write
from systems import Labelled, baseline_of, label_all, malonaldehyde, rattled

from thalweg.features import AceBasis, Features
from thalweg.features.batch import species_of
from thalweg.loop.learning.searching import TUNE_ENOUGH, TUNE_EVALUATIONS
from thalweg.models import BayesianLinear, SmoothnessPrior
from thalweg.models.training import Baseline, observe
from thalweg.oracles import make_oracle
from thalweg.potential import ErrorBounds, Potential
from thalweg.uncertainty.novelty import NoveltyFit

ELEMENTS = ("H", "C", "O")
BASES = {
    "order 3, 1,113 columns": AceBasis(ELEMENTS, r_cut=4.5, correlation_order=3, max_degree=(8, 5, 3)),
    "order 3, 1,968 columns": AceBasis(ELEMENTS, r_cut=4.5, correlation_order=3, max_degree=(8, 6, 4)),
}
FIRST = 8


def clock(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def make_potential(model: BayesianLinear, basis: AceBasis, baseline: Baseline) -> Potential:
    """Mean, committee and native force field of the model as it is."""
    bounds = ErrorBounds.bare(len(basis.elements))
    potential = Potential.from_model(model, basis, baseline, novelty=None, bounds=bounds, provenance={})
    assert potential.force_field.has_committee
    return potential


class Bench:
    """One basis: takes in labels and keeps the times of the latest."""

    def __init__(self, basis: AceBasis, labelled: Labelled) -> None:
        self.basis, self.labelled = basis, labelled
        self.features, self.baseline = Features(basis), baseline_of(basis, labelled)
        self.model = BayesianLinear(SmoothnessPrior.for_basis(basis), n_members=8)
        self.novelty = NoveltyFit(len(basis.elements), basis.n_features)
        first = [observe(self.features, *one, self.baseline) for one in labelled[:FIRST]]
        self.model.fit_batch(first)
        self.model.tune(TUNE_EVALUATIONS, enough=TUNE_ENOUGH[1])
        for structure, _ in labelled[:FIRST]:
            self._add_environments(structure)
        self.times: list[tuple[float, float]] = []

    def _add_environments(self, structure: Any) -> None:
        self.novelty.add(self.features.phi([structure]), species_of(structure, self.basis.elements))

    def learn_up_to(self, count: int) -> None:
        """Take in labels one by one, timing each."""
        for structure, label in self.labelled[self.model.n_labels : count]:
            start = time.perf_counter()
            observation = observe(self.features, structure, label, self.baseline)
            rows = 1e3 * (time.perf_counter() - start)
            self.times.append((rows, clock(lambda one=observation: self.model.update(one))))  # type: ignore[misc]
            self._add_environments(structure)

    def row(self, name: str, window: int) -> dict[str, Any]:
        """The times at the present number of labels, ms."""
        rows, updates = zip(*self.times[-window:], strict=True)
        return {
            "basis": name,
            "labels": self.model.n_labels,
            "update ms": min(updates),
            "median": statistics.median(updates),
            "rows ms": statistics.median(rows),
            "potential ms": min(
                clock(lambda: make_potential(self.model, self.basis, self.baseline)) for _ in range(3)
            ),
            "tune ms": clock(lambda: self.model.tune(TUNE_EVALUATIONS, enough=TUNE_ENOUGH[1])),
            "novelty ms": clock(self.novelty.model),
        }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--counts", type=int, nargs="+", default=[10, 20, 50, 100, 200, 400])
    made.add_argument("--window", type=int, default=10)
    options = made.parse_args()
    counts = sorted(count for count in options.counts if count > FIRST)
    oracle = make_oracle({"name": "tblite", "method": "GFN2-xTB"})
    labelled = label_all(oracle, rattled(malonaldehyde(), counts[-1]))
    rows = []
    for name, basis in BASES.items():
        bench = Bench(basis, labelled)
        for count in counts:
            bench.learn_up_to(count)
            rows.append(bench.row(name, options.window))
    show("Learning one more label", rows)
    write("update", {"rows": rows, "n_force_components": 27}, options.output)


if __name__ == "__main__":
    main()
